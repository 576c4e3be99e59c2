//! Referrals in the database.

mod checks;
mod codes;
mod rewards;
mod settings;
mod tree;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId, PurchaseId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Check, Referral, Source, State};

pub(super) use checks::{checks_in_tx, find_loop_in_tx, note_device_in_tx};
pub(super) use codes::{
    close_code_in_tx, count_open_codes_in_tx, find_code_in_tx, growth_in_tx, insert_code_in_tx,
    insert_invite_in_tx, list_codes_in_tx, read_code_in_tx,
};
pub(super) use rewards::{claim_due_in_tx, end_reward_in_tx, insert_rewards_in_tx, list_rewards_in_tx};
pub(super) use settings::{find_settings_in_tx, lock_settings_in_tx, upsert_settings_in_tx};
pub(super) use tree::{Node, count_brought_in_tx, list_level_in_tx};

struct ReferralRow {
    referral_id: Uuid,
    member_id: MemberId,
    referrer_member_id: MemberId,
    source: String,
    code: Option<String>,
    state: String,
    checks: Vec<String>,
    purchase_id: Option<PurchaseId>,
    record_time: DateTime<Utc>,
    qualify_time: Option<DateTime<Utc>>,
}

impl TryFrom<ReferralRow> for Referral {
    type Error = StorageError;

    fn try_from(row: ReferralRow) -> Result<Self, StorageError> {
        let checks = row.checks.iter().map(|text| {
            Check::from_column(text).ok_or_else(|| StorageError::corrupt("referral.checks", text))
        });
        Ok(Self {
            referral_id: row.referral_id,
            member_id: row.member_id,
            referrer_member_id: row.referrer_member_id,
            source: Source::from_column(&row.source)
                .ok_or_else(|| StorageError::corrupt("referral.source", &row.source))?,
            code: row.code,
            state: parse_state(&row.state)?,
            checks: checks.collect::<Result<_, _>>()?,
            purchase_id: row.purchase_id,
            record_time: row.record_time,
            qualify_time: row.qualify_time,
        })
    }
}

fn parse_state(text: &str) -> Result<State, StorageError> {
    State::from_column(text).ok_or_else(|| StorageError::corrupt("referral.state", text))
}

/// Stores a referral. False when the member has one.
pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    referral: &Referral,
) -> Result<bool, StorageError> {
    let checks: Vec<String> = referral
        .checks
        .iter()
        .map(|check| check.as_str().to_owned())
        .collect();
    let inserted = sqlx::query!(
        "INSERT INTO referral (program, referral_id, member_id, referrer_member_id, source, code, state, checks, \
                               record_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (program, member_id) DO NOTHING",
        program_id.as_uuid(),
        referral.referral_id,
        referral.member_id.as_uuid(),
        referral.referrer_member_id.as_uuid(),
        referral.source.as_str(),
        referral.code,
        referral.state.as_str(),
        &checks,
        referral.record_time,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Who brought a member.
pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<Referral>, StorageError> {
    sqlx::query_as!(
        ReferralRow,
        r#"SELECT referral_id, member_id AS "member_id: MemberId", referrer_member_id AS "referrer_member_id: MemberId",
                  source, code, state, checks, purchase_id AS "purchase_id: PurchaseId", record_time, qualify_time
           FROM referral WHERE program = $1 AND member_id = $2"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Referral::try_from)
    .transpose()
}

/// The same, which nobody else changes until the end of the transaction.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<Referral>, StorageError> {
    sqlx::query_as!(
        ReferralRow,
        r#"SELECT referral_id, member_id AS "member_id: MemberId", referrer_member_id AS "referrer_member_id: MemberId",
                  source, code, state, checks, purchase_id AS "purchase_id: PurchaseId", record_time, qualify_time
           FROM referral WHERE program = $1 AND member_id = $2 FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Referral::try_from)
    .transpose()
}

/// Writes what became of a referral.
pub(super) async fn update_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    referral: &Referral,
) -> Result<(), StorageError> {
    let checks: Vec<String> = referral
        .checks
        .iter()
        .map(|check| check.as_str().to_owned())
        .collect();
    sqlx::query!(
        "UPDATE referral SET state = $3, checks = $4, purchase_id = $5, qualify_time = $6 \
         WHERE program = $1 AND referral_id = $2",
        program_id.as_uuid(),
        referral.referral_id,
        referral.state.as_str(),
        &checks,
        referral.purchase_id.as_ref().map(PurchaseId::as_uuid),
        referral.qualify_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which referrals to list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// Of whom that member brought, in any state or one.
    BroughtBy(MemberId, Option<State>),
    /// Everybody's in one state.
    In(State),
}

/// Newest first, before one.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    wanted: Wanted,
    before: Option<Uuid>,
    count_max: i64,
) -> Result<Vec<Referral>, StorageError> {
    let before = before.unwrap_or(Uuid::max());
    // One statement for each, so that each has its index.
    let rows = match wanted {
        Wanted::BroughtBy(referrer, state) => {
            sqlx::query_as!(
                ReferralRow,
                r#"SELECT referral_id, member_id AS "member_id: MemberId",
                          referrer_member_id AS "referrer_member_id: MemberId", source, code, state, checks,
                          purchase_id AS "purchase_id: PurchaseId", record_time, qualify_time
                   FROM referral
                   WHERE program = $1 AND referrer_member_id = $2 AND referral_id < $3
                     AND ($4::text IS NULL OR state = $4)
                   ORDER BY referral_id DESC LIMIT $5"#,
                program_id.as_uuid(),
                referrer.as_uuid(),
                before,
                state.map(State::as_str),
                count_max,
            )
            .fetch_all(tx)
            .await?
        }
        Wanted::In(state) => {
            sqlx::query_as!(
                ReferralRow,
                r#"SELECT referral_id, member_id AS "member_id: MemberId",
                          referrer_member_id AS "referrer_member_id: MemberId", source, code, state, checks,
                          purchase_id AS "purchase_id: PurchaseId", record_time, qualify_time
                   FROM referral WHERE program = $1 AND state = $2 AND referral_id < $3
                   ORDER BY referral_id DESC LIMIT $4"#,
                program_id.as_uuid(),
                state.as_str(),
                before,
                count_max,
            )
            .fetch_all(tx)
            .await?
        }
    };
    rows.into_iter().map(Referral::try_from).collect()
}

/// Gives a member what another brought, and by whom that one was brought, as far as it still makes sense: nobody brings
/// themselves, and nobody was brought twice.
pub(crate) async fn take_over_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (from, into): (MemberId, MemberId),
) -> Result<(), StorageError> {
    let (program, from, into) = (program_id.as_uuid(), from.as_uuid(), into.as_uuid());
    sqlx::query!(
        "UPDATE referral SET state = 'REJECTED', checks = array_append(checks, 'SELF') \
         WHERE program = $1 AND state IN ('PENDING', 'HELD') \
           AND ((member_id = $2 AND referrer_member_id = $3) OR (member_id = $3 AND referrer_member_id = $2))",
        program,
        from,
        into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE referral SET referrer_member_id = $3 WHERE program = $1 AND referrer_member_id = $2 AND member_id <> $3",
        program,
        from,
        into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE referral r SET member_id = $3 WHERE program = $1 AND member_id = $2 AND referrer_member_id <> $3 \
         AND NOT EXISTS (SELECT 1 FROM referral o WHERE o.program = $1 AND o.member_id = $3)",
        program,
        from,
        into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE referral_code SET member_id = $3 WHERE program = $1 AND member_id = $2",
        program,
        from,
        into,
    )
    .execute(tx)
    .await?;
    Ok(())
}
