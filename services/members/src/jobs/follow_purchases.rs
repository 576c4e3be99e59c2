//! Follows the ledger's purchases: the first of a new member lets the referral that brought them count.

use fealty_client::EventsClient;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType, TransactionPosted};
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::violations::Violations;
use fealty_service::consumer::{ConsumeError, Consumer, Handler, Source};
use fealty_service::ground::Ground;
use fealty_types::SharedClock;
use sqlx::PgConnection;

use crate::referrals::{FirstPurchase, qualify_by_purchase_in_tx};

/// The consumer's name among this service's positions.
const CONSUMER: &str = "ledger_referrals";

/// The kind of transaction that is a purchase, as the ledger names it.
const PURCHASE_KIND: &str = "purchase";

/// Lets referrals qualify. Writes rows and calls nobody.
#[derive(Debug)]
struct ReferralHandler {
    clock: SharedClock,
}

impl Handler for ReferralHandler {
    async fn apply_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let Some(Payload::TransactionPosted(posted)) = &event.payload else {
            return Ok(());
        };
        if posted.kind != PURCHASE_KIND {
            return Ok(());
        }
        let bought = read(event, posted).map_err(|error| ConsumeError::Poison(error.to_string()))?;
        Ok(qualify_by_purchase_in_tx(tx, &bought, self.clock.now()).await?)
    }
}

/// What of a purchase's event matters here. Who made it is the owner, who differs from the subject where a household's
/// account was used.
fn read(event: &Event, posted: &TransactionPosted) -> Result<FirstPurchase, ApiError> {
    let who = if posted.owner_id.is_empty() {
        &event.subject_id
    } else {
        &posted.owner_id
    };
    let mut v = Violations::default();
    let program_id = v.check("program_id", fields::parse(&event.program_id));
    let member_id = v.check("owner_id", fields::parse(who));
    let purchase_id = v.check("purchase_id", fields::parse(&posted.purchase_id));
    let occur_time = v.check(
        "occur_time",
        fields::timestamp(event.occur_time.as_ref(), TimeRange::any()),
    );
    let record_time = v.check(
        "record_time",
        fields::timestamp(event.record_time.as_ref(), TimeRange::any()),
    );
    v.finish_with(|| {
        Some(FirstPurchase {
            program_id: program_id?,
            member_id: member_id?,
            purchase_id: purchase_id?,
            occur_time: occur_time?,
            record_time: record_time?,
        })
    })
}

/// Follows the ledger; ends only by being dropped. Without a key to the ledger, no referral qualifies.
pub(crate) async fn keep_following_purchases(ground: Ground, ledger: Option<EventsClient>) {
    let Some(events) = ledger else {
        tracing::warn!("no ledger.service_key is set: no referral qualifies");
        return std::future::pending().await;
    };
    let source = Source {
        events,
        event_types: vec![EventType::TransactionPosted],
    };
    let handler = ReferralHandler {
        clock: ground.clock.clone(),
    };
    let consumer = Consumer::new(CONSUMER, source, &ground, handler);
    tokio::join!(consumer.clone().keep_consuming(), consumer.keep_retrying());
}
