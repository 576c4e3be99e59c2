//! The door to the ledger: points are set aside, spent and given back there.
//!
//! A call has one request id for ever ([`ledger_request_id`]), so making it again finds what it did. The ledger's answers
//! are of three kinds: it did it; it refuses, now and for the same request always; or it does not answer as it should,
//! and then nobody knows.

use std::time::Duration;

use fealty_client::{CallError, ClientConfig, ConnectError, LedgerClient};
use fealty_postgres::Deadline;
use fealty_proto::ledger::v1::{
    CaptureHoldRequest, GetBalanceRequest, Hold, HoldPointsRequest, ReleaseHoldRequest,
};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_name;
use fealty_service::config::PeerConfig;
use fealty_types::{HoldId, MemberId, ProgramId, UnitCode};
use tonic::Code;

use super::domain::{Failure, LedgerCall, Redemption, ledger_request_id};
use crate::catalogue::domain::Price;
use crate::events::amount;
use crate::refusal::{Peer, RewardsError};

/// Longest wait for a call: a restart of the ledger takes less, and whoever redeems stands at a till.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What of the caller's time a call may take, in quarters: the rest is for the steps after it, and for saying so when it
/// does not answer.
const WAIT_QUARTERS: u32 = 3;

/// Connections to the ledger. It takes a hundred calls at once on each: as many as redeem at once.
const CONNECTION_COUNT: usize = 4;

/// How long points stay set aside if nobody does anything about it any more: long enough that a redemption survives an
/// outage of some minutes, and short enough that a member gets their points back the same hour, whatever went wrong.
const HOLD_DURATION_SECONDS: i32 = 900;

/// The system that the ledger writes down.
const SOURCE: &str = "rewards";

/// What the ledger says to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer<T> {
    /// It did it.
    Done(T),
    /// It refuses, for good.
    Refused(Failure),
}

/// Calls the ledger.
#[derive(Debug, Clone)]
pub struct LedgerDoor {
    client: LedgerClient,
}

impl LedgerDoor {
    /// Prepares the door. It connects with its first call.
    pub fn try_new<const PORT: u16>(config: &PeerConfig<PORT>) -> Result<Self, ConnectError> {
        let client = LedgerClient::try_new(&ClientConfig {
            connection_count: CONNECTION_COUNT,
            ..config.client()
        })?;
        Ok(Self { client })
    }

    /// What a member can spend of a unit.
    pub(super) async fn available(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        unit_code: &UnitCode,
    ) -> Result<i64, RewardsError> {
        let request = GetBalanceRequest {
            owner_id: member_id.to_string(),
            ..GetBalanceRequest::default()
        };
        let answer = self.client_of(program_id).get_balance(request).await;
        let balance = match answer {
            Ok(answer) => answer.into_message().balance.unwrap_or_default(),
            // Members knows somebody whom the ledger does not know yet: they have nothing.
            Err(error) if error.code == Code::NotFound => return Ok(0),
            Err(error) => return Err(away(&error)),
        };
        let of_unit = balance
            .balances
            .iter()
            .find(|one| one.unit_code == unit_code.as_str());
        Ok(of_unit.map_or(0, |one| one.available))
    }

    /// Sets the price aside.
    pub(super) async fn hold(
        &self,
        program_id: ProgramId,
        redemption: &Redemption,
        price: &Price,
    ) -> Result<Answer<HoldId>, RewardsError> {
        let request = HoldPointsRequest {
            request_id: ledger_request_id(redemption.redemption_id, LedgerCall::Hold).to_string(),
            owner_id: redemption.member_id.to_string(),
            amount: Some(amount(price)),
            duration_seconds: HOLD_DURATION_SECONDS,
            source: SOURCE.to_owned(),
            reason: reason_of(redemption),
        };
        match self.client_of(program_id).hold_points(request).await {
            Ok(answer) => hold_id(answer.into_message().hold).map(Answer::Done),
            Err(error) => refused_for_good(error).map(Answer::Refused),
        }
    }

    /// Spends what is set aside.
    pub(super) async fn capture(
        &self,
        program_id: ProgramId,
        redemption: &Redemption,
        hold_id: HoldId,
    ) -> Result<Answer<()>, RewardsError> {
        let request = CaptureHoldRequest {
            request_id: ledger_request_id(redemption.redemption_id, LedgerCall::Capture).to_string(),
            hold_id: hold_id.to_string(),
            // All of it.
            value: 0,
            reason: reason_of(redemption),
        };
        match self.client_of(program_id).capture_hold(request).await {
            Ok(_) => Ok(Answer::Done(())),
            Err(error) if is_captured_already(&error) => Ok(Answer::Done(())),
            Err(error) => refused_for_good(error).map(Answer::Refused),
        }
    }

    /// Gives back what is set aside. One that has ended already is given back.
    pub(super) async fn release(
        &self,
        program_id: ProgramId,
        redemption: &Redemption,
        hold_id: HoldId,
    ) -> Result<(), RewardsError> {
        let request = ReleaseHoldRequest {
            request_id: ledger_request_id(redemption.redemption_id, LedgerCall::Release).to_string(),
            hold_id: hold_id.to_string(),
            reason: reason_of(redemption),
        };
        let Err(error) = self.client_of(program_id).release_hold(request).await else {
            return Ok(());
        };
        let failure = refused_for_good(error)?;
        // Only an operator who spent the points by hand can bring this about: there is nothing left to give back, and
        // it is theirs to set right.
        tracing::error!(
            redemption_id = %redemption.redemption_id, %hold_id, reason = failure.reason,
            "the ledger refuses to give back what a redemption had set aside"
        );
        Ok(())
    }

    fn client_of(&self, program_id: ProgramId) -> LedgerClient {
        let left = Deadline::current().map_or(WAIT_MAX, Deadline::remaining);
        let wait = WAIT_MAX.min(left / 4 * WAIT_QUARTERS);
        self.client.for_program(program_id).within(wait)
    }
}

fn reason_of(redemption: &Redemption) -> String {
    format!("redemption {}", redemption.redemption_id)
}

fn hold_id(hold: Option<Hold>) -> Result<HoldId, RewardsError> {
    let text = hold.unwrap_or_default().hold_id;
    text.parse().map_err(|error| {
        tracing::error!(%error, "the ledger answers with a hold that has no id");
        RewardsError::Away(Peer::Ledger)
    })
}

/// Somebody spent exactly these points: the hold is what was captured, by whichever request.
fn is_captured_already(error: &CallError) -> bool {
    let captured = error
        .value("status")
        .is_some_and(|status| status.eq_ignore_ascii_case("captured"));
    error.reason == Some(ErrorReason::HoldNotOpen) && captured
}

/// The refusal, if the ledger answers the same request so for ever; else it is away. What it remembers are business
/// refusals; an unknown owner or unit it does not remember, but a hold that came of such a request later would end by
/// itself.
fn refused_for_good(error: CallError) -> Result<Failure, RewardsError> {
    let for_good = matches!(
        error.code,
        Code::FailedPrecondition
            | Code::NotFound
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::OutOfRange
    );
    match error.reason {
        Some(reason) if for_good && !is_of_the_caller(reason) => {
            Ok(Failure::new(reason_name(reason), error.metadata))
        }
        _ => Err(away(&error)),
    }
}

/// The ledger turned us away before it looked at the request: it may have done earlier what it refuses to hear of now,
/// and hears of it again once somebody has set that right. So it may have when it knows the request in other words: an
/// earlier version of this service asked for it.
const fn is_of_the_caller(reason: ErrorReason) -> bool {
    matches!(
        reason,
        ErrorReason::ProgramInactive | ErrorReason::StaffInactive | ErrorReason::RequestIdReused
    )
}

/// A ledger that does not answer is the operator's to know of; one that refuses us has to be set right by them.
fn away(error: &CallError) -> RewardsError {
    match error.code {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
            tracing::warn!(%error, "the ledger does not answer");
        }
        _ => tracing::error!(%error, "the ledger refuses this service"),
    }
    RewardsError::Away(Peer::Ledger)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn refusal(code: Code, reason: ErrorReason) -> CallError {
        CallError {
            method: "/fealty.ledger.v1.HoldService/CaptureHold",
            code,
            reason: Some(reason),
            message: String::new(),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            attempt_count: 1,
        }
    }

    /// What may have been done is not undone on the strength of it.
    #[test]
    fn only_an_answer_to_the_request_itself_is_for_good() {
        let for_good = refused_for_good(refusal(Code::FailedPrecondition, ErrorReason::HoldNotOpen));
        assert!(for_good.is_ok());
        for (code, reason) in [
            (Code::AlreadyExists, ErrorReason::RequestIdReused),
            (Code::FailedPrecondition, ErrorReason::ProgramInactive),
            (Code::FailedPrecondition, ErrorReason::StaffInactive),
            (Code::Unavailable, ErrorReason::DependencyUnavailable),
        ] {
            let unknown = refused_for_good(refusal(code, reason));
            assert!(
                matches!(unknown, Err(RewardsError::Away(Peer::Ledger))),
                "{reason:?}"
            );
        }
    }
}
