//! How members like to be contacted, in the database: addresses only as ciphertext.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use crate::contacts::domain::{Channel, Reached};

/// Preferences as they are stored.
#[derive(Debug, Clone, Default)]
pub(in crate::contacts) struct SealedPreferences {
    pub channels: Vec<Channel>,
    /// Each a ciphertext.
    pub addresses: Vec<(Channel, Vec<u8>)>,
    pub time_zone: Option<Tz>,
    pub update_time: Option<DateTime<Utc>>,
}

/// A member's preferences; of one who never set any, none.
pub(in crate::contacts) async fn find_preferences_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<SealedPreferences, StorageError> {
    let row = sqlx::query!(
        "SELECT channels, address_channels, addresses, time_zone, update_time FROM contact_preference \
         WHERE program = $1 AND member_id = $2",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else {
        return Ok(SealedPreferences::default());
    };
    Ok(SealedPreferences {
        channels: parse_channels(&row.channels)?,
        addresses: parse_channels(&row.address_channels)?
            .into_iter()
            .zip(row.addresses)
            .collect(),
        time_zone: parse_zone(row.time_zone.as_deref())?,
        update_time: Some(row.update_time),
    })
}

/// Keeps a member's preferences.
pub(in crate::contacts) async fn upsert_preferences_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    preferences: &SealedPreferences,
) -> Result<(), StorageError> {
    let text = |channel: &Channel| channel.as_str().to_owned();
    let channels: Vec<String> = preferences.channels.iter().map(text).collect();
    let address_channels: Vec<String> = preferences.addresses.iter().map(|(one, _)| text(one)).collect();
    let addresses: Vec<Vec<u8>> = preferences.addresses.iter().map(|(_, it)| it.clone()).collect();
    sqlx::query!(
        "INSERT INTO contact_preference \
         (program, member_id, channels, address_channels, addresses, time_zone, update_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (program, member_id) DO UPDATE SET \
             channels = excluded.channels, address_channels = excluded.address_channels, \
             addresses = excluded.addresses, time_zone = excluded.time_zone, update_time = excluded.update_time",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &channels,
        &address_channels,
        &addresses,
        preferences.time_zone.map(Tz::name),
        preferences.update_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How a member is reached. Identifiers that stayed with a record that was merged into theirs still find them.
pub(in crate::contacts) async fn load_reached_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Reached, StorageError> {
    let kinds = sqlx::query_scalar!(
        "SELECT DISTINCT kind FROM identifier \
         WHERE program = $1 AND kind IN ('EMAIL_ADDRESS', 'PHONE_NUMBER') AND member_id IN ( \
             SELECT member_id FROM member \
             WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2))",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let preferences = find_preferences_in_tx(tx, program_id, member_id).await?;
    let has = |kind: &str| kinds.iter().any(|one| one == kind);
    Ok(Reached {
        wanted: preferences.channels,
        addressed: preferences
            .addresses
            .into_iter()
            .map(|(channel, _)| channel)
            .collect(),
        has_email: has("EMAIL_ADDRESS"),
        has_phone: has("PHONE_NUMBER"),
        time_zone: preferences.time_zone,
    })
}

fn parse_channels(texts: &[String]) -> Result<Vec<Channel>, StorageError> {
    let parse = |text: &String| {
        Channel::from_column(text).ok_or_else(|| StorageError::corrupt("contact_preference.channels", text))
    };
    texts.iter().map(parse).collect()
}

fn parse_zone(text: Option<&str>) -> Result<Option<Tz>, StorageError> {
    text.map(str::parse)
        .transpose()
        .map_err(|error: chrono_tz::ParseError| StorageError::corrupt("contact_preference.time_zone", error))
}
