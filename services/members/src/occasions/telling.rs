//! Tells of occasions when their day begins: in steps, each in the transaction that writes its events.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_proto::events::v1::MemberOccasion;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::types::v1::Date;
use fealty_service::events::new_event;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Occasions;
use super::domain::{Occasion, OccasionKind, Place, begin_of, days_to_tell};
use super::storage::{self, DueDay, Run, ZoneOfProgram};
use crate::refusal::MembersError;

/// Clocks that are looked at together.
const ZONES_MAX: i64 = 500;

/// Members of one step: a transaction of some tens of milliseconds.
const STEP_MEMBERS_MAX: i64 = 500;

/// Days that are gone through in one round of steps.
const RUNS_MAX: i64 = 20;

/// How long it is remembered how far a day was told of.
const RUN_KEPT_DAYS: u64 = 31;

/// What was told of years before the last is forgotten, so many at a time: nobody tells of those years any more.
const FORGET_MAX: i64 = 1_000;

impl Occasions {
    /// Begins the days that have begun somewhere. Answers how many clocks have a new one.
    pub(crate) async fn begin_days(&self) -> Result<usize, MembersError> {
        let mut after = (Uuid::nil(), String::new());
        let mut begun_count = 0;
        loop {
            let start = &after;
            let options = TransactOptions::read_only();
            let zones =
                transact(&self.jobs, "list_occasion_zones", Scope::Suite, options, |tx| {
                    in_tx(async move {
                        Ok::<_, MembersError>(storage::list_zones_in_tx(tx, start, ZONES_MAX).await?)
                    })
                })
                .await?;
            let Some(last) = zones.last() else {
                return Ok(begun_count);
            };
            after = (last.program_id.as_uuid(), last.zone.name().to_owned());
            for zone in &zones {
                let dates = days_to_tell(self.today(zone.zone), zone.last);
                if !dates.is_empty() {
                    self.begin(zone, &dates).await?;
                    begun_count += 1;
                }
            }
        }
    }

    async fn begin(&self, zone: &ZoneOfProgram, dates: &[NaiveDate]) -> Result<(), MembersError> {
        let program_id = zone.program_id;
        let today = self.today(zone.zone);
        let kept_since = today.checked_sub_days(Days::new(RUN_KEPT_DAYS)).unwrap_or(today);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "begin_occasion_days", scope, options, |tx| {
            in_tx(async move {
                let program_days = storage::list_program_days_in_tx(&mut *tx, program_id).await?;
                let mut runs: Vec<(NaiveDate, String)> = Vec::new();
                for date in dates {
                    let days = program_days.iter().filter(|day| day.falls_on(*date));
                    runs.extend(days.map(|day| (*date, day.day_code.to_string())));
                    runs.push((*date, String::new()));
                }
                storage::insert_runs_in_tx(&mut *tx, program_id, zone.zone, &runs).await?;
                let old = (kept_since, today.year() - 1);
                Ok(storage::forget_in_tx(tx, program_id, old, FORGET_MAX).await?)
            })
        })
        .await
    }

    /// Goes on with days that are not told of to the end, one step each. Answers how many steps it made.
    pub(crate) async fn tell_some(&self) -> Result<usize, MembersError> {
        let options = TransactOptions::read_only();
        let runs = transact(&self.jobs, "list_occasion_runs", Scope::Suite, options, |tx| {
            in_tx(async move { Ok::<_, MembersError>(storage::list_open_runs_in_tx(tx, RUNS_MAX).await?) })
        })
        .await?;
        let mut step_count = 0;
        for run in &runs {
            match self.tell_step(run).await {
                Ok(true) => step_count += 1,
                Ok(false) => {}
                // The others go on.
                Err(error) => tracing::warn!(%error, ?run, "a day is told of in the next round"),
            }
        }
        if step_count > 0 {
            self.waker.wake();
        }
        Ok(step_count)
    }

    async fn tell_step(&self, run: &Run) -> Result<bool, MembersError> {
        let program_id = run.program_id;
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "tell_occasions", scope, options, |tx| {
            in_tx(async move {
                let Some(place) = storage::lock_run_in_tx(&mut *tx, run).await? else {
                    return Ok(false);
                };
                let due = due_in_tx(&mut *tx, run, &place).await?;
                let is_last = i64::try_from(due.len()).unwrap_or(i64::MAX) < STEP_MEMBERS_MAX;
                let last = due.last().map(Occasion::place).filter(|_| !is_last);
                storage::advance_run_in_tx(&mut *tx, run, last.as_ref()).await?;
                tell_in_tx(tx, program_id, run, (due, now)).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// The occasions of the next step.
async fn due_in_tx(tx: &mut PgConnection, run: &Run, place: &Place) -> Result<Vec<Occasion>, MembersError> {
    if run.day_code.is_empty() {
        let day = DueDay {
            date: run.due_date,
            kinds: OccasionKind::ALL,
            program_zone: run.program_zone,
            of_zone: Some(run.zone),
        };
        return Ok(storage::list_due_in_tx(tx, run.program_id, &day, place, STEP_MEMBERS_MAX).await?);
    }
    let zones = (run.zone, run.program_zone);
    let greeted =
        storage::list_greeted_in_tx(tx, run.program_id, zones, place.member_id, STEP_MEMBERS_MAX).await?;
    let occasion = |member_id: MemberId| Occasion {
        kind: OccasionKind::ProgramDay,
        day_code: run.day_code.clone(),
        date: run.due_date,
        member_id: Some(member_id),
        number: 0,
        zone: run.zone,
    };
    Ok(greeted.into_iter().map(occasion).collect())
}

async fn tell_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    run: &Run,
    (due, now): (Vec<Occasion>, DateTime<Utc>),
) -> Result<(), MembersError> {
    let new = storage::insert_told_in_tx(&mut *tx, program_id, run.due_date.year(), due).await?;
    let begin = begin_of(run.due_date, run.zone).unwrap_or(now);
    let events: Vec<NewEvent> = new
        .iter()
        .filter_map(|occasion| event_of(occasion, begin, now))
        .collect();
    Ok(append_in_tx(tx, program_id, &events).await?)
}

/// An occasion as an event; None for one that is nobody's.
fn event_of(occasion: &Occasion, begin: DateTime<Utc>, now: DateTime<Utc>) -> Option<NewEvent> {
    let payload = Payload::MemberOccasion(MemberOccasion {
        kind: occasion.kind.as_str().to_owned(),
        day_code: occasion.day_code.clone(),
        date: Some(Date {
            year: occasion.date.year(),
            month: occasion.date.month().cast_signed(),
            day: occasion.date.day().cast_signed(),
        }),
        number: occasion.number,
    });
    Some(new_event(occasion.member_id?.as_uuid(), payload, begin, now))
}
