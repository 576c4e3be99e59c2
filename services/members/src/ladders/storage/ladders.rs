//! Ladders and their versions.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::ProgramId;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::definition::StoredDefinition;
use crate::ladders::domain::{Ladder, LadderCode};

/// A ladder with its versions.
#[derive(Debug, Clone)]
pub(in crate::ladders) struct Head {
    pub(in crate::ladders) ladder_code: LadderCode,
    pub(in crate::ladders) revision: i64,
    pub(in crate::ladders) retire_time: Option<DateTime<Utc>>,
    /// Oldest first.
    pub(in crate::ladders) versions: Vec<Ladder>,
}

/// A version as the tables have it.
struct VersionRow {
    ladder_code: String,
    version: i64,
    definition: Json<StoredDefinition>,
    start_day: NaiveDate,
    create_time: DateTime<Utc>,
    retire_time: Option<DateTime<Utc>>,
}

impl TryFrom<VersionRow> for Ladder {
    type Error = StorageError;

    fn try_from(row: VersionRow) -> Result<Self, StorageError> {
        Ok(Self {
            definition: row
                .definition
                .0
                .into_definition(parse_ladder_code(&row.ladder_code)?)?,
            version: row.version,
            start_day: row.start_day,
            create_time: row.create_time,
            retire_time: row.retire_time,
        })
    }
}

pub(super) fn parse_ladder_code(text: &str) -> Result<LadderCode, StorageError> {
    text.parse()
        .map_err(|error| StorageError::corrupt("ladder_code", error))
}

/// Keeps everybody else from publishing ladders of the program until the end of the transaction, and says by which clock
/// its days go.
pub(in crate::ladders) async fn lock_program_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Tz, StorageError> {
    let zone = sqlx::query_scalar!(
        "SELECT time_zone FROM program WHERE program = $1 FOR NO KEY UPDATE",
        program_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    parse_zone(&zone)
}

pub(super) fn parse_zone(text: &str) -> Result<Tz, StorageError> {
    text.parse()
        .map_err(|error| StorageError::corrupt("program.time_zone", error))
}

/// All ladders of a program with all their versions, by their codes.
pub(in crate::ladders) async fn load_heads_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Vec<Head>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT l.ladder_code, l.revision, l.retire_time, v.version, v.start_day, v.create_time,
                  v.definition AS "definition: Json<StoredDefinition>"
           FROM ladder l JOIN ladder_version v ON v.program = l.program AND v.ladder_code = l.ladder_code
           WHERE l.program = $1 ORDER BY l.ladder_code, v.version"#,
        program_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    let mut heads: Vec<Head> = Vec::new();
    for row in rows {
        let (revision, retire_time) = (row.revision, row.retire_time);
        let version = Ladder::try_from(VersionRow {
            ladder_code: row.ladder_code,
            version: row.version,
            definition: row.definition,
            start_day: row.start_day,
            create_time: row.create_time,
            retire_time,
        })?;
        match heads.last_mut() {
            Some(head) if head.ladder_code == version.definition.ladder_code => head.versions.push(version),
            _ => heads.push(Head {
                ladder_code: version.definition.ladder_code.clone(),
                revision,
                retire_time,
                versions: vec![version],
            }),
        }
    }
    Ok(heads)
}

/// A version of a ladder; the newest where none is named.
pub(in crate::ladders) async fn find_version_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    ladder_code: &LadderCode,
    version: Option<i64>,
) -> Result<Option<Ladder>, StorageError> {
    let row = sqlx::query_as!(
        VersionRow,
        r#"SELECT l.ladder_code, l.retire_time, v.version, v.start_day, v.create_time,
                  v.definition AS "definition: Json<StoredDefinition>"
           FROM ladder l JOIN ladder_version v ON v.program = l.program AND v.ladder_code = l.ladder_code
           WHERE l.program = $1 AND l.ladder_code = $2 AND v.version = coalesce($3, l.version)"#,
        program_id.as_uuid(),
        ladder_code.as_str(),
        version,
    )
    .fetch_optional(tx)
    .await?;
    row.map(Ladder::try_from).transpose()
}

/// The version that a request published.
pub(in crate::ladders) async fn find_published_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    publication_id: Uuid,
) -> Result<Option<Ladder>, StorageError> {
    let row = sqlx::query_as!(
        VersionRow,
        r#"SELECT l.ladder_code, l.retire_time, v.version, v.start_day, v.create_time,
                  v.definition AS "definition: Json<StoredDefinition>"
           FROM ladder l JOIN ladder_version v ON v.program = l.program AND v.ladder_code = l.ladder_code
           WHERE v.program = $1 AND v.publication_id = $2"#,
        program_id.as_uuid(),
        publication_id,
    )
    .fetch_optional(tx)
    .await?;
    row.map(Ladder::try_from).transpose()
}

/// The newest versions of ladders after one of them, by their codes.
pub(in crate::ladders) async fn list_newest_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<&str>,
    count_max: i64,
) -> Result<Vec<Ladder>, StorageError> {
    let rows = sqlx::query_as!(
        VersionRow,
        r#"SELECT l.ladder_code, l.retire_time, v.version, v.start_day, v.create_time,
                  v.definition AS "definition: Json<StoredDefinition>"
           FROM ladder l
           JOIN ladder_version v
             ON v.program = l.program AND v.ladder_code = l.ladder_code AND v.version = l.version
           WHERE l.program = $1 AND ($2::text IS NULL OR l.ladder_code > $2)
           ORDER BY l.ladder_code LIMIT $3"#,
        program_id.as_uuid(),
        after,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Ladder::try_from).collect()
}

/// Puts a version into force.
pub(in crate::ladders) async fn insert_version_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    ladder: &Ladder,
    (publication_id, actor): (Uuid, &str),
) -> Result<(), StorageError> {
    let code = ladder.definition.ladder_code.as_str();
    sqlx::query!(
        "INSERT INTO ladder (program, ladder_code, version, revision, create_time) VALUES ($1, $2, $3, 1, $4) \
         ON CONFLICT (program, ladder_code) DO UPDATE \
         SET version = EXCLUDED.version, revision = ladder.revision + 1, sweep_after_member_id = NULL",
        program_id.as_uuid(),
        code,
        ladder.version,
        ladder.create_time,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ladder_version (program, ladder_code, version, definition, start_day, actor, create_time, \
                                     publication_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        program_id.as_uuid(),
        code,
        ladder.version,
        Json(StoredDefinition::of(&ladder.definition)) as _,
        ladder.start_day,
        actor,
        ladder.create_time,
        publication_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a ladder. One that has ended stays as it is.
pub(in crate::ladders) async fn retire_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    ladder_code: &LadderCode,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE ladder SET retire_time = $3, revision = revision + 1, sweep_after_member_id = NULL \
         WHERE program = $1 AND ladder_code = $2 AND retire_time IS NULL",
        program_id.as_uuid(),
        ladder_code.as_str(),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts up the revisions of a program's ladders: rows of older ones are not believed.
pub(in crate::ladders) async fn distrust_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE ladder SET revision = revision + 1, sweep_after_member_id = NULL \
         WHERE program = $1 AND retire_time IS NULL",
        program_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
