//! Staff in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, StaffId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{StaffExternalId, StaffMember};
use crate::display_name::DisplayName;

/// The constraint that keeps a program's numbers for its people apart.
pub(super) const EXTERNAL_ID_CONSTRAINT: &str = "staff_external_id";

struct StaffRow {
    staff_id: StaffId,
    display_name: String,
    external_id: Option<String>,
    active: bool,
    revision: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

impl TryFrom<StaffRow> for StaffMember {
    type Error = StorageError;

    fn try_from(row: StaffRow) -> Result<Self, StorageError> {
        Ok(Self {
            staff_id: row.staff_id,
            display_name: DisplayName::try_new(&row.display_name)
                .map_err(|error| StorageError::corrupt("staff.display_name", error))?,
            external_id: row
                .external_id
                .as_deref()
                .map(StaffExternalId::try_new)
                .transpose()
                .map_err(|error| StorageError::corrupt("staff.external_id", error))?,
            active: row.active,
            revision: Version::try_new(row.revision)
                .map_err(|error| StorageError::corrupt("staff.revision", error))?,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &StaffMember,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO staff \
         (program, staff_id, display_name, external_id, active, revision, create_time, update_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        program_id.as_uuid(),
        member.staff_id.as_uuid(),
        member.display_name.as_str(),
        member.external_id.as_ref().map(StaffExternalId::as_str),
        member.active,
        member.revision.get(),
        member.create_time,
        member.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn update_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &StaffMember,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE staff SET display_name = $3, external_id = $4, active = $5, revision = $6, update_time = $7 \
         WHERE program = $1 AND staff_id = $2",
        program_id.as_uuid(),
        member.staff_id.as_uuid(),
        member.display_name.as_str(),
        member.external_id.as_ref().map(StaffExternalId::as_str),
        member.active,
        member.revision.get(),
        member.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The staff member, wherever another room asks for one.
pub(crate) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    staff_id: StaffId,
) -> Result<Option<StaffMember>, StorageError> {
    sqlx::query_as!(
        StaffRow,
        r#"SELECT staff_id AS "staff_id: StaffId", display_name, external_id, active, revision,
                  create_time, update_time
           FROM staff WHERE program = $1 AND staff_id = $2"#,
        program_id.as_uuid(),
        staff_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(StaffMember::try_from)
    .transpose()
}

/// Keeps everybody else from changing them until the end of the transaction.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    staff_id: StaffId,
) -> Result<Option<StaffMember>, StorageError> {
    sqlx::query_as!(
        StaffRow,
        r#"SELECT staff_id AS "staff_id: StaffId", display_name, external_id, active, revision,
                  create_time, update_time
           FROM staff WHERE program = $1 AND staff_id = $2 FOR NO KEY UPDATE"#,
        program_id.as_uuid(),
        staff_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(StaffMember::try_from)
    .transpose()
}

/// Who bears that number of the program.
pub(super) async fn find_by_external_id_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    external_id: &StaffExternalId,
) -> Result<Option<StaffId>, StorageError> {
    let staff_id = sqlx::query_scalar!(
        r#"SELECT staff_id AS "staff_id: StaffId" FROM staff WHERE program = $1 AND external_id = $2"#,
        program_id.as_uuid(),
        external_id.as_str(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(staff_id)
}

/// The staff after one of them, oldest first.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<StaffId>,
    count_max: i64,
) -> Result<Vec<StaffMember>, StorageError> {
    sqlx::query_as!(
        StaffRow,
        r#"SELECT staff_id AS "staff_id: StaffId", display_name, external_id, active, revision,
                  create_time, update_time
           FROM staff WHERE program = $1 AND staff_id > $2 ORDER BY staff_id LIMIT $3"#,
        program_id.as_uuid(),
        // Nil lies before every id.
        after.map_or(Uuid::nil(), |staff_id| staff_id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(StaffMember::try_from)
    .collect()
}
