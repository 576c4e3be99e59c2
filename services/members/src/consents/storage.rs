//! Receipts and the newest words in the database. What was allowed under a record that was merged into another stays with
//! that one; what was withdrawn under it is withdrawn for who stays.

mod companies;
mod receipts;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Concerns, ConsentPurpose, Item, Party, PolicyStanding, Word};
use crate::contacts::domain::Channel;
use crate::policies::domain::PolicyVersion;
use crate::policies::storage::parse_version;

pub(super) use companies::{
    count_companies_in_tx, find_company_by_id_in_tx, find_company_in_tx, insert_company_in_tx,
    list_companies_in_tx,
};
pub(super) use receipts::{find_receipt_in_tx, insert_receipt_in_tx, list_receipts_in_tx};

/// Where a word is kept that concerns the whole group. No code of a company.
const GROUP: &str = "*";

/// The newest words of a member, and the withdrawals of whom they took over.
pub(super) async fn load_words_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Vec<Word>, StorageError> {
    let rows = sqlx::query!(
        "SELECT purpose, channel, concerns, company_code, word_time, policy_version, receipt_id FROM consent \
         WHERE program = $1 AND (member_id = $2 OR NOT granted AND member_id IN ( \
             SELECT member_id FROM member WHERE program = $1 AND merged_into_member_id = $2))",
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let concerns = match row.concerns.as_str() {
                GROUP => Concerns::Group,
                code => Concerns::One(parse_party(code)?),
            };
            Ok(Word {
                item: parse_item(&row.purpose, &row.channel)?,
                concerns,
                said_to: parse_party(&row.company_code)?,
                granted_under: row.policy_version.map(parse_version).transpose()?,
                word_time: row.word_time,
                receipt_id: row.receipt_id,
            })
        })
        .collect()
}

/// Keeps words in the place of those that they outweigh. The caller holds the member's lock.
pub(super) async fn upsert_words_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    words: &[Word],
) -> Result<(), StorageError> {
    let column =
        |text: fn(&Word) -> &str| -> Vec<String> { words.iter().map(|word| text(word).to_owned()).collect() };
    let concerns = |word: &Word| match &word.concerns {
        Concerns::Group => GROUP.to_owned(),
        Concerns::One(party) => party_column(party).to_owned(),
    };
    let purposes = column(|word| word.item.purpose.as_str());
    let channels = column(|word| channel_column(word.item.channel));
    let concerned: Vec<String> = words.iter().map(concerns).collect();
    let said_to = column(|word| party_column(&word.said_to));
    let times: Vec<DateTime<Utc>> = words.iter().map(|word| word.word_time).collect();
    let versions: Vec<Option<i64>> = words
        .iter()
        .map(|word| word.granted_under.map(PolicyVersion::get))
        .collect();
    let receipts: Vec<Uuid> = words.iter().map(|word| word.receipt_id).collect();
    sqlx::query!(
        "INSERT INTO consent \
         (program, member_id, purpose, channel, concerns, company_code, granted, word_time, policy_version, receipt_id) \
         SELECT p.program, $2, u.purpose, u.channel, u.concerns, u.company_code, u.version IS NOT NULL, u.word_time, \
                u.version, u.receipt_id \
         FROM program p, \
              unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::int8[], $9::uuid[]) \
              AS u (purpose, channel, concerns, company_code, word_time, version, receipt_id) \
         WHERE p.program = $1 \
         ON CONFLICT (program, member_id, purpose, channel, concerns) DO UPDATE SET \
             company_code = excluded.company_code, granted = excluded.granted, word_time = excluded.word_time, \
             policy_version = excluded.policy_version, receipt_id = excluded.receipt_id \
         WHERE (excluded.word_time, NOT excluded.granted) >= (consent.word_time, NOT consent.granted)",
        program_id.as_uuid(),
        member_id.as_uuid(),
        &purposes,
        &channels,
        &concerned,
        &said_to,
        &times,
        &versions as &[Option<i64>],
        &receipts,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which policy a member has accepted, and which one is in force at a time. None without such a member or policy.
pub(super) async fn find_policy_standing_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<Option<PolicyStanding>, StorageError> {
    let found = sqlx::query!(
        r#"SELECT m.policy_version, max(p.version) AS "in_force!" FROM member m
           JOIN policy p ON p.program = m.program AND p.effective_time <= $3
           WHERE m.program = $1 AND m.member_id = $2 AND m.ledger_confirmed GROUP BY m.policy_version"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        now,
    )
    .fetch_optional(tx)
    .await?;
    found
        .map(|row| {
            Ok(PolicyStanding {
                accepted: parse_version(row.policy_version)?,
                in_force: parse_version(row.in_force)?,
            })
        })
        .transpose()
}

fn parse_party(code: &str) -> Result<Party, StorageError> {
    if code.is_empty() {
        return Ok(None);
    }
    let parsed = code.parse();
    parsed
        .map(Some)
        .map_err(|error| StorageError::corrupt("consent.company_code", error))
}

fn party_column(party: &Party) -> &str {
    party.as_ref().map_or("", |code| code.as_str())
}

fn channel_column(channel: Option<Channel>) -> &'static str {
    channel.map_or("", Channel::as_str)
}

fn parse_item(purpose: &str, channel: &str) -> Result<Item, StorageError> {
    let parsed = match channel {
        "" => None,
        text => {
            Some(Channel::from_column(text).ok_or_else(|| StorageError::corrupt("consent.channel", text))?)
        }
    };
    Ok(Item {
        purpose: ConsentPurpose::from_column(purpose)
            .ok_or_else(|| StorageError::corrupt("consent.purpose", purpose))?,
        channel: parsed,
    })
}
