//! A person's rows, page by page, as JSON objects with everything opened.

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::DataKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{PersonalTable, Sealed};

/// No bytes, as Postgres shows them in JSON.
const NO_BYTES: &str = "\\x";

/// Where a page begins: after that row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The table.
    pub kind: String,
    /// The row's key; None for the table's beginning.
    pub key: Option<String>,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its table.
    pub kind: &'static str,
    /// Its key, as the cursor has it.
    pub key: String,
    /// It.
    pub content: Map<String, Value>,
}

/// At most so many of a person's rows, from the cursor on. Without a key, as for those who wrote nothing, what is sealed
/// is left out.
pub async fn export_in_tx(
    tx: &mut PgConnection,
    tables: &[PersonalTable],
    (program_id, member_id): (ProgramId, MemberId),
    key: Option<&DataKey>,
    (after, count_max): (Option<&Cursor>, i64),
) -> Result<Vec<Record>, StorageError> {
    let begin = after.map_or(0, |after| place_of(tables, &after.kind));
    let mut records = Vec::new();
    for table in tables.iter().skip(begin).filter(|table| table.exported) {
        let left = count_max - i64::try_from(records.len()).unwrap_or(i64::MAX);
        if left <= 0 {
            break;
        }
        let after_key = after.filter(|after| after.kind == table.name);
        let after_key = after_key.and_then(|after| after.key.clone());
        let rows = sqlx::query(AssertSqlSafe(statement_of(table)))
            .bind(program_id.as_uuid())
            .bind(member_id.as_uuid())
            .bind(after_key)
            .bind(left)
            .fetch_all(&mut *tx)
            .await?;
        for row in rows {
            let content: String = row.try_get("content")?;
            records.push(Record {
                kind: table.name,
                key: row.try_get("key")?,
                content: opened(table, key, &content)?,
            });
        }
    }
    Ok(records)
}

/// A table that is not there any more was the last one.
fn place_of(tables: &[PersonalTable], kind: &str) -> usize {
    let place = tables.iter().position(|table| table.name == kind);
    place.unwrap_or(tables.len())
}

fn statement_of(table: &PersonalTable) -> String {
    let (name, member, key, key_type) = (table.name, table.member, table.key, table.key_type);
    let order = if key_type == "text" {
        format!("({key}) COLLATE \"C\"")
    } else {
        format!("({key})")
    };
    format!(
        "SELECT to_jsonb(t)::text AS content, ({key})::text AS key FROM {name} AS t \
         WHERE program = $1 AND {member} = $2 AND ($3::text IS NULL OR {order} > $3::text::{key_type}) \
         ORDER BY {order} LIMIT $4"
    )
}

fn opened(
    table: &PersonalTable,
    key: Option<&DataKey>,
    content: &str,
) -> Result<Map<String, Value>, StorageError> {
    let row: Map<String, Value> =
        serde_json::from_str(content).map_err(|error| StorageError::corrupt(table.name, error))?;
    let mut told = row.clone();
    for hidden in table.hidden {
        told.remove(*hidden);
    }
    for sealed in table.sealed {
        let value = row.get(sealed.column).unwrap_or(&Value::Null);
        let open = match (value, key) {
            (Value::Null, _) | (_, None) => Value::Null,
            // Erased, in a column that is never null.
            (Value::String(bytes), _) if bytes == NO_BYTES => Value::Null,
            (value, Some(key)) => open_value(sealed, &row, key, value)?,
        };
        told.insert(sealed.column.to_owned(), open);
    }
    Ok(told)
}

fn open_value(
    sealed: &Sealed,
    row: &Map<String, Value>,
    key: &DataKey,
    value: &Value,
) -> Result<Value, StorageError> {
    let field = filled(sealed.field, row);
    let Some(names) = sealed.names else {
        return open_text(sealed, key, &field, value);
    };
    let names = row.get(names).and_then(Value::as_array);
    let pairs = value
        .as_array()
        .into_iter()
        .flatten()
        .zip(names.into_iter().flatten());
    pairs
        .map(|(value, name)| {
            let field = field.replace("{}", name.as_str().unwrap_or_default());
            open_text(sealed, key, &field, value)
        })
        .collect::<Result<Vec<Value>, _>>()
        .map(Value::Array)
}

fn open_text(sealed: &Sealed, key: &DataKey, field: &str, value: &Value) -> Result<Value, StorageError> {
    let bytes = value.as_str().and_then(bytes_of);
    let bytes = bytes.ok_or_else(|| StorageError::corrupt(sealed.column, "is not of bytes"))?;
    let text = key
        .open_field(field, &bytes)
        .map_err(|error| StorageError::corrupt(sealed.column, error))?;
    Ok(Value::String(text.expose().to_owned()))
}

/// The text with the row's columns in the places of their names.
fn filled(template: &str, row: &Map<String, Value>) -> String {
    let mut text = template.to_owned();
    for (column, value) in row {
        let place = format!("{{{column}}}");
        if text.contains(&place) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&place, &value);
        }
    }
    text
}

/// Bytes as Postgres shows them in JSON: `\x` and hexadecimal digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?;
    (0..digits.len())
        .step_by(2)
        .map(|place| {
            digits
                .get(place..place + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_by_the_columns_of_its_row() {
        let row = serde_json::json!({"id": "a-b", "revision": 7, "names": ["x"]});
        let row = row.as_object().unwrap();
        assert_eq!(filled("it/{id}/{revision}/{}", row), "it/a-b/7/{}");
        assert_eq!(filled("plain", row), "plain");
    }

    #[test]
    fn bytes_are_read_as_postgres_shows_them() {
        assert_eq!(bytes_of("\\x00ff7A"), Some(vec![0, 255, 0x7a]));
        for text in ["", "00", "\\x0", "\\xzz"] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
    }
}
