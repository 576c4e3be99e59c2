//! `BatchPostPoints`.

use std::collections::HashSet;

use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1 as pb_type;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::{ApiError, reason_of};
use fealty_rpc::violations::Violations;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::points::Parsing;
use crate::posting::grpc::read;
use crate::posting::{Answer, Call, Group};
use crate::refusal::{LedgerError, Refusal};
use crate::transactions::domain::{Direction, PointsWork};

/// Postings of one call at the most: some 40 ms of work. Whoever has more sends several calls side by side.
const POSTINGS_MAX: usize = 1_000;

/// The method's own scope is for what a till may do.
pub(super) fn require_scopes(caller: &Caller, message: &pb::BatchPostPointsRequest) -> Result<(), ApiError> {
    let mut postings = message.postings.iter().map(|posting| posting.posting.as_ref());
    let adjusts = postings.any(|posting| matches!(posting, Some(Posting::Adjust(_))));
    if adjusts && !caller.has_scope(Scope::LedgerAdjust) {
        return Err(ApiError::scope_missing(Scope::LedgerAdjust));
    }
    Ok(())
}

pub(super) fn parse(
    parsing: Parsing<'_>,
    message: &pb::BatchPostPointsRequest,
) -> Result<Vec<Call<PointsWork>>, ApiError> {
    let mut v = Violations::default();
    let postings = &message.postings;
    v.require(
        (1..=POSTINGS_MAX).contains(&postings.len()),
        "postings",
        format!("must have 1 to {POSTINGS_MAX} items"),
    );
    let mut seen = HashSet::new();
    let calls: Vec<Option<Call<PointsWork>>> = postings
        .iter()
        .take(POSTINGS_MAX)
        .enumerate()
        .map(|(index, posting)| {
            v.within_item("postings", index, |v| {
                let call = parse_one(parsing, v, posting.posting.as_ref())?;
                let is_new = seen.insert(call.request_id);
                v.require(is_new, path_of(&call), "must not come twice in a call");
                Some(call)
            })
        })
        .collect();
    v.finish_with(|| calls.into_iter().collect())
}

fn parse_one(
    parsing: Parsing<'_>,
    v: &mut Violations,
    posting: Option<&Posting>,
) -> Option<Call<PointsWork>> {
    match posting {
        Some(Posting::Credit(message)) => v.within("credit", |v| parsing.credit(v, message)),
        Some(Posting::Spend(message)) => v.within("spend", |v| parsing.spend(v, message)),
        Some(Posting::Adjust(message)) => v.within("adjust", |v| parsing.adjust(v, message)),
        None => {
            v.add("posting", "must be a credit, a spend or an adjustment");
            None
        }
    }
}

const fn path_of(call: &Call<PointsWork>) -> &'static str {
    match call.work.direction() {
        Direction::Credit => "credit.request_id",
        Direction::Spend => "spend.request_id",
        Direction::Adjust => "adjust.request_id",
    }
}

/// Each has its own outcome.
pub(super) fn present(
    directions: &[Direction],
    answers: Vec<Result<Answer, LedgerError>>,
) -> Vec<pb::PointsOutcome> {
    let each = directions.iter().zip(answers);
    each.map(|(direction, answer)| match answer {
        Ok(answer) => present_answer(*direction, &answer),
        Err(error) => refused(&Status::from(error), false),
    })
    .collect()
}

/// All have a response, or only those that were refused have an outcome.
pub(super) fn present_group(directions: &[Direction], group: Group) -> Vec<pb::PointsOutcome> {
    let (answers, took_effect) = match group {
        Group::Accepted(answers) => (answers, true),
        Group::Refused(answers) => (answers, false),
    };
    let each = directions.iter().zip(answers);
    each.map(|(direction, answer)| match answer {
        // It would have taken effect, and did not, unless it had before.
        Ok(answer) if answer.accepted && !answer.replayed && !took_effect => pb::PointsOutcome::default(),
        Ok(answer) => present_answer(*direction, &answer),
        Err(refusal) => refused(&Refusal::into(refusal), false),
    })
    .collect()
}

fn present_answer(direction: Direction, answer: &Answer) -> pb::PointsOutcome {
    let outcome = match direction {
        Direction::Credit => read(answer).map(Outcome::Credit),
        Direction::Spend => read(answer).map(Outcome::Spend),
        Direction::Adjust => read(answer).map(Outcome::Adjust),
    };
    match outcome {
        Ok(outcome) => pb::PointsOutcome {
            outcome: Some(outcome),
            replayed: answer.replayed,
        },
        Err(status) => refused(&status, answer.replayed),
    }
}

fn refused(status: &Status, replayed: bool) -> pb::PointsOutcome {
    let info = status.get_details_error_info();
    let error = pb_type::Error {
        code: status.code().into(),
        reason: reason_of(status).unwrap_or_default().into(),
        message: status.message().to_owned(),
        metadata: info.map(|info| info.metadata).unwrap_or_default(),
    };
    pb::PointsOutcome {
        outcome: Some(Outcome::Error(error)),
        replayed,
    }
}
