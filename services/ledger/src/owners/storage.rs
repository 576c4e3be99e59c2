//! Owners in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, Version};
use sqlx::PgConnection;

use super::domain::{Owner, OwnerKind};

/// Writes a new owner. False when the program has one of that id.
pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner: &Owner,
) -> Result<bool, StorageError> {
    let inserted = sqlx::query!(
        "INSERT INTO owner AS o (program, owner_id, kind, version, last_time, create_time) \
         SELECT p.program, $2, $3, $4, $5, $5 FROM program AS p WHERE p.program = $1 \
         ON CONFLICT (program, owner_id) DO NOTHING",
        program.as_uuid(),
        owner.owner_id.as_uuid(),
        owner.kind.as_str(),
        owner.version.get(),
        owner.create_time,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Option<Owner>, StorageError> {
    sqlx::query_as!(
        OwnerRow,
        r#"SELECT owner_id AS "owner_id: OwnerId", kind, version AS "version: Version", create_time
           FROM owner WHERE program = $1 AND owner_id = $2"#,
        program.as_uuid(),
        owner_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Owner::try_from)
    .transpose()
}

struct OwnerRow {
    owner_id: OwnerId,
    kind: String,
    version: Version,
    create_time: DateTime<Utc>,
}

impl TryFrom<OwnerRow> for Owner {
    type Error = StorageError;

    fn try_from(row: OwnerRow) -> Result<Self, StorageError> {
        Ok(Self {
            owner_id: row.owner_id,
            kind: row
                .kind
                .parse::<OwnerKind>()
                .map_err(|error| StorageError::corrupt("owner.kind", error))?,
            version: row.version,
            create_time: row.create_time,
        })
    }
}
