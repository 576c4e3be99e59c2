//! Reads of personal data in the database: written once, never changed.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Noted, PersonalRead};

/// Whose reads are listed.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub member_id: Option<MemberId>,
    pub actor: Option<String>,
}

pub(super) async fn insert_in_tx(tx: &mut PgConnection, rows: &[&Noted]) -> Result<(), StorageError> {
    let programs: Vec<Uuid> = rows.iter().map(|row| row.program_id.as_uuid()).collect();
    let read_ids: Vec<Uuid> = rows.iter().map(|row| row.read_id).collect();
    let actors: Vec<&str> = rows.iter().map(|row| row.actor.as_str()).collect();
    let times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.read_time).collect();
    let members: Vec<Uuid> = rows.iter().map(|row| row.read.member_id.as_uuid()).collect();
    let fields: Vec<String> = rows.iter().map(|row| row.read.fields.join(",")).collect();
    let methods: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    sqlx::query(
        "INSERT INTO personal_read (program, read_id, actor, read_time, member_id, fields, method) \
         SELECT u.program, u.read_id, u.actor, u.read_time, u.member_id, string_to_array(u.fields, ','), u.method \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[]) \
              AS u (program, read_id, actor, read_time, member_id, fields, method)",
    )
    .bind(programs)
    .bind(read_ids)
    .bind(actors)
    .bind(times)
    .bind(members)
    .bind(fields)
    .bind(methods)
    .execute(tx)
    .await?;
    Ok(())
}

/// Newest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    filter: &Filter,
    before: Option<Uuid>,
    count_max: i64,
) -> Result<Vec<Noted>, StorageError> {
    let rows = sqlx::query(
        "SELECT read_id, actor, read_time, member_id, fields, method FROM personal_read \
         WHERE program = $1 AND ($2::uuid IS NULL OR member_id = $2) AND ($3::text IS NULL OR actor = $3) \
           AND read_id < $4 \
         ORDER BY read_id DESC LIMIT $5",
    )
    .bind(program_id.as_uuid())
    .bind(filter.member_id.map(|member_id| member_id.as_uuid()))
    .bind(filter.actor.as_deref())
    .bind(before.unwrap_or_else(Uuid::max))
    .bind(count_max)
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let member_id: Uuid = row.try_get("member_id")?;
            Ok(Noted {
                read_id: row.try_get("read_id")?,
                program_id,
                actor: row.try_get("actor")?,
                read_time: row.try_get("read_time")?,
                read: PersonalRead {
                    member_id: MemberId::try_from(member_id)
                        .map_err(|error| StorageError::corrupt("personal_read.member_id", error))?,
                    fields: row.try_get("fields")?,
                },
                method: row.try_get("method")?,
            })
        })
        .collect()
}
