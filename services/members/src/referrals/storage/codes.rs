//! Codes in the database, and what was sent by them.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::referrals::domain::{Code, Growth, IssuedCode};

struct CodeRow {
    code: String,
    code_id: Uuid,
    member_id: MemberId,
    invite_count: i64,
    referral_count: i64,
    create_time: DateTime<Utc>,
    close_time: Option<DateTime<Utc>>,
}

impl TryFrom<CodeRow> for IssuedCode {
    type Error = StorageError;

    fn try_from(row: CodeRow) -> Result<Self, StorageError> {
        Ok(Self {
            code: Code::parse(&row.code).map_err(|why| StorageError::corrupt("referral_code.code", why))?,
            code_id: row.code_id,
            member_id: row.member_id,
            invite_count: row.invite_count,
            referral_count: row.referral_count,
            create_time: row.create_time,
            close_time: row.close_time,
        })
    }
}

/// Stores a code. False when somebody has it.
pub(in crate::referrals) async fn insert_code_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    new: &IssuedCode,
) -> Result<bool, StorageError> {
    let inserted = sqlx::query!(
        "INSERT INTO referral_code (program, code, code_id, member_id, create_time) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (program, code) DO NOTHING",
        program_id.as_uuid(),
        new.code.as_str(),
        new.code_id,
        new.member_id.as_uuid(),
        new.create_time,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// How many of a member are open.
pub(in crate::referrals) async fn count_open_codes_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<i64, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM referral_code
           WHERE program = $1 AND member_id = $2 AND close_time IS NULL"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// A code, open or not.
pub(in crate::referrals) async fn find_code_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    code: &Code,
) -> Result<Option<IssuedCode>, StorageError> {
    sqlx::query_as!(
        CodeRow,
        r#"SELECT code, code_id, member_id AS "member_id: MemberId", invite_count, create_time, close_time,
                  (SELECT count(*) FROM referral r WHERE r.program = $1 AND r.code = $2) AS "referral_count!"
           FROM referral_code WHERE program = $1 AND code = $2"#,
        program_id.as_uuid(),
        code.as_str(),
    )
    .fetch_optional(tx)
    .await?
    .map(IssuedCode::try_from)
    .transpose()
}

/// Whose a code is, and whether it is open. Nobody is kept from it: a code that many come by at once is nobody's queue.
pub(in crate::referrals) async fn read_code_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    code: &Code,
) -> Result<Option<(MemberId, bool)>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT member_id AS "member_id: MemberId", close_time FROM referral_code
           WHERE program = $1 AND code = $2"#,
        program_id.as_uuid(),
        code.as_str(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| (row.member_id, row.close_time.is_none())))
}

/// Closes a code; one that is closed stays so.
pub(in crate::referrals) async fn close_code_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    code: &Code,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE referral_code SET close_time = $3 WHERE program = $1 AND code = $2 AND close_time IS NULL",
        program_id.as_uuid(),
        code.as_str(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A member's codes, newest first, before one.
pub(in crate::referrals) async fn list_codes_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    before: Option<Uuid>,
    count_max: i64,
) -> Result<Vec<IssuedCode>, StorageError> {
    let rows = sqlx::query_as!(
        CodeRow,
        r#"SELECT c.code, c.code_id, c.member_id AS "member_id: MemberId", c.invite_count, c.create_time, c.close_time,
                  (SELECT count(*) FROM referral r WHERE r.program = $1 AND r.code = c.code) AS "referral_count!"
           FROM referral_code c WHERE c.program = $1 AND c.member_id = $2 AND c.code_id < $3
           ORDER BY c.code_id DESC LIMIT $4"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        before.unwrap_or(Uuid::max()),
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(IssuedCode::try_from).collect()
}

/// Counts invitations that were sent by a code.
pub(in crate::referrals) async fn insert_invite_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (invite_id, code, member_id): (Uuid, &Code, MemberId),
    (invite_count, now): (i32, DateTime<Utc>),
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO referral_invite (program, invite_id, code, member_id, invite_count, report_time) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        program_id.as_uuid(),
        invite_id,
        code.as_str(),
        member_id.as_uuid(),
        invite_count,
        now,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE referral_code SET invite_count = invite_count + $3 WHERE program = $1 AND code = $2",
        program_id.as_uuid(),
        code.as_str(),
        i64::from(invite_count),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What was sent and what qualified in a time.
pub(in crate::referrals) async fn growth_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    from: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<Growth, StorageError> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(DISTINCT i.member_id) FROM referral_invite i
                   WHERE i.program = $1 AND i.report_time >= $2 AND i.report_time < $3) AS "inviting!",
                  (SELECT coalesce(sum(i.invite_count), 0)::bigint FROM referral_invite i
                   WHERE i.program = $1 AND i.report_time >= $2 AND i.report_time < $3) AS "invites!",
                  (SELECT count(*) FROM referral r
                   WHERE r.program = $1 AND r.qualify_time >= $2 AND r.qualify_time < $3
                     AND r.source = 'CODE') AS "qualified!""#,
        program_id.as_uuid(),
        from,
        before,
    )
    .fetch_one(tx)
    .await?;
    Ok(Growth {
        inviting_member_count: row.inviting,
        invite_count: row.invites,
        qualified_count: row.qualified,
    })
}
