//! Members in the database: rows of ciphertexts.

mod acceptance;
mod days;
mod guardians;
mod history;
mod identifiers;
mod listing;
mod row;
mod standing;
mod traits;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, MemberId, PolicyId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::Member;
use super::seal::{SealedGuardian, SealedMember, SealedProfile};

use row::MemberRow;

pub(crate) use acceptance::accept_policy_in_tx;
pub(super) use days::{list_unnoted_in_tx, mark_noted_in_tx};
pub(super) use guardians::{is_ending_in_tx, list_ward_ids_in_tx, lock_all_in_tx, share_in_tx};
pub(super) use history::{insert_history_in_tx, list_history_in_tx, verify_in_tx};
pub(super) use identifiers::{
    VALUE_CONSTRAINT, delete_identifiers_in_tx, find_bearer_in_tx, find_taken_in_tx, insert_identifiers_in_tx,
};
pub(super) use listing::{ListAfter, ListFilter, list_ids_in_tx};
pub(crate) use standing::parse_status;
pub(super) use standing::{
    TierChange, find_status_in_tx, is_enrolled_in_tx, lock_status_in_tx, next_tier_revision_in_tx,
    update_tier_in_tx,
};

pub(super) use traits::{claim_without_traits_in_tx, list_traits_in_tx, replace_traits_in_tx};

/// Stores a member whom the ledger does not know yet. From `finish_after` on the job may finish what the call that
/// enrols them did not.
pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &SealedMember,
    finish_after: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (profile, acceptance) = (&member.profile, &member.acceptance);
    let guardian = member.guardian.as_ref();
    sqlx::query!(
        "INSERT INTO member \
         (program, member_id, data_key, master_key_id, given_name, family_name, display_name, birth_date, \
          language_code, place, policy_id, policy_version, policy_text_sha256, accept_channel, accept_time, \
          ledger_confirmed, finish_after, revision, create_time, update_time, party_kind, registration_number, \
          guardian_member_id, guardian_until, accepted_by_member_id, traits_noted) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, false, $16, $17, $18, $18, $19, $20, \
                 $21, $22, $23, true)",
        program_id.as_uuid(),
        member.member_id.as_uuid(),
        member.key.bytes.as_slice(),
        member.key.master_key_id.as_str(),
        profile.given_name.as_deref(),
        profile.family_name.as_deref(),
        profile.display_name.as_deref(),
        profile.birth_date.as_deref(),
        profile.language_code.as_deref(),
        profile.place.as_deref(),
        acceptance.policy_id.as_uuid(),
        acceptance.version.get(),
        acceptance.text_hash.as_bytes().as_slice(),
        acceptance.channel,
        acceptance.accept_time,
        finish_after,
        member.revision.get(),
        member.create_time,
        profile.party_kind.as_str(),
        profile.registration_number.as_deref(),
        guardian.map(|guardian| guardian.member_id.as_uuid()),
        guardian.map(|guardian| guardian.until.as_slice()),
        member.accepted_by.map(|member_id| member_id.as_uuid()),
    )
    .execute(&mut *tx)
    .await?;
    insert_identifiers_in_tx(tx, program_id, member.member_id, &member.identifiers).await
}

/// Says that the ledger has opened the member's owner. False when that was said before.
pub(super) async fn confirm_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    let confirmed = sqlx::query!(
        "UPDATE member SET ledger_confirmed = true, finish_after = NULL \
         WHERE program = $1 AND member_id = $2 AND NOT ledger_confirmed",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(confirmed.rows_affected() == 1)
}

/// Takes members whose enrolment nobody has finished by now, the longest waiting first, and keeps others from them until
/// `finish_after`. Across programs: needs the jobs' role.
///
/// What is locked is materialised: a subselect that locks could be run again, and would then take more than it may.
pub(super) async fn claim_unfinished_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    finish_after: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<(ProgramId, MemberId)>, StorageError> {
    let rows = sqlx::query!(
        r#"WITH unfinished AS MATERIALIZED (
               SELECT program, member_id FROM member WHERE NOT ledger_confirmed AND finish_after <= $1
               ORDER BY finish_after LIMIT $3 FOR UPDATE SKIP LOCKED)
           UPDATE member SET finish_after = $2
           WHERE (program, member_id) IN (SELECT program, member_id FROM unfinished)
           RETURNING program AS "program: ProgramId", member_id AS "member_id: MemberId""#,
        now,
        finish_after,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.program, row.member_id)).collect())
}

/// Keeps everybody else from changing a member until the end of the transaction. False when the program has no such
/// member, or none whose enrolment is finished.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    let locked = sqlx::query!(
        "SELECT member_id FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed \
         FOR NO KEY UPDATE",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(locked.is_some())
}

/// Writes a changed profile.
pub(super) async fn update_profile_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &Member,
    (profile, guardian): (&SealedProfile, Option<&SealedGuardian>),
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET given_name = $3, family_name = $4, display_name = $5, birth_date = $6, \
         language_code = $7, place = $8, revision = $9, update_time = $10, party_kind = $11, \
         registration_number = $12, guardian_member_id = $13, guardian_until = $14 \
         WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member.member_id.as_uuid(),
        profile.given_name.as_deref(),
        profile.family_name.as_deref(),
        profile.display_name.as_deref(),
        profile.birth_date.as_deref(),
        profile.language_code.as_deref(),
        profile.place.as_deref(),
        member.revision.get(),
        member.update_time,
        profile.party_kind.as_str(),
        profile.registration_number.as_deref(),
        guardian.map(|guardian| guardian.member_id.as_uuid()),
        guardian.map(|guardian| guardian.until.as_slice()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that something became of what belongs to a member, whatever they may still do.
pub(super) async fn touch_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET revision = revision + 1, update_time = GREATEST(update_time, $3) \
         WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes a change of what belongs to a member.
pub(super) async fn update_revision_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &Member,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE member SET revision = $3, update_time = $4 WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member.member_id.as_uuid(),
        member.revision.get(),
        member.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A member with their identifiers, whether the ledger knows them yet or not.
pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<SealedMember>, StorageError> {
    let found = load_in_tx(tx, program_id, &[member_id]).await?;
    Ok(found.into_iter().next())
}

/// Members with their identifiers, in the order of their enrolment.
pub(super) async fn load_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[MemberId],
) -> Result<Vec<SealedMember>, StorageError> {
    let member_ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
    let rows = sqlx::query_as!(
        MemberRow,
        r#"SELECT member_id AS "member_id: MemberId", data_key, master_key_id, given_name, family_name,
                  display_name, birth_date, language_code, place, policy_id AS "policy_id: PolicyId",
                  policy_version, policy_text_sha256, accept_channel, accept_time, ledger_confirmed, status, tier_code,
                  household_id AS "household_id: HouseholdId",
                  merged_into_member_id AS "merged_into_member_id: MemberId", revision, create_time, update_time,
                  party_kind, registration_number, guardian_member_id AS "guardian_member_id: MemberId",
                  guardian_until, accepted_by_member_id AS "accepted_by_member_id: MemberId"
           FROM member WHERE program = $1 AND member_id = ANY($2) ORDER BY create_time, member_id"#,
        program_id.as_uuid(),
        &member_ids,
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut members: Vec<SealedMember> = rows
        .into_iter()
        .map(SealedMember::try_from)
        .collect::<Result<_, _>>()?;
    let places: HashMap<MemberId, usize> = members
        .iter()
        .enumerate()
        .map(|(place, member)| (member.member_id, place))
        .collect();
    for (member_id, identifier) in identifiers::list_in_tx(tx, program_id, &member_ids).await? {
        if let Some(place) = places.get(&member_id) {
            members[*place].identifiers.push(identifier);
        }
    }
    Ok(members)
}
