//! How long data about people is kept: during the contract and five years after its end, and longer where it is held for
//! legal reasons. It is asked under the person's lock, so that nobody is erased beside a hold that is being placed.

pub mod domain;
pub mod grpc;
mod storage;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, SharedClock, uuid_v7};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::erasures::lock_records_in_tx;
use crate::programs;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{LegalHold, Retention, purgeable_from};

/// How long data is kept.
#[derive(Debug, Clone)]
pub struct Retentions {
    service: PgPool,
    clock: SharedClock,
}

/// That a contract ended.
#[derive(Debug, Clone)]
pub struct ContractEnd {
    /// Whose.
    pub member_id: MemberId,
    /// Its last day.
    pub end_date: NaiveDate,
    /// Who says so.
    pub actor: String,
}

/// A hold that is asked for.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// Whose data.
    pub member_id: MemberId,
    /// The case.
    pub case_reference: String,
    /// Who places it.
    pub placed_by: String,
}

impl Retentions {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// What day it is there.
    #[must_use]
    pub fn today(&self, zone: Tz) -> NaiveDate {
        day_in(self.clock.now(), zone)
    }

    /// Says when a contract ended.
    pub async fn end_contract(
        &self,
        program_id: ProgramId,
        request: &Request,
        end: &ContractEnd,
    ) -> Result<Made<Retention>, MembersError> {
        let from = purgeable_from(end.end_date).ok_or(Refusal::FieldInvalid {
            field: "contract_end_date",
            description: "must not be so far away",
        })?;
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "end_contract", scope, options, |tx| {
            in_tx(async move {
                let now = self.clock.now();
                let earlier = claim_in_tx(&mut *tx, request, end.member_id.as_uuid(), now).await?;
                let person = lock_records_in_tx(&mut *tx, program_id, end.member_id).await?;
                if earlier.is_none() {
                    let dates = (end.end_date, from);
                    let by = (end.actor.as_str(), now);
                    storage::upsert_end_in_tx(&mut *tx, program_id, end.member_id, dates, by).await?;
                }
                Ok(Made {
                    resource: load_in_tx(tx, program_id, end.member_id, &person).await?,
                    replayed: earlier.is_some(),
                })
            })
        })
        .await
    }

    /// How long a member's data is kept.
    pub async fn get(&self, program_id: ProgramId, member_id: MemberId) -> Result<Retention, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.service, "get_retention", scope, options, |tx| {
            in_tx(async move {
                let person = lock_records_in_tx(&mut *tx, program_id, member_id).await?;
                load_in_tx(tx, program_id, member_id, &person).await
            })
        })
        .await
    }

    /// Members whose data may be erased.
    pub async fn list_purgeable(
        &self,
        program_id: ProgramId,
        today: NaiveDate,
        after: Option<(NaiveDate, MemberId)>,
        count_max: i64,
    ) -> Result<Vec<Retention>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_purgeable", scope, options, |tx| {
            in_tx(async move {
                Ok(storage::list_purgeable_in_tx(tx, program_id, today, after, count_max).await?)
            })
        })
        .await
    }

    /// Holds a person's data.
    pub async fn place_hold(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewHold,
    ) -> Result<Made<LegalHold>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "place_legal_hold", scope, options, |tx| {
            in_tx(async move {
                let now = self.clock.now();
                let legal_hold_id = uuid_v7(now);
                if let Some(earlier) = claim_in_tx(&mut *tx, request, legal_hold_id, now).await? {
                    return Ok(Made::before(get_hold_in_tx(tx, program_id, earlier).await?));
                }
                lock_records_in_tx(&mut *tx, program_id, new.member_id).await?;
                let hold = LegalHold {
                    legal_hold_id,
                    member_id: new.member_id,
                    case_reference: new.case_reference.clone(),
                    placed_by: new.placed_by.clone(),
                    place_time: now,
                    lift_time: None,
                };
                storage::insert_hold_in_tx(tx, program_id, &hold).await?;
                Ok::<_, MembersError>(Made::now(hold))
            })
        })
        .await
    }

    /// Lifts a hold.
    pub async fn lift_hold(
        &self,
        program_id: ProgramId,
        legal_hold_id: Uuid,
    ) -> Result<LegalHold, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.service, "lift_legal_hold", scope, options, |tx| {
            in_tx(async move {
                storage::lift_hold_in_tx(&mut *tx, program_id, legal_hold_id, self.clock.now()).await?;
                get_hold_in_tx(tx, program_id, legal_hold_id).await
            })
        })
        .await
    }
}

/// Refuses to erase a person whose data is held. The caller holds the person's lock.
pub(crate) async fn check_not_held_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
) -> Result<(), MembersError> {
    let holds = storage::list_holds_in_tx(tx, program_id, member_ids).await?;
    match holds.first() {
        Some(hold) => Err(Refusal::LegalHold {
            member_id: hold.member_id,
            legal_hold_id: hold.legal_hold_id,
        }
        .into()),
        None => Ok(()),
    }
}

/// Refuses to erase a person for the end of their time before that has come. The caller holds the person's lock.
pub(crate) async fn check_time_ended_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_id, member_ids): (MemberId, &[Uuid]),
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    let program = programs::storage::find_in_tx(&mut *tx, program_id).await?;
    let program = program.ok_or_else(|| Refusal::not_found(Resource::Program, program_id))?;
    let today = day_in(now, program.time_zone);
    let ended = storage::find_end_in_tx(tx, program_id, member_ids).await?;
    let purgeable_from_date = ended.map(|(_, from)| from);
    if purgeable_from_date.is_some_and(|from| from <= today) {
        return Ok(());
    }
    Err(Refusal::RetentionNotEnded {
        member_id,
        purgeable_from_date,
    }
    .into())
}

fn day_in(now: DateTime<Utc>, zone: Tz) -> NaiveDate {
    now.with_timezone(&zone).date_naive()
}

async fn load_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    person: &[Uuid],
) -> Result<Retention, MembersError> {
    Ok(Retention {
        member_id,
        ended: storage::find_end_in_tx(&mut *tx, program_id, person).await?,
        legal_holds: storage::list_holds_in_tx(tx, program_id, person).await?,
    })
}

async fn get_hold_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    legal_hold_id: Uuid,
) -> Result<LegalHold, MembersError> {
    let found = storage::find_hold_in_tx(tx, program_id, legal_hold_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::LegalHold, legal_hold_id).into())
}
