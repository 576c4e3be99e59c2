//! Follows the ledger's transactions, and counts what members earn and buy.

use fealty_client::EventsClient;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType, TransactionPosted};
use fealty_proto::types::v1::Amount;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::violations::Violations;
use fealty_service::consumer::{ConsumeError, Consumer, Handler, Source};
use fealty_service::ground::Ground;
use fealty_types::{MemberId, PurchaseId, SharedClock, TransactionId, UnitCode};
use sqlx::PgConnection;

use crate::ladders;
use crate::ladders::domain::{Posting, What};

/// The consumer's name among this service's positions.
const CONSUMER: &str = "ledger_qualification";

/// Counts each transaction that counts. Writes rows and calls nobody.
#[derive(Debug)]
pub struct QualificationHandler {
    clock: SharedClock,
}

impl QualificationHandler {
    /// By that clock.
    #[must_use]
    pub const fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

impl Handler for QualificationHandler {
    async fn apply_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let Some(Payload::TransactionPosted(posted)) = &event.payload else {
            return Ok(());
        };
        let Some(kind) = Kind::of(posted) else {
            return Ok(());
        };
        let posting = read(event, posted, kind).map_err(|error| ConsumeError::Poison(error.to_string()))?;
        Ok(ladders::count_in_tx(tx, &posting, self.clock.now()).await?)
    }
}

/// The kinds of transactions that count, as the ledger names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Purchase,
    Refund,
    Earning,
    Reversal,
}

impl Kind {
    fn of(posted: &TransactionPosted) -> Option<Self> {
        match posted.kind.as_str() {
            "purchase" => Some(Self::Purchase),
            "refund" => Some(Self::Refund),
            // What waited was not available before: it counts when it becomes so.
            "credit" | "activate" => Some(Self::Earning),
            "reverse" => Some(Self::Reversal),
            _ => None,
        }
    }
}

/// What of a transaction's event counts. Who earned it is the owner, who differs from the subject where a household's
/// account was used.
fn read(event: &Event, posted: &TransactionPosted, kind: Kind) -> Result<Posting, ApiError> {
    let who = if posted.owner_id.is_empty() {
        &event.subject_id
    } else {
        &posted.owner_id
    };
    let mut v = Violations::default();
    let program_id = v.check("program_id", fields::parse(&event.program_id));
    let member_id = v.check("owner_id", fields::parse::<MemberId>(who));
    let transaction_id = v.check(
        "transaction_id",
        fields::parse::<TransactionId>(&posted.transaction_id),
    );
    let what = parse_what(&mut v, posted, kind);
    let changes = v.each("available_changes", &posted.available_changes, parse_change);
    let occur_time = v.check(
        "occur_time",
        fields::timestamp(event.occur_time.as_ref(), TimeRange::any()),
    );
    v.finish_with(|| {
        Some(Posting {
            program_id: program_id?,
            member_id: member_id?,
            transaction_id: transaction_id?.as_uuid(),
            what: what?,
            changes: changes?,
            occur_time: occur_time?,
        })
    })
}

fn parse_what(v: &mut Violations, posted: &TransactionPosted, kind: Kind) -> Option<What> {
    if kind == Kind::Earning {
        return Some(What::Earning);
    }
    if kind == Kind::Reversal {
        let id = fields::parse::<TransactionId>(&posted.reversed_transaction_id);
        let transaction_id = v.check("reversed_transaction_id", id)?.as_uuid();
        return Some(What::Reversal { transaction_id });
    }
    let purchase_id = v.check("purchase_id", fields::optional::<PurchaseId>(&posted.purchase_id));
    let is_unnamed = kind == Kind::Purchase && purchase_id == Some(None);
    v.require(!is_unnamed, "purchase_id", "is required");
    let money = v.check("money", fields::money(posted.money.as_ref()));
    if kind == Kind::Refund {
        let purchase_id = purchase_id?.map(|id| id.as_uuid());
        return Some(What::Refund {
            purchase_id,
            money: money?,
        });
    }
    Some(What::Purchase {
        purchase_id: purchase_id??.as_uuid(),
        money: money?,
    })
}

fn parse_change(v: &mut Violations, change: &Amount) -> Option<(UnitCode, i64)> {
    let unit = v.check("unit_code", fields::parse::<UnitCode>(&change.unit_code))?;
    Some((unit, change.value))
}

/// Follows the ledger; ends only by being dropped. Without a key to the ledger, nobody climbs by what they earn.
pub(crate) async fn keep_counting(ground: Ground, ledger: Option<EventsClient>) {
    let Some(events) = ledger else {
        tracing::warn!("no ledger.service_key is set: nobody earns a tier");
        return std::future::pending().await;
    };
    let source = Source {
        events,
        event_types: vec![EventType::TransactionPosted],
    };
    let handler = QualificationHandler::new(ground.clock.clone());
    let consumer = Consumer::new(CONSUMER, source, &ground, handler);
    tokio::join!(consumer.clone().keep_consuming(), consumer.keep_retrying());
}

#[cfg(test)]
mod tests {
    use fealty_proto::types::v1::Money;

    use super::*;

    const ID: &str = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978";
    const OWNER: &str = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6980";

    fn event() -> Event {
        Event {
            program_id: ID.to_owned(),
            subject_id: ID.to_owned(),
            occur_time: Some(prost_types::Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Event::default()
        }
    }

    fn posted(kind: &str) -> TransactionPosted {
        TransactionPosted {
            transaction_id: ID.to_owned(),
            kind: kind.to_owned(),
            purchase_id: ID.to_owned(),
            money: Some(Money {
                currency_code: "GBP".to_owned(),
                amount_minor: 1_250,
            }),
            owner_id: OWNER.to_owned(),
            ..TransactionPosted::default()
        }
    }

    #[test]
    fn who_bought_is_counted_and_not_whose_account_was_used() {
        let of = |owner_id: &str| {
            let posted = TransactionPosted {
                owner_id: owner_id.to_owned(),
                ..posted("purchase")
            };
            read(&event(), &posted, Kind::Purchase)
                .unwrap()
                .member_id
                .to_string()
        };
        assert_eq!(of(OWNER), OWNER);
        assert_eq!(of(""), ID);
    }

    #[test]
    fn what_is_spent_expires_or_is_corrected_counts_for_nothing() {
        for kind in [
            "spend", "expire", "hold", "capture", "release", "move", "notice", "adjust", "transfer",
        ] {
            assert_eq!(Kind::of(&posted(kind)), None, "{kind}");
        }
        assert_eq!(Kind::of(&posted("purchase")), Some(Kind::Purchase));
        assert_eq!(Kind::of(&posted("activate")), Some(Kind::Earning));
    }

    #[test]
    fn a_transaction_that_cannot_be_read_names_all_that_is_wrong_with_it() {
        let error = read(&Event::default(), &TransactionPosted::default(), Kind::Purchase).unwrap_err();
        let fields: Vec<_> = error
            .violations()
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        let wrong = [
            "program_id",
            "owner_id",
            "transaction_id",
            "purchase_id",
            "money",
            "occur_time",
        ];
        assert_eq!(fields, wrong);
    }
}
