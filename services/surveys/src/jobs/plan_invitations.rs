//! Follows the ledger's purchases, and plans invitations of those who made them.

use fealty_client::EventsClient;
use fealty_postgres::StorageError;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType, TransactionPosted};
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::violations::Violations;
use fealty_service::consumer::{ConsumeError, Consumer, Handler, Source};
use fealty_service::ground::Ground;
use fealty_types::{MemberId, ProgramId, PurchaseId, SharedClock};
use sqlx::PgConnection;

use crate::invitations::domain::Purchase;
use crate::invitations::plan_for_purchase_in_tx;

/// The consumer's name among this service's positions.
const CONSUMER: &str = "ledger_purchases";

/// The kind of transaction that is a purchase, as the ledger names it.
const PURCHASE_KIND: &str = "purchase";

/// Plans an invitation for each purchase that a survey asks about. Writes rows and calls nobody.
#[derive(Debug)]
pub struct PurchaseHandler {
    clock: SharedClock,
}

impl PurchaseHandler {
    /// By that clock.
    #[must_use]
    pub const fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

impl Handler for PurchaseHandler {
    async fn apply_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let Some(Payload::TransactionPosted(posted)) = &event.payload else {
            return Ok(());
        };
        if posted.kind != PURCHASE_KIND {
            return Ok(());
        }
        let (program, purchase) =
            read(event, posted).map_err(|error| ConsumeError::Poison(error.to_string()))?;
        let planned: Result<(), StorageError> =
            plan_for_purchase_in_tx(tx, program, &purchase, self.clock.now()).await;
        Ok(planned?)
    }
}

/// What of a purchase's event matters here. Who made it is the owner, who differs from the subject where a household's
/// account was used.
fn read(event: &Event, posted: &TransactionPosted) -> Result<(ProgramId, Purchase), ApiError> {
    let who = if posted.owner_id.is_empty() {
        &event.subject_id
    } else {
        &posted.owner_id
    };
    let mut v = Violations::default();
    let program = v.check("program_id", fields::parse::<ProgramId>(&event.program_id));
    let member_id = v.check("owner_id", fields::parse::<MemberId>(who));
    let purchase_id = v.check("purchase_id", fields::parse::<PurchaseId>(&posted.purchase_id));
    let money = v.check("money", fields::money(posted.money.as_ref()));
    let occur_time = v.check(
        "occur_time",
        fields::timestamp(event.occur_time.as_ref(), TimeRange::any()),
    );
    v.finish_with(|| {
        let purchase = Purchase {
            purchase_id: purchase_id?,
            member_id: member_id?,
            amount_minor: money?.minor,
            occur_time: occur_time?,
        };
        Some((program?, purchase))
    })
}

/// Follows the ledger; ends only by being dropped. Without a key to the ledger, no purchase invites anybody.
pub(crate) async fn keep_planning_invitations(ground: Ground, ledger: Option<EventsClient>) {
    let Some(events) = ledger else {
        tracing::warn!("no ledger.service_key is set: no purchase invites anybody to a survey");
        return std::future::pending().await;
    };
    let source = Source {
        events,
        event_types: vec![EventType::TransactionPosted],
    };
    let handler = PurchaseHandler::new(ground.clock.clone());
    let consumer = Consumer::new(CONSUMER, source, &ground, handler);
    tokio::join!(consumer.clone().keep_consuming(), consumer.keep_retrying());
}

#[cfg(test)]
mod tests {
    use fealty_proto::types::v1::Money;

    use super::*;

    const PROGRAM: &str = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978";
    const SUBJECT: &str = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6979";
    const OWNER: &str = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6980";

    fn event() -> Event {
        Event {
            program_id: PROGRAM.to_owned(),
            subject_id: SUBJECT.to_owned(),
            occur_time: Some(prost_types::Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Event::default()
        }
    }

    fn posted(owner_id: &str) -> TransactionPosted {
        TransactionPosted {
            kind: PURCHASE_KIND.to_owned(),
            purchase_id: PROGRAM.to_owned(),
            money: Some(Money {
                currency_code: "GBP".to_owned(),
                amount_minor: 1_250,
            }),
            owner_id: owner_id.to_owned(),
            ..TransactionPosted::default()
        }
    }

    #[test]
    fn who_bought_is_asked_and_not_whose_account_was_used() {
        let of = |owner_id| read(&event(), &posted(owner_id)).unwrap().1;
        assert_eq!(of(OWNER).member_id.to_string(), OWNER);
        assert_eq!(of("").member_id.to_string(), SUBJECT);
        assert_eq!(of("").amount_minor, 1_250);
    }

    #[test]
    fn a_purchase_that_cannot_be_read_names_all_that_is_wrong_with_it() {
        let error = read(&Event::default(), &TransactionPosted::default()).unwrap_err();
        let fields: Vec<_> = error
            .violations()
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(
            fields,
            ["program_id", "owner_id", "purchase_id", "money", "occur_time"]
        );
    }
}
