//! Contacts in the database. What was said and done under a record that was merged into another counts for that one.

mod opt_outs;
mod preferences;
mod settings;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ContactId, MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Channel, Contact, Decision, History, Outcome, Purpose, Rule, Settings};
use super::{Decided, Reported};

pub(super) use opt_outs::{
    count_opt_outs_in_tx, find_opt_out_in_tx, insert_opt_out_in_tx, list_opt_outs_in_tx,
};
pub(super) use preferences::{
    SealedPreferences, find_preferences_in_tx, load_reached_in_tx, upsert_preferences_in_tx,
};
pub(super) use settings::{find_settings_in_tx, upsert_settings_in_tx};

/// Which contacts one is judged by: those for its purpose, before it, within the program's windows.
pub(super) struct Before {
    pub purpose: Purpose,
    pub settings: Settings,
    pub now: DateTime<Utc>,
}

/// The contacts by which one for a purpose is judged.
pub(super) async fn load_history_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    before: &Before,
) -> Result<History, StorageError> {
    let Before {
        purpose,
        settings,
        now,
    } = *before;
    let mut history = History::default();
    let of = |purposes: Vec<Purpose>, window: TimeDelta, count_max: i32| Counted {
        purposes,
        since: now - window,
        window,
        now,
        count_max: count_max.into(),
    };
    if let Some((count_max, window)) = settings.cap_of(purpose) {
        let counted = of(purpose.counted_with(), window, count_max);
        history.counted = counted_until_in_tx(&mut *tx, program_id, member_id, counted).await?;
    }
    if purpose.is_commercial() {
        let window = settings.commercial_run_window();
        let (commercial, others) = Purpose::ALL.iter().partition(|purpose| purpose.is_commercial());
        let others = of(others, window, 1);
        let last_other = counted_until_in_tx(&mut *tx, program_id, member_id, others).await?;
        let mut run = of(commercial, window, settings.commercial_run_max);
        run.since = last_other.first().map_or(run.since, |end| *end - window);
        history.commercial_run = counted_until_in_tx(tx, program_id, member_id, run).await?;
    }
    Ok(history)
}

/// Which contacts are looked for: those for some purposes that count at a time, the last to end first.
struct Counted {
    purposes: Vec<Purpose>,
    /// Those that took place before it count no more.
    since: DateTime<Utc>,
    /// How long after it took place one counts.
    window: TimeDelta,
    now: DateTime<Utc>,
    count_max: i64,
}

/// Until when contacts count. One that was delivered took place when that was reported, and within its reservation at the
/// latest: who tells of it later tells of what was. One that is reserved counts until that ends. What was decided before
/// there were reservations took place at once.
///
/// No reservation is longer than thirty days, so that older decisions need not be read.
async fn counted_until_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    counted: Counted,
) -> Result<Vec<DateTime<Utc>>, StorageError> {
    let purposes: Vec<String> = counted
        .purposes
        .into_iter()
        .map(|one| one.as_str().to_owned())
        .collect();
    Ok(sqlx::query_scalar!(
        r#"WITH contact AS (
               SELECT CASE WHEN r.delivered THEN least(r.report_time, d.reserve_until)
                           WHEN d.reserve_until IS NULL THEN d.decide_time END AS happen_time,
                      d.reserve_until
               FROM contact_decision d
               LEFT JOIN contact_delivery r ON r.program = d.program AND r.decision_id = d.decision_id
               WHERE d.program = $1 AND d.rule = 'ALLOWED' AND d.purpose = ANY($3)
                 AND d.decide_time > $4::timestamptz - interval '720 hours' AND coalesce(r.delivered, true) AND d.member_id IN (
                   SELECT member_id FROM member
                   WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2)))
           SELECT coalesce(happen_time + $7::int8 * interval '1 second', reserve_until) AS "until!" FROM contact
           WHERE coalesce(happen_time > $4, reserve_until > $5) ORDER BY 1 DESC LIMIT $6"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        &purposes,
        counted.since,
        counted.now,
        counted.count_max,
        counted.window.num_seconds(),
    )
    .fetch_all(tx)
    .await?)
}

/// Keeps a decision, which is a contact if it is a yes.
pub(super) async fn insert_decision_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    contact: &Contact,
    decided: &Decided,
) -> Result<(), StorageError> {
    let decision = decided.decision;
    sqlx::query!(
        "INSERT INTO contact_decision \
         (program, decision_id, member_id, channel, purpose, topic, company_code, rule, not_before_time, \
          reserve_until, decide_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        program_id.as_uuid(),
        decided.decision_id,
        member_id.as_uuid(),
        decision.channel.as_str(),
        contact.purpose.as_str(),
        contact.topic.as_str(),
        contact.party.as_ref().map_or("", |code| code.as_str()),
        decision.rule.as_str(),
        decision.not_before_time,
        decided.reserve_until,
        decided.decide_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A decision that was made before.
pub(super) async fn find_decision_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    decision_id: Uuid,
) -> Result<Option<Decided>, StorageError> {
    sqlx::query!(
        "SELECT rule, channel, not_before_time, reserve_until, decide_time FROM contact_decision \
         WHERE program = $1 AND decision_id = $2",
        program_id.as_uuid(),
        decision_id,
    )
    .fetch_optional(tx)
    .await?
    .map(|row| {
        Ok(Decided {
            decision_id,
            decision: Decision {
                rule: Rule::from_column(&row.rule)
                    .ok_or_else(|| StorageError::corrupt("contact_decision.rule", &row.rule))?,
                not_before_time: row.not_before_time,
                channel: Channel::from_column(&row.channel)
                    .ok_or_else(|| StorageError::corrupt("contact_decision.channel", &row.channel))?,
            },
            reserve_until: row.reserve_until,
            decide_time: row.decide_time,
        })
    })
    .transpose()
}

/// Whose contact it is; None when it was never allowed, or is another program's.
pub(super) async fn find_contacted_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    contact_id: ContactId,
) -> Result<Option<MemberId>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT member_id AS "member_id: MemberId" FROM contact_decision
           WHERE program = $1 AND decision_id = $2 AND rule = 'ALLOWED'"#,
        program_id.as_uuid(),
        contact_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?)
}

/// Keeps what became of a contact, unless something was kept before. Answers what is kept.
pub(super) async fn claim_delivery_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    contact_id: ContactId,
    reported: Reported,
) -> Result<Reported, StorageError> {
    sqlx::query!(
        "INSERT INTO contact_delivery (program, decision_id, delivered, report_time) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (program, decision_id) DO NOTHING",
        program_id.as_uuid(),
        contact_id.as_uuid(),
        reported.outcome == Outcome::Delivered,
        reported.report_time,
    )
    .execute(&mut *tx)
    .await?;
    let kept = sqlx::query!(
        "SELECT delivered, report_time FROM contact_delivery WHERE program = $1 AND decision_id = $2",
        program_id.as_uuid(),
        contact_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    let outcome = if kept.delivered {
        Outcome::Delivered
    } else {
        Outcome::Failed
    };
    Ok(Reported {
        outcome,
        report_time: kept.report_time,
    })
}
