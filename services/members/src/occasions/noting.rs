//! What rooms note that know of a member's days and clock.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::MonthDay;
use super::storage;
use crate::people::domain::BirthDate;

/// Notes a member's birthday in the place of the one before; its month and day alone.
pub(crate) async fn note_birthday_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    birth_date: Option<BirthDate>,
) -> Result<(), StorageError> {
    let birthday = birth_date.and_then(|date| MonthDay::try_new(date.month(), date.day()).ok());
    storage::replace_birthday_in_tx(tx, program_id, member_id, birthday).await
}

/// Notes the day on which a member joined, by the program's clock.
pub(crate) async fn note_joining_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    create_time: DateTime<Utc>,
) -> Result<(), StorageError> {
    storage::insert_joining_in_tx(tx, program_id, member_id, create_time).await
}

/// Notes that members of a program live by a zone's clock.
pub(crate) async fn note_zone_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    zone: Option<Tz>,
) -> Result<(), StorageError> {
    match zone {
        Some(zone) => storage::note_zone_in_tx(tx, program_id, zone).await,
        None => Ok(()),
    }
}
