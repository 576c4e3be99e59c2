//! Companies in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::ProgramId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::consents::domain::{Company, CompanyCode};
use crate::display_name::DisplayName;

struct CompanyRow {
    company_code: String,
    company_id: Uuid,
    display_name: String,
    create_time: DateTime<Utc>,
}

impl TryFrom<CompanyRow> for Company {
    type Error = StorageError;

    fn try_from(row: CompanyRow) -> Result<Self, StorageError> {
        let code = row.company_code.parse();
        Ok(Self {
            company_code: code.map_err(|error| StorageError::corrupt("company.company_code", error))?,
            company_id: row.company_id,
            display_name: DisplayName::try_new(&row.display_name)
                .map_err(|error| StorageError::corrupt("company.display_name", error))?,
            create_time: row.create_time,
        })
    }
}

/// How many companies there are.
pub(in crate::consents) async fn count_companies_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<usize, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM company WHERE program = $1"#,
        program_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Names a company whose code nobody has.
pub(in crate::consents) async fn insert_company_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    company: &Company,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO company (program, company_code, company_id, display_name, create_time) \
         VALUES ($1, $2, $3, $4, $5)",
        program_id.as_uuid(),
        company.company_code.as_str(),
        company.company_id,
        company.display_name.as_str(),
        company.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A company by its code.
pub(in crate::consents) async fn find_company_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    company_code: &CompanyCode,
) -> Result<Option<Company>, StorageError> {
    sqlx::query_as!(
        CompanyRow,
        "SELECT company_code, company_id, display_name, create_time FROM company \
         WHERE program = $1 AND company_code = $2",
        program_id.as_uuid(),
        company_code.as_str(),
    )
    .fetch_optional(tx)
    .await?
    .map(Company::try_from)
    .transpose()
}

/// A company by its id.
pub(in crate::consents) async fn find_company_by_id_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    company_id: Uuid,
) -> Result<Option<Company>, StorageError> {
    sqlx::query_as!(
        CompanyRow,
        "SELECT company_code, company_id, display_name, create_time FROM company \
         WHERE program = $1 AND company_id = $2",
        program_id.as_uuid(),
        company_id,
    )
    .fetch_optional(tx)
    .await?
    .map(Company::try_from)
    .transpose()
}

/// The companies after one, by their codes.
pub(in crate::consents) async fn list_companies_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<&str>,
    count_max: i64,
) -> Result<Vec<Company>, StorageError> {
    sqlx::query_as!(
        CompanyRow,
        "SELECT company_code, company_id, display_name, create_time FROM company \
         WHERE program = $1 AND company_code > $2 ORDER BY company_code LIMIT $3",
        program_id.as_uuid(),
        // Nothing lies before the empty text.
        after.unwrap_or_default(),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Company::try_from)
    .collect()
}
