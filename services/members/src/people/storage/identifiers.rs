//! Identifiers in the database: found by keyed hash, shown from ciphertext.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{IdentifierId, MemberId, ProgramId};
use fealty_vault::LookupHash;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cards::domain::CardState;
use crate::cards::storage::parse_state;
use crate::people::domain::{IdentifierKind, Verification};
use crate::people::seal::SealedIdentifier;

/// Broken when a value belongs to somebody already.
pub(in crate::people) const VALUE_CONSTRAINT: &str = "identifier_value";

/// Stores identifiers of a member.
pub(in crate::people) async fn insert_identifiers_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    identifiers: &[SealedIdentifier],
) -> Result<(), StorageError> {
    if identifiers.is_empty() {
        return Ok(());
    }
    // In the order of the index, so that two members who claim the same values wait for each other, and do not lock
    // each other out.
    let mut sorted: Vec<&SealedIdentifier> = identifiers.iter().collect();
    sorted.sort_by_key(|identifier| identifier.value_hash);
    let ids: Vec<Uuid> = sorted.iter().map(|one| one.identifier_id.as_uuid()).collect();
    let kinds: Vec<String> = sorted.iter().map(|one| one.kind.as_str().to_owned()).collect();
    let hashes: Vec<Vec<u8>> = sorted
        .iter()
        .map(|one| one.value_hash.as_bytes().to_vec())
        .collect();
    let values: Vec<Vec<u8>> = sorted.iter().map(|one| one.value.clone()).collect();
    let create_times: Vec<DateTime<Utc>> = sorted.iter().map(|one| one.create_time).collect();
    let verify_times: Vec<Option<DateTime<Utc>>> = sorted
        .iter()
        .map(|one| {
            one.verification
                .as_ref()
                .map(|verification| verification.verify_time)
        })
        .collect();
    let verified_by: Vec<Option<String>> = sorted
        .iter()
        .map(|one| {
            one.verification
                .as_ref()
                .map(|verification| verification.verified_by.clone())
        })
        .collect();
    sqlx::query!(
        "INSERT INTO identifier \
         (program, identifier_id, member_id, kind, value_hash, value, create_time, verify_time, verified_by) \
         SELECT p.program, u.identifier_id, $2, u.kind, u.value_hash, u.value, u.create_time, u.verify_time, \
                u.verified_by \
         FROM program p, \
              unnest($3::uuid[], $4::text[], $5::bytea[], $6::bytea[], $7::timestamptz[], $8::timestamptz[], \
                     $9::text[]) \
              AS u (identifier_id, kind, value_hash, value, create_time, verify_time, verified_by) \
         WHERE p.program = $1 ORDER BY u.value_hash",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &ids,
        &kinds,
        &hashes,
        &values,
        &create_times,
        &verify_times as &[Option<DateTime<Utc>>],
        &verified_by as &[Option<String>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes identifiers away from a member.
pub(in crate::people) async fn delete_identifiers_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    identifier_ids: &[IdentifierId],
) -> Result<(), StorageError> {
    let identifier_ids: Vec<Uuid> = identifier_ids.iter().map(IdentifierId::as_uuid).collect();
    // What was theirs is known to have been, by its keyed hash: who comes with it next is looked at.
    sqlx::query!(
        "WITH gone AS (DELETE FROM identifier WHERE program = $1 AND member_id = $2 AND identifier_id = ANY($3) \
                       RETURNING program, value_hash, member_id) \
         INSERT INTO former_identifier (program, value_hash, member_id) \
         SELECT program, value_hash, member_id FROM gone ON CONFLICT DO NOTHING",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &identifier_ids,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Who bears a value.
#[derive(Debug, Clone, Copy)]
pub(in crate::people) struct Bearer {
    /// The member who has everything now, where it is a merged one's.
    pub member_id: MemberId,
    /// The identifier that says so.
    pub identifier_id: IdentifierId,
    /// What has become of it, if it is a card.
    pub card: Option<CardState>,
}

/// Who bears a value.
pub(in crate::people) async fn find_bearer_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    value_hash: LookupHash,
) -> Result<Option<Bearer>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT coalesce(m.merged_into_member_id, m.member_id) AS "member_id!: MemberId",
                  i.identifier_id AS "identifier_id: IdentifierId", c.status AS "card_status?", c.end_reason,
                  c.replaced_by_identifier_id AS "replaced_by?: IdentifierId"
           FROM identifier i
           JOIN member m ON m.program = i.program AND m.member_id = i.member_id
           LEFT JOIN card c ON c.program = i.program AND c.value_hash = i.value_hash
           WHERE i.program = $1 AND i.value_hash = $2"#,
        program_id.as_uuid(),
        value_hash.as_bytes().as_slice(),
    )
    .fetch_optional(tx)
    .await?;
    row.map(|row| {
        let state = |status: String| parse_state(&status, row.end_reason.as_deref(), row.replaced_by);
        Ok(Bearer {
            member_id: row.member_id,
            identifier_id: row.identifier_id,
            card: row.card_status.map(state).transpose()?,
        })
    })
    .transpose()
}

/// The first of these values that belongs to somebody: its place among them, and the identifier that has it.
pub(in crate::people) async fn find_taken_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    value_hashes: &[LookupHash],
) -> Result<Option<(usize, IdentifierId)>, StorageError> {
    let hashes: Vec<Vec<u8>> = value_hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
    let taken = sqlx::query!(
        r#"SELECT value_hash, identifier_id AS "identifier_id: IdentifierId"
           FROM identifier WHERE program = $1 AND value_hash = ANY($2)"#,
        program_id.as_uuid(),
        &hashes,
    )
    .fetch_all(tx)
    .await?;
    let place_of = |stored: &[u8]| hashes.iter().position(|hash| hash == stored);
    Ok(taken
        .into_iter()
        .filter_map(|row| Some((place_of(&row.value_hash)?, row.identifier_id)))
        .min())
}

/// The identifiers of members, each member's oldest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
) -> Result<Vec<(MemberId, SealedIdentifier)>, StorageError> {
    sqlx::query_as!(
        IdentifierRow,
        r#"SELECT i.member_id AS "member_id: MemberId", i.identifier_id AS "identifier_id: IdentifierId", i.kind,
                  i.value_hash, i.value, i.create_time, i.verify_time, i.verified_by,
                  c.status AS "card_status?", c.end_reason,
                  c.replaced_by_identifier_id AS "replaced_by?: IdentifierId"
           FROM identifier i
           LEFT JOIN card c ON c.program = i.program AND c.value_hash = i.value_hash AND i.kind = 'CARD_NUMBER'
           WHERE i.program = $1 AND i.member_id = ANY($2) ORDER BY i.create_time, i.identifier_id"#,
        program_id.as_uuid(),
        member_ids,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(IdentifierRow::open)
    .collect()
}

struct IdentifierRow {
    member_id: MemberId,
    identifier_id: IdentifierId,
    kind: String,
    value_hash: Vec<u8>,
    value: Vec<u8>,
    create_time: DateTime<Utc>,
    verify_time: Option<DateTime<Utc>>,
    verified_by: Option<String>,
    card_status: Option<String>,
    end_reason: Option<String>,
    replaced_by: Option<IdentifierId>,
}

impl IdentifierRow {
    fn open(self) -> Result<(MemberId, SealedIdentifier), StorageError> {
        let identifier = SealedIdentifier {
            identifier_id: self.identifier_id,
            kind: IdentifierKind::from_column(&self.kind)
                .ok_or_else(|| StorageError::corrupt("identifier.kind", &self.kind))?,
            value_hash: LookupHash::from_stored(&self.value_hash)
                .ok_or_else(|| StorageError::corrupt("identifier.value_hash", "not of 32 bytes"))?,
            value: self.value,
            create_time: self.create_time,
            verification: self
                .verify_time
                .zip(self.verified_by)
                .map(|(verify_time, verified_by)| Verification {
                    verify_time,
                    verified_by,
                }),
            card: self
                .card_status
                .map(|status| parse_state(&status, self.end_reason.as_deref(), self.replaced_by))
                .transpose()?,
        };
        Ok((self.member_id, identifier))
    }
}
