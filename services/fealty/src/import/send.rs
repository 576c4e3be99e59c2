//! One row to the services: who the customer is, and the purchase or refund.

use std::sync::Arc;

use fealty_client::{CallError, LedgerClient, MembersClient};
use fealty_proto::ledger::v1::{
    RecordPurchaseRequest, RefundPurchaseRequest, refund_purchase_request::Target,
};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{EnrolMemberRequest, Identifier, LookupMemberRequest, PolicyAcceptance};
use fealty_proto::types::v1::{ErrorReason, Money as PbMoney};
use fealty_types::{CurrencyCode, Money};
use prost_types::Timestamp;
use tonic::Code;
use uuid::Uuid;

use super::rows::{Movement, Rejection, Row};
use super::rules::Rules;
use super::tally::{Outcome, Posted};

/// Customers whose member id is kept in mind; one that is forgotten is looked up again.
pub const CUSTOMER_COUNT_MAX: u64 = 100_000;

/// Makes the same request ids for the same rows, whenever and wherever the import runs.
const NAMESPACE: Uuid = Uuid::from_u128(0x6e1d_3c5a_8f0b_4d52_9a37_2b64_c1f0_77e9);

/// Sends rows of one import.
#[derive(Debug, Clone)]
pub struct Sender {
    members: MembersClient,
    ledger: LedgerClient,
    customers: moka::sync::Cache<String, Arc<str>>,
    rules: Arc<Rules>,
    source: Arc<str>,
    currency: CurrencyCode,
    /// The policy in force, where unknown customers are to be enrolled.
    policy_version: Option<i64>,
}

/// The import cannot go on now, and can later.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// A service did not answer as it should.
    #[error("line {line}: {call}")]
    Call {
        /// The row at which it stopped.
        line: u64,
        /// What the service said.
        #[source]
        call: CallError,
    },
    /// The file cannot be read on.
    #[error("line {line}: the file cannot be read")]
    Read {
        /// The row at which it stopped.
        line: u64,
        /// Why.
        #[source]
        source: csv::Error,
    },
}

impl Stopped {
    /// The row at which it stopped.
    pub const fn line(&self) -> u64 {
        match self {
            Self::Call { line, .. } | Self::Read { line, .. } => *line,
        }
    }
}

impl Sender {
    /// Sends rows under a source name.
    pub fn new(
        (members, ledger): (MembersClient, LedgerClient),
        rules: Rules,
        source: &str,
        currency: CurrencyCode,
        policy_version: Option<i64>,
    ) -> Self {
        Self {
            members,
            ledger,
            customers: moka::sync::Cache::new(CUSTOMER_COUNT_MAX),
            rules: Arc::new(rules),
            source: Arc::from(source),
            currency,
            policy_version,
        }
    }

    /// What becomes of a row.
    pub async fn send(&self, line: u64, row: Row) -> Result<Outcome, Stopped> {
        let sent = match row {
            Row::Anonymous { amount_minor, odd } => Ok(Outcome::Anonymous { amount_minor, odd }),
            Row::Rejected { amount_minor, reason } => Ok(Outcome::Rejected { amount_minor, reason }),
            Row::Purchase(movement) => {
                let sent = self.purchase(&movement).await;
                sent.or_else(|error| refused(movement.amount_minor, error))
            }
            Row::Refund(movement) => {
                let sent = self.refund(&movement).await;
                sent.or_else(|error| refused(-movement.amount_minor, error))
            }
        };
        sent.map_err(|call| Stopped::Call { line, call })
    }

    async fn purchase(&self, movement: &Movement) -> Result<Outcome, CallError> {
        let Some((owner_id, enrolled)) = self.find_customer(&movement.customer).await? else {
            return Ok(unknown(movement.amount_minor));
        };
        let request = RecordPurchaseRequest {
            request_id: self.request_id("purchase", &movement.receipt),
            owner_id: owner_id.to_string(),
            source: self.source.to_string(),
            receipt_id: movement.receipt.clone(),
            money: Some(self.money(movement)),
            occur_time: Some(timestamp(movement)),
        };
        let answer = self.ledger.record_purchase(request).await?;
        Ok(Outcome::Purchase(self.posted(
            movement,
            answer.replayed,
            enrolled,
        )))
    }

    async fn refund(&self, movement: &Movement) -> Result<Outcome, CallError> {
        let Some((owner_id, enrolled)) = self.find_customer(&movement.customer).await? else {
            return Ok(unknown(-movement.amount_minor));
        };
        let request = RefundPurchaseRequest {
            request_id: self.request_id("refund", &movement.receipt),
            target: Some(Target::UnreferencedOwnerId(owner_id.to_string())),
            source: self.source.to_string(),
            receipt_id: movement.receipt.clone(),
            money: Some(self.money(movement)),
            occur_time: Some(timestamp(movement)),
            reason: "cancellation in an import".into(),
        };
        let answer = self.ledger.refund_purchase(request).await?;
        Ok(Outcome::Refund(self.posted(movement, answer.replayed, enrolled)))
    }

    /// The customer's member id, and whether they were enrolled just now. None: unknown, and not to be enrolled.
    async fn find_customer(&self, customer: &str) -> Result<Option<(Arc<str>, bool)>, CallError> {
        if let Some(known) = self.customers.get(customer) {
            return Ok(Some((known, false)));
        }
        let identifier = Identifier {
            value: Some(Value::ExternalId(customer.to_owned())),
            ..Identifier::default()
        };
        let looked_up = self
            .members
            .lookup_member(LookupMemberRequest {
                identifier: Some(identifier.clone()),
            })
            .await;
        let (member, enrolled) = match (looked_up, self.policy_version) {
            (Ok(answer), _) => (answer.into_message().member, false),
            (Err(error), None) if error.code == Code::NotFound => return Ok(None),
            (Err(error), Some(policy_version)) if error.code == Code::NotFound => {
                (self.enrol(customer, identifier, policy_version).await?, true)
            }
            (Err(error), _) => return Err(error),
        };
        let member_id: Arc<str> = Arc::from(member.unwrap_or_default().member_id);
        self.customers.insert(customer.to_owned(), Arc::clone(&member_id));
        Ok(Some((member_id, enrolled)))
    }

    async fn enrol(
        &self,
        customer: &str,
        identifier: Identifier,
        policy_version: i64,
    ) -> Result<Option<fealty_proto::members::v1::Member>, CallError> {
        let request = EnrolMemberRequest {
            request_id: self.request_id("enrol", customer),
            identifiers: vec![identifier],
            policy_acceptance: Some(PolicyAcceptance {
                policy_version,
                channel: "import".into(),
                ..PolicyAcceptance::default()
            }),
            ..EnrolMemberRequest::default()
        };
        Ok(self.members.enrol_member(request).await?.into_message().member)
    }

    fn posted(&self, movement: &Movement, replayed: bool, enrolled: bool) -> Posted {
        let money = Money::new(self.currency, movement.amount_minor);
        Posted {
            amount_minor: movement.amount_minor,
            expected: self.rules.points(movement.time, money),
            replayed,
            enrolled,
        }
    }

    fn request_id(&self, what: &str, number: &str) -> String {
        let name = format!("{}\0{what}\0{number}", self.source);
        Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
    }

    fn money(&self, movement: &Movement) -> PbMoney {
        PbMoney {
            currency_code: self.currency.to_string(),
            amount_minor: movement.amount_minor,
        }
    }
}

fn timestamp(movement: &Movement) -> Timestamp {
    Timestamp {
        seconds: movement.time.timestamp(),
        nanos: i32::try_from(movement.time.timestamp_subsec_nanos()).unwrap_or(0),
    }
}

fn unknown(amount_minor: i64) -> Outcome {
    Outcome::Rejected {
        amount_minor,
        reason: Rejection::UnknownCustomer,
    }
}

/// What a row can be refused for by its own fault. Anything else would meet the next row too, so the import stops.
const OF_THE_ROW: [ErrorReason; 5] = [
    ErrorReason::InvalidFields,
    ErrorReason::ReceiptAlreadyUsed,
    ErrorReason::RequestIdReused,
    ErrorReason::OwnerClosed,
    ErrorReason::AmountOverflow,
];

fn refused(amount_minor: i64, error: CallError) -> Result<Outcome, CallError> {
    let Some(reason) = error.reason.filter(|reason| OF_THE_ROW.contains(reason)) else {
        return Err(error);
    };
    let fields: Vec<String> = error
        .fields
        .iter()
        .map(|field| format!("{}: {}", field.field, field.description))
        .collect();
    let detail = if fields.is_empty() {
        error.message
    } else {
        fields.join("; ")
    };
    let reason = reason
        .as_str_name()
        .trim_start_matches("ERROR_REASON_")
        .to_owned();
    Ok(Outcome::Rejected {
        amount_minor,
        reason: Rejection::Refused { reason, detail },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fealty_client::FieldError;

    use super::*;

    fn error(code: Code, reason: ErrorReason, fields: Vec<FieldError>) -> CallError {
        CallError {
            method: "/m",
            code,
            reason: Some(reason),
            message: "says why".into(),
            metadata: BTreeMap::new(),
            fields,
            attempt_count: 1,
        }
    }

    #[test]
    fn a_row_that_is_at_fault_is_rejected_and_counted_by_the_reason_alone() {
        let bad_field = FieldError {
            field: "identifier.external_id".into(),
            description: "at most 128 characters".into(),
        };
        let error = error(Code::InvalidArgument, ErrorReason::InvalidFields, vec![bad_field]);
        let outcome = refused(5, error).expect("of the row");
        let Outcome::Rejected { reason, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason.to_string(), "refused: INVALID_FIELDS");
        assert!(
            reason
                .explain()
                .contains("identifier.external_id: at most 128 characters")
        );
    }

    #[test]
    fn what_would_meet_every_row_stops_the_import() {
        for (code, reason) in [
            (Code::FailedPrecondition, ErrorReason::ProgramInactive),
            (Code::FailedPrecondition, ErrorReason::PolicyVersionOutdated),
            (Code::Unavailable, ErrorReason::DependencyUnavailable),
            (Code::PermissionDenied, ErrorReason::ScopeMissing),
        ] {
            assert!(refused(5, error(code, reason, Vec::new())).is_err(), "{reason:?}");
        }
    }
}
