//! Calls that a test chooses or draws.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{HoldId, OwnerId, Points, ProgramId, RequestId, UnitCode};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::posting::call::Call;
use crate::posting::domain::{Captured, Command, Earned, LotEnd, NewHold, Slide, Spent};
use crate::posting::room::Moment;

pub(super) fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

pub(super) fn program() -> ProgramId {
    ProgramId::try_from(Uuid::from_u128(1)).unwrap()
}

pub(super) fn owner_id(number: u128) -> OwnerId {
    OwnerId::try_from(Uuid::from_u128(number)).unwrap()
}

pub(super) fn points() -> UnitCode {
    "points".parse().unwrap()
}

pub(super) fn credit(value: i64, end: Option<DateTime<Utc>>) -> Command {
    Command::Credit(Earned {
        unit_code: points(),
        value: Points::new(value),
        end: LotEnd::Fixed(end),
        budget_code: None,
        wait: None,
    })
}

/// Of which the end moves with each credit and spend.
pub(super) fn sliding_credit(value: i64, end: DateTime<Utc>) -> Command {
    Command::Credit(Earned {
        unit_code: points(),
        value: Points::new(value),
        end: LotEnd::Sliding(end),
        budget_code: None,
        wait: None,
    })
}

/// Twelve hours of life after each credit and spend.
pub(super) fn slides(command: &Command, moment: &Moment) -> Vec<Slide> {
    let is_activity = matches!(command, Command::Credit(_) | Command::Spend(_));
    let slide = Slide {
        unit_code: points(),
        end: moment.record_time + TimeDelta::hours(12),
    };
    is_activity.then_some(slide).into_iter().collect()
}

pub(super) fn spend(value: i64) -> Command {
    Command::Spend(Spent {
        unit_code: points(),
        value: Points::new(value),
    })
}

pub(super) fn hold_id(number: u128) -> HoldId {
    HoldId::try_from(Uuid::from_u128(number)).unwrap()
}

pub(super) fn hold(number: u128, value: i64, end: DateTime<Utc>) -> Command {
    Command::Hold(NewHold {
        hold_id: hold_id(number),
        unit_code: points(),
        value: Points::new(value),
        expire_time: end,
        source: "till".to_owned(),
        on_behalf_of: None,
    })
}

pub(super) fn call(request: u128, owner: u128, receipt: Option<u8>, command: Command) -> Call<Command> {
    call_to(request, (owner, None), receipt, command)
}

/// A transfer.
pub(super) fn transfer(
    request: u128,
    (from, to): (u128, u128),
    receipt: Option<u8>,
    value: i64,
) -> Call<Command> {
    let command = Command::Send(Spent {
        unit_code: points(),
        value: Points::new(value),
    });
    call_to(request, (from, Some(to)), receipt, command)
}

fn call_to(
    request: u128,
    (owner, to): (u128, Option<u128>),
    receipt: Option<u8>,
    command: Command,
) -> Call<Command> {
    let text = format!("{owner} {to:?} {receipt:?} {command:?}");
    Call {
        request_id: RequestId::try_from(Uuid::from_u128(request)).unwrap(),
        command_hash: Sha256::digest(text).into(),
        owner_id: owner_id(owner),
        counterpart_id: to.map(owner_id),
        on_behalf_of: None,
        kind: command.kind(),
        source: "till".to_owned(),
        receipt_id: receipt.map(|number| number.to_string()),
        money: None,
        actor: "key:test".to_owned(),
        reason: String::new(),
        occur_time: None,
        trace_parent: None,
        work: command,
    }
}

/// Calls among few owners, request ids and receipts, so that they meet. The fourth owner does not exist.
pub(super) fn any_call() -> impl Strategy<Value = Call<Command>> {
    let command = prop_oneof![
        (1_i64..30, proptest::option::of(1_i64..6)).prop_map(|(value, hours)| credit(
            value,
            hours.map(|hours| start() + TimeDelta::hours(hours * 8))
        )),
        (1_i64..30, 1_i64..6)
            .prop_map(|(value, hours)| sliding_credit(value, start() + TimeDelta::hours(hours * 8))),
        (1_i64..40).prop_map(spend),
        (1_u128..60, 0_i64..20).prop_map(|(number, value)| Command::Capture(Captured {
            hold_id: hold_id(number),
            value: Points::new(value),
        })),
        (1_u128..60).prop_map(|number| Command::Release(hold_id(number))),
    ];
    let held = proptest::option::weighted(0.3, (1_i64..25, 1_i64..9));
    // To somebody else, to oneself, or to nobody.
    let sent = proptest::option::weighted(0.3, (1_i64..30, 1_u128..=4));
    (
        1_u128..60,
        1_u128..=4,
        proptest::option::weighted(0.3, 0_u8..12),
        command,
        held,
        sent,
    )
        .prop_map(|(request, owner, receipt, command, held, sent)| {
            if let Some((value, to)) = sent {
                return transfer(request, (owner, to), receipt, value);
            }
            let command = match held {
                // A hold bears the number of its request: it is made once.
                Some((value, hours)) => hold(request, value, start() + TimeDelta::hours(hours * 8)),
                None => command,
            };
            call(request, owner, receipt, command)
        })
}

pub(super) fn any_batches() -> impl Strategy<Value = Vec<(i64, Vec<Call<Command>>)>> {
    proptest::collection::vec((0_i64..4, proptest::collection::vec(any_call(), 1..12)), 1..20)
}
