//! Days on which members are greeted: what is due when, as a list and as events.
//!
//! Of each member months and days are kept, of which a day finds them at once. That a day has begun is told by the clock
//! on a member's wall, in steps that a job makes (`Occasions::tell_some`).

pub mod domain;
pub mod grpc;
mod noting;
mod storage;
mod telling;

use chrono::NaiveDate;
use chrono_tz::Tz;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{MemberId, ProgramId, SharedClock};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::refusal::{MembersError, Refusal, Resource};
use crate::{people, programs};
use domain::{MemberDay, Occasion, OccasionKind, Place, ProgramDay};

pub(crate) use noting::{note_birthday_in_tx, note_joining_in_tx, note_zone_in_tx};

/// What can be done with occasions.
#[derive(Debug, Clone)]
pub struct Occasions {
    service: PgPool,
    jobs: PgPool,
    clock: SharedClock,
    waker: FeedWaker,
}

/// Some days in a row, and what of them is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub from: NaiveDate,
    /// How many.
    pub day_count: u64,
    /// What; empty for everything.
    pub kinds: Vec<OccasionKind>,
    /// By which clock the days begin of those who have named no time zone.
    pub zone: Tz,
}

impl Window {
    fn dates(&self) -> impl Iterator<Item = NaiveDate> {
        let count = usize::try_from(self.day_count).unwrap_or(usize::MAX);
        self.from.iter_days().take(count)
    }

    fn kinds(&self) -> Vec<OccasionKind> {
        if self.kinds.is_empty() {
            OccasionKind::ALL.to_vec()
        } else {
            self.kinds.clone()
        }
    }
}

impl Occasions {
    /// Over both roles: the job tells across programs.
    #[must_use]
    pub const fn new(service: PgPool, jobs: PgPool, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
            jobs,
            clock,
            waker,
        }
    }

    /// Today by a zone's clock.
    pub(crate) fn today(&self, zone: Tz) -> NaiveDate {
        self.clock.now().with_timezone(&zone).date_naive()
    }

    /// Sets the program's days, in the place of those before.
    pub async fn set_program_days(
        &self,
        program_id: ProgramId,
        request: &Request,
        days: &[ProgramDay],
    ) -> Result<Made<Vec<ProgramDay>>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "set_program_days", scope, options, |tx| {
            in_tx(async move {
                let now = self.clock.now();
                let claimed = claim_in_tx(&mut *tx, request, program_id.as_uuid(), now).await?;
                if claimed.is_none() {
                    programs::storage::lock_alone_in_tx(&mut *tx, program_id).await?;
                    storage::replace_program_days_in_tx(&mut *tx, program_id, days).await?;
                }
                let kept = storage::list_program_days_in_tx(tx, program_id).await?;
                Ok::<_, MembersError>(Made {
                    resource: kept,
                    replayed: claimed.is_some(),
                })
            })
        })
        .await
    }

    /// The program's days, by their codes.
    pub async fn program_days(&self, program_id: ProgramId) -> Result<Vec<ProgramDay>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_program_days", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_program_days_in_tx(tx, program_id).await?) })
        })
        .await
    }

    /// Sets a member's own days, in the place of those before.
    pub async fn set_member_days(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        days: &[MemberDay],
    ) -> Result<Made<Vec<MemberDay>>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "set_member_days", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, member_id.as_uuid(), self.clock.now()).await?;
                let status = people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
                let status = status.ok_or_else(|| not_found(member_id))?;
                if claimed.is_none() {
                    if status.is_final() {
                        return Err(Refusal::MemberNotActive { member_id, status }.into());
                    }
                    storage::replace_member_days_in_tx(&mut *tx, program_id, member_id, days).await?;
                }
                let kept = storage::list_member_days_in_tx(tx, program_id, member_id).await?;
                Ok::<_, MembersError>(Made {
                    resource: kept,
                    replayed: claimed.is_some(),
                })
            })
        })
        .await
    }

    /// A member's own days, by their codes.
    pub async fn member_days(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<Vec<MemberDay>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_member_days", scope, options, |tx| {
            in_tx(async move {
                if !people::is_enrolled_in_tx(&mut *tx, program_id, member_id).await? {
                    return Err(not_found(member_id).into());
                }
                Ok(storage::list_member_days_in_tx(tx, program_id, member_id).await?)
            })
        })
        .await
    }

    /// What is due within a window after a place in it, day by day.
    pub async fn list_due(
        &self,
        program_id: ProgramId,
        window: &Window,
        after: Option<&Place>,
        count_max: i64,
    ) -> Result<Vec<Occasion>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_due_occasions", scope, options, |tx| {
            in_tx(async move { list_due_in_tx(tx, program_id, window, (after, count_max)).await })
        })
        .await
    }
}

async fn list_due_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    window: &Window,
    (after, count_max): (Option<&Place>, i64),
) -> Result<Vec<Occasion>, MembersError> {
    let kinds = window.kinds();
    let program_days = if kinds.contains(&OccasionKind::ProgramDay) {
        storage::list_program_days_in_tx(&mut *tx, program_id).await?
    } else {
        Vec::new()
    };
    let mut due = Vec::new();
    // A day that is before the place is read already; within the place's own day reading goes on after it.
    for date in window
        .dates()
        .skip_while(|date| after.is_some_and(|after| *date < after.date))
    {
        let start = after.filter(|after| after.date == date).cloned();
        let start = start.unwrap_or_else(|| Place::begin_of(date));
        let of_program = program_days.iter().filter(|day| day.falls_on(date));
        let of_program = of_program.map(|day| Occasion::of_program(day, date, window.zone));
        due.extend(of_program.filter(|occasion| occasion.place() > start));
        let left = count_max - i64::try_from(due.len()).unwrap_or(i64::MAX);
        if left > 0 {
            let day = storage::DueDay {
                date,
                kinds: &kinds,
                program_zone: window.zone,
                of_zone: None,
            };
            due.extend(storage::list_due_in_tx(&mut *tx, program_id, &day, &start, left).await?);
        }
        if i64::try_from(due.len()).unwrap_or(i64::MAX) >= count_max {
            break;
        }
    }
    Ok(due)
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}
