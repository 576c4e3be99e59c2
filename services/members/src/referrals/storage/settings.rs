//! A program's settings in the database. None are stored until some are set.

use fealty_postgres::StorageError;
use fealty_types::{Points, ProgramId, UnitCode};
use sqlx::PgConnection;

use crate::referrals::domain::{Action, Settings};

/// Lets one change at a time run; and referrals by hand, so that no two of them close a circle.
pub(in crate::referrals) async fn lock_settings_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "SELECT program FROM program WHERE program = $1 FOR NO KEY UPDATE",
        program_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}

/// The settings as they hold.
pub(in crate::referrals) async fn find_settings_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Settings, StorageError> {
    let row = sqlx::query!(
        r#"SELECT same_household, same_device, same_person, same_identifier,
                  reward_unit_code AS "reward_unit_code: UnitCode", referrer_value AS "referrer_value: Points",
                  referred_value AS "referred_value: Points", qualify_within_days, link_template
           FROM referral_settings WHERE program = $1"#,
        program_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else {
        return Ok(Settings::default());
    };
    Ok(Settings {
        same_household: parse_action(&row.same_household)?,
        same_device: parse_action(&row.same_device)?,
        same_person: parse_action(&row.same_person)?,
        same_identifier: parse_action(&row.same_identifier)?,
        reward_unit_code: row.reward_unit_code,
        referrer_value: row.referrer_value,
        referred_value: row.referred_value,
        qualify_within_days: row.qualify_within_days,
        link_template: row.link_template,
    })
}

fn parse_action(text: &str) -> Result<Action, StorageError> {
    Action::from_column(text).ok_or_else(|| StorageError::corrupt("referral_settings", text))
}

/// Keeps the settings.
pub(in crate::referrals) async fn upsert_settings_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    settings: &Settings,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO referral_settings \
         (program, same_household, same_device, same_person, same_identifier, reward_unit_code, referrer_value, \
          referred_value, qualify_within_days, link_template) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (program) DO UPDATE \
         SET same_household = EXCLUDED.same_household, same_device = EXCLUDED.same_device, \
             same_person = EXCLUDED.same_person, same_identifier = EXCLUDED.same_identifier, \
             reward_unit_code = EXCLUDED.reward_unit_code, referrer_value = EXCLUDED.referrer_value, \
             referred_value = EXCLUDED.referred_value, qualify_within_days = EXCLUDED.qualify_within_days, \
             link_template = EXCLUDED.link_template",
        program_id.as_uuid(),
        settings.same_household.as_str(),
        settings.same_device.as_str(),
        settings.same_person.as_str(),
        settings.same_identifier.as_str(),
        settings.reward_unit_code.as_ref().map(UnitCode::as_str),
        settings.referrer_value.get(),
        settings.referred_value.get(),
        settings.qualify_within_days,
        settings.link_template,
    )
    .execute(tx)
    .await?;
    Ok(())
}
