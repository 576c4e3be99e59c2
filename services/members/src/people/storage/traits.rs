//! What records have in common, in the database: keyed hashes.

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::LookupHash;
use sqlx::PgConnection;

use crate::people::domain::Trait;

/// A trait of a member, as it lies in the order of the hashes.
pub(in crate::people) type TraitRow = (LookupHash, Trait, MemberId);

/// Writes what a member has now, in the place of what they had.
pub(in crate::people) async fn replace_traits_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    traits: &[(Trait, LookupHash)],
) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM member_trait WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .execute(&mut *tx)
    .await?;
    if traits.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = traits.iter().map(|(kind, _)| kind.as_str().to_owned()).collect();
    let hashes: Vec<Vec<u8>> = traits.iter().map(|(_, hash)| hash.as_bytes().to_vec()).collect();
    sqlx::query!(
        "INSERT INTO member_trait (program, member_id, trait, value_hash) \
         SELECT p.program, $2, u.trait, u.value_hash \
         FROM program p, unnest($3::text[], $4::bytea[]) AS u (trait, value_hash) WHERE p.program = $1",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &kinds,
        &hashes,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes members for whom traits were never written, in no order, and says that they are. Others take different ones. Across
/// programs: needs the jobs' role.
///
/// What is locked is materialised: a subselect that locks could be run again, and would then take more than it may.
pub(in crate::people) async fn claim_without_traits_in_tx(
    tx: &mut PgConnection,
    count_max: i64,
) -> Result<Vec<(ProgramId, MemberId)>, StorageError> {
    let rows = sqlx::query!(
        r#"WITH missing AS MATERIALIZED (
               SELECT program, member_id FROM member WHERE NOT traits_noted
               ORDER BY program, member_id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)
           UPDATE member SET traits_noted = true
           WHERE (program, member_id) IN (SELECT program, member_id FROM missing)
           RETURNING program AS "program: ProgramId", member_id AS "member_id: MemberId""#,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.program, row.member_id)).collect())
}

/// The traits of those who are members still, after a hash, in the order of the hashes. Of one member's traits alone where
/// `like` is given.
pub(in crate::people) async fn list_traits_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    like: Option<MemberId>,
    after: Option<LookupHash>,
    count_max: i64,
) -> Result<Vec<TraitRow>, StorageError> {
    let after = after.map_or_else(Vec::new, |hash| hash.as_bytes().to_vec());
    let rows = match like {
        None => {
            sqlx::query_as!(
                Row,
                r#"SELECT t.value_hash, t.trait AS kind, t.member_id AS "member_id: MemberId"
                   FROM member_trait t JOIN member m ON m.program = t.program AND m.member_id = t.member_id
                   WHERE t.program = $1 AND t.value_hash > $2 AND m.ledger_confirmed
                     AND m.status NOT IN ('CLOSED', 'MERGED')
                   ORDER BY t.value_hash, t.member_id LIMIT $3"#,
                program_id.as_uuid(),
                after,
                count_max,
            )
            .fetch_all(tx)
            .await?
        }
        Some(member_id) => {
            sqlx::query_as!(
                Row,
                r#"SELECT t.value_hash, t.trait AS kind, t.member_id AS "member_id: MemberId"
                   FROM member_trait own
                   JOIN member_trait t ON t.program = own.program AND t.value_hash = own.value_hash
                   JOIN member m ON m.program = t.program AND m.member_id = t.member_id
                   WHERE own.program = $1 AND own.member_id = $4 AND t.value_hash > $2 AND m.ledger_confirmed
                     AND m.status NOT IN ('CLOSED', 'MERGED')
                   ORDER BY t.value_hash, t.member_id LIMIT $3"#,
                program_id.as_uuid(),
                after,
                count_max,
                member_id.as_uuid(),
            )
            .fetch_all(tx)
            .await?
        }
    };
    rows.into_iter().map(Row::open).collect()
}

struct Row {
    value_hash: Vec<u8>,
    kind: String,
    member_id: MemberId,
}

impl Row {
    fn open(self) -> Result<TraitRow, StorageError> {
        let hash = LookupHash::from_stored(&self.value_hash)
            .ok_or_else(|| StorageError::corrupt("member_trait.value_hash", "not of 32 bytes"))?;
        let kind = Trait::from_column(&self.kind)
            .ok_or_else(|| StorageError::corrupt("member_trait.trait", &self.kind))?;
        Ok((hash, kind, self.member_id))
    }
}
