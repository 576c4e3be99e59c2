//! What speaks against a referral, as far as the tables know.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::LookupHash;
use sqlx::PgConnection;

use crate::referrals::domain::{Check, Newcomer};

/// Links of a chain that are followed: nobody was ever brought over more.
const CHAIN_MAX: i32 = 1_000;

/// What both have in common.
pub(in crate::referrals) async fn checks_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    newcomer: &Newcomer,
    referrer_member_id: MemberId,
) -> Result<Vec<Check>, StorageError> {
    let device = newcomer.device.map(|hash| hash.as_bytes().to_vec());
    let found = sqlx::query!(
        r#"SELECT EXISTS (SELECT 1 FROM member a JOIN member b ON b.program = a.program
                                                              AND b.household_id = a.household_id
                          WHERE a.program = $1 AND a.member_id = $2 AND b.member_id = $3) AS "same_household!",
                  EXISTS (SELECT 1 FROM referral_device d
                          WHERE d.program = $1 AND d.device_hash = $4 AND d.member_id <> $2
                            AND (d.member_id = $3 OR EXISTS (
                                 SELECT 1 FROM referral r
                                 WHERE r.program = $1 AND r.member_id = d.member_id
                                   AND r.referrer_member_id = $3))) AS "same_device!",
                  EXISTS (SELECT 1 FROM member_trait own JOIN member_trait t
                                 ON t.program = own.program AND t.value_hash = own.value_hash
                          WHERE own.program = $1 AND own.member_id = $2 AND t.member_id = $3) AS "same_person!",
                  EXISTS (SELECT 1 FROM identifier i JOIN former_identifier f
                                 ON f.program = i.program AND f.value_hash = i.value_hash
                          WHERE i.program = $1 AND i.member_id = $2 AND f.member_id = $3) AS "same_identifier!""#,
        program_id.as_uuid(),
        newcomer.member_id.as_uuid(),
        referrer_member_id.as_uuid(),
        device,
    )
    .fetch_one(tx)
    .await?;
    let checks = [
        (newcomer.member_id == referrer_member_id, Check::Itself),
        (found.same_household, Check::SameHousehold),
        (found.same_device, Check::SameDevice),
        (found.same_person, Check::SamePerson),
        (found.same_identifier, Check::SameIdentifier),
    ];
    let speaking = checks.into_iter().filter(|(speaks, _)| *speaks);
    Ok(speaking.map(|(_, check)| check).collect())
}

/// Whether somebody was brought by a member, directly or through others.
pub(in crate::referrals) async fn find_loop_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    referrer_member_id: MemberId,
) -> Result<bool, StorageError> {
    let is_loop = sqlx::query_scalar!(
        r#"WITH RECURSIVE chain (member_id, depth) AS (
               SELECT r.referrer_member_id, 1 FROM referral r WHERE r.program = $1 AND r.member_id = $3
               UNION ALL
               SELECT r.referrer_member_id, c.depth + 1 FROM chain c
               JOIN referral r ON r.program = $1 AND r.member_id = c.member_id WHERE c.depth < $4)
           SELECT EXISTS (SELECT 1 FROM chain WHERE member_id = $2 OR depth >= $4) AS "is_loop!""#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        referrer_member_id.as_uuid(),
        CHAIN_MAX,
    )
    .fetch_one(tx)
    .await?;
    Ok(is_loop)
}

/// Remembers that a device was seen with a member.
pub(in crate::referrals) async fn note_device_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (device, member_id): (LookupHash, MemberId),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO referral_device (program, device_hash, member_id, see_time) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (program, device_hash, member_id) DO UPDATE SET see_time = EXCLUDED.see_time",
        program_id.as_uuid(),
        device.as_bytes().as_slice(),
        member_id.as_uuid(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}
