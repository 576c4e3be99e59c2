//! The tables of a service that name people: one list says what of each is told in an export, and what becomes of it when
//! a person is erased.
//!
//! The statements are made from the list's own constants, not written out for each table: what is new in a table is then
//! told and erased like the rest, and a test over `information_schema` ([`unlisted`]) finds a table that nobody thought of.

mod export;
pub mod grpc;

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

pub use export::{Cursor, Record, export_in_tx};

/// A table that names people.
#[derive(Debug, Clone, Copy)]
pub struct PersonalTable {
    /// Its name, and what its rows are called in an export.
    pub name: &'static str,
    /// The column that says whose row it is.
    pub member: &'static str,
    /// An expression that tells a person's rows apart and orders them.
    pub key: &'static str,
    /// The SQL type of that expression, where it is not text.
    pub key_type: &'static str,
    /// What is encrypted under the person's key.
    pub sealed: &'static [Sealed],
    /// Columns that are nobody's to see: keys, keyed hashes, secrets.
    pub hidden: &'static [&'static str],
    /// Whether its rows are told in an export.
    pub exported: bool,
    /// What becomes of it when the person is erased.
    pub at_erasure: AtErasure,
}

/// A column that is encrypted under the person's key.
#[derive(Debug, Clone, Copy)]
pub struct Sealed {
    /// Which.
    pub column: &'static str,
    /// What it is bound to: a text with the row's own columns in braces.
    pub field: &'static str,
    /// Of an array: the column whose texts stand in the place of `{}`, one for each.
    pub names: Option<&'static str>,
}

/// What becomes of a person's rows.
#[derive(Debug, Clone, Copy)]
pub enum AtErasure {
    /// They go.
    Delete,
    /// These columns are set so.
    Blank(&'static str),
    /// They stay, and say nothing of who it was.
    Keep(&'static str),
}

impl PersonalTable {
    /// A table with a `member_id`, whose rows are told as they are, and stay.
    #[must_use]
    pub const fn of(name: &'static str, key: &'static str) -> Self {
        Self {
            name,
            member: "member_id",
            key,
            key_type: "text",
            sealed: &[],
            hidden: &[],
            exported: true,
            at_erasure: AtErasure::Keep("names nobody by itself"),
        }
    }
}

/// Erases what the tables say of a person, by all their records.
pub async fn erase_in_tx(
    tx: &mut PgConnection,
    tables: &[PersonalTable],
    program_id: ProgramId,
    member_ids: &[MemberId],
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
    for table in tables {
        let (name, member) = (table.name, table.member);
        let whose = format!("program = $1 AND {member} = ANY($2)");
        let statement = match table.at_erasure {
            AtErasure::Delete => format!("DELETE FROM {name} WHERE {whose}"),
            AtErasure::Blank(set) => format!("UPDATE {name} SET {set} WHERE {whose}"),
            AtErasure::Keep(_) => continue,
        };
        sqlx::query(AssertSqlSafe(statement))
            .bind(program_id.as_uuid())
            .bind(&member_ids)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Tables of the database that have a column named like one of these and are not on the list: somebody has to decide
/// about them.
pub async fn unlisted(
    tx: &mut PgConnection,
    tables: &[PersonalTable],
    columns: &[&str],
) -> Result<Vec<String>, StorageError> {
    let named: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT c.table_name::text FROM information_schema.columns AS c \
         JOIN information_schema.tables AS t USING (table_schema, table_name) \
         WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.column_name = ANY($1) ORDER BY 1",
    )
    .bind(columns)
    .fetch_all(tx)
    .await?;
    let is_listed = |name: &String| tables.iter().any(|table| table.name == name);
    Ok(named.into_iter().filter(|name| !is_listed(name)).collect())
}
