//! Judges a member anew and tells what changed, in the transaction of whatever made it change.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::MemberTierChanged;
use fealty_proto::events::v1::event::Payload;
use fealty_service::events::new_event;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::{Change, Settled, Told, Trigger, settle};
use super::person::Person;
use super::storage::{self, Head, Row};
use crate::people::domain::TierCode;

/// Judges a member on all ladders and writes what holds now. The caller holds the member's lock, and appends the events.
pub(crate) async fn settle_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    trigger: Trigger,
    now: DateTime<Utc>,
) -> Result<Vec<NewEvent>, StorageError> {
    match Person::find_in_tx(&mut *tx, program_id, member_id, now).await? {
        Some(person) => settle_person_in_tx(tx, (program_id, member_id), &person, trigger, now).await,
        None => Ok(Vec::new()),
    }
}

/// Writes what time alone has changed, before something else changes: so that both are told apart.
pub(super) async fn catch_up_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<Vec<NewEvent>, StorageError> {
    let behind = storage::find_behind_in_tx(&mut *tx, program_id, member_id, now).await?;
    if behind.is_behind {
        settle_in_tx(tx, program_id, member_id, Trigger::Time, now).await
    } else {
        Ok(Vec::new())
    }
}

async fn settle_person_in_tx(
    tx: &mut PgConnection,
    (program_id, member_id): (ProgramId, MemberId),
    person: &Person,
    trigger: Trigger,
    now: DateTime<Utc>,
) -> Result<Vec<NewEvent>, StorageError> {
    let too_long = person.too_long(now);
    let mut changes = Vec::new();
    for head in &person.heads {
        let Some((mut row, settled)) = judge(person, head, trigger, now) else {
            continue;
        };
        if too_long.is_some() {
            row.checkpoint = person.fix(head, now);
        }
        if person.row(head) != Some(&row) {
            storage::upsert_row_in_tx(&mut *tx, program_id, member_id, &row).await?;
        }
        changes.extend(settled.changes);
    }
    changes.sort_by_key(|change| change.change_time);
    storage::insert_changes_in_tx(&mut *tx, program_id, member_id, &changes, now).await?;
    if let Some(before) = too_long {
        storage::put_together_in_tx(tx, program_id, &person.who.ids, before).await?;
    }
    let events = changes.iter().map(|change| changed(member_id, change, now));
    Ok(events.collect())
}

/// What is to be written of a ladder; None where nothing was told and there is nothing to tell.
fn judge(person: &Person, head: &Head, trigger: Trigger, now: DateTime<Utc>) -> Option<(Row, Settled)> {
    let row = person.row(head);
    let is_stale = row.is_some_and(|row| row.revision != head.revision);
    if row.is_none() && (head.retire_time.is_some() || !person.can_climb()) {
        return None;
    }
    let told = row.map(told_of).unwrap_or_default();
    let trigger = if is_stale && trigger == Trigger::Time {
        Trigger::Ladder
    } else {
        trigger
    };
    let newest = head.versions.last().map_or(0, |version| version.version);
    let code = (&head.ladder_code, newest);
    let settled = settle(person.question(now), person.known(head), told, trigger, &code);
    if row.is_none() && settled.told == Told::default() && settled.changes.is_empty() {
        // Who has no row has no tier.
        return None;
    }
    let row = Row {
        ladder_code: head.ladder_code.clone(),
        revision: head.revision,
        earned_tier_code: settled.told.earned.clone(),
        tier_code: settled.told.tier.clone(),
        due_time: settled.told.due_time,
        checkpoint: row.and_then(|row| row.checkpoint.clone()),
    };
    Some((row, settled))
}

fn told_of(row: &Row) -> Told {
    Told {
        earned: row.earned_tier_code.clone(),
        tier: row.tier_code.clone(),
        due_time: row.due_time,
    }
}

fn changed(member_id: MemberId, change: &Change, now: DateTime<Utc>) -> NewEvent {
    let code = |tier: Option<&TierCode>| tier.map(ToString::to_string).unwrap_or_default();
    let payload = Payload::MemberTierChanged(MemberTierChanged {
        tier_code: code(change.to.as_ref()),
        ladder_code: change.ladder_code.to_string(),
        previous_tier_code: code(change.from.as_ref()),
        cause: change.cause.to_string(),
    });
    new_event(member_id.as_uuid(), payload, change.change_time, now)
}
