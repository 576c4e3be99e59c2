//! Erasing people, in all services.
//!
//! ```text
//! stored (BEGUN) ── closed in the ledger and here ── out of the household ── destroyed here (DESTROYED)
//!    ── an event tells rewards and surveys, which erase their parts and confirm them ── signed receipt (COMPLETE)
//! ```
//!
//! Each step may be done again and changes nothing then. Up to DESTROYED the call goes on, its retry, or a job; afterwards
//! the others do: they find the event by their own positions, also after a restore of their databases.

mod destroy;
pub mod domain;
pub mod fault;
pub mod grpc;
mod storage;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{HouseholdId, MemberId, ProgramId, RequestId};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::{Builder, Uuid};

use crate::changes::domain::Asked as AskedChange;
use crate::changes::{Because, Changes};
use crate::means::Means;
use crate::people::domain::MemberStatus;
use crate::refusal::{MembersError, Refusal, Resource};
use crate::retention;
use domain::{Cause, Erasure, RECORDS_MAX, Receipt, State};
use fault::{After, Faults};

/// How long a begun erasure is left to the call that began it and to its caller's retries before the job takes it on.
const ATTEMPT_LENGTH_MAX: TimeDelta = TimeDelta::seconds(30);

/// The method that the steps' own requests are remembered under.
const STEP: &str = "/fealty.members.v1.ErasureService/EraseMember";

/// Erases people.
#[derive(Debug, Clone)]
pub struct Erasures {
    means: Means,
    changes: Changes,
    /// The services that have to confirm their parts.
    waits_for: Vec<String>,
    faults: Faults,
}

/// Who is to be erased, and why.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Any record of the person.
    pub member_id: MemberId,
    /// Why.
    pub cause: Cause,
    /// Who asks.
    pub actor: String,
}

impl Erasures {
    /// Over what tells the ledger, for a suite with these other services.
    #[must_use]
    pub fn new(means: Means, waits_for: Vec<String>, faults: Faults) -> Self {
        Self {
            changes: Changes::new(means.clone()),
            means,
            waits_for,
            faults,
        }
    }

    /// Erases a person: afterwards the ledger and this service have done their part. Who was erased before stays so.
    pub async fn erase(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
    ) -> Result<Made<Erasure>, MembersError> {
        let begun = self.begin(program_id, request, asked).await?;
        self.faults.pass(After::Begin)?;
        self.go_on(program_id, &begun.resource).await?;
        Ok(Made {
            resource: self.get(program_id, begun.resource.erasure_id).await?,
            replayed: begun.replayed,
        })
    }

    /// One erasure.
    pub async fn get(&self, program_id: ProgramId, erasure_id: Uuid) -> Result<Erasure, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.means.service, "get_erasure", scope, options, |tx| {
            in_tx(get_in_tx(tx, program_id, erasure_id))
        })
        .await
    }

    /// The erasures after one of them, oldest first.
    pub async fn list(
        &self,
        program_id: ProgramId,
        after: Option<(DateTime<Utc>, Uuid)>,
        count_max: i64,
    ) -> Result<Vec<Erasure>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.means.service, "list_erasures", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program_id, after, count_max).await?) })
        })
        .await
    }

    /// Notes that a service has erased its part, and ends the erasure with the last of them.
    pub async fn confirm(
        &self,
        program_id: ProgramId,
        erasure_id: Uuid,
        service: &str,
    ) -> Result<(), MembersError> {
        let now = self.means.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "confirm_erasure", scope, options, |tx| {
            in_tx(async move {
                if !storage::lock_in_tx(&mut *tx, program_id, erasure_id).await? {
                    return Err(not_found(erasure_id).into());
                }
                storage::insert_part_in_tx(&mut *tx, program_id, (erasure_id, service), now).await?;
                self.complete_in_tx(tx, program_id, erasure_id, now).await
            })
        })
        .await
    }

    /// Goes on with erasures that were left half-made, at most so many of them. Answers how many it took on and how many
    /// of those this service is done with.
    pub(crate) async fn finish_leftovers(&self, count_max: i64) -> Result<(usize, usize), MembersError> {
        let now = self.means.clock.now();
        let options = TransactOptions::default();
        let claimed = transact(&self.means.jobs, "claim_erasures", Scope::Suite, options, |tx| {
            in_tx(async move {
                Ok::<_, MembersError>(
                    storage::claim_leftovers_in_tx(tx, now, now + ATTEMPT_LENGTH_MAX, count_max).await?,
                )
            })
        })
        .await?;
        let mut finished_count = 0;
        for (program_id, erasure_id) in &claimed {
            let ended = match self.get(*program_id, *erasure_id).await {
                Ok(erasure) => self.go_on(*program_id, &erasure).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => finished_count += 1,
                Err(error) => tracing::warn!(%error, %erasure_id, "an erasure waits"),
            }
        }
        Ok((claimed.len(), finished_count))
    }

    /// Stores an erasure, or finds the one that there is of the person.
    async fn begin(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
    ) -> Result<Made<Erasure>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "begin_erasure", scope, options, |tx| {
            in_tx(async move {
                let person = lock_person_in_tx(&mut *tx, program_id, asked.member_id).await?;
                let now = self.means.clock.now();
                let known = storage::find_id_of_in_tx(&mut *tx, program_id, person.member_id).await?;
                let erasure_id = known.unwrap_or_else(|| request.request_id.as_uuid());
                let claimed = claim_in_tx(&mut *tx, request, erasure_id, now).await?;
                if let Some(erasure_id) = claimed.or(known) {
                    return Ok(Made {
                        resource: get_in_tx(tx, program_id, erasure_id).await?,
                        replayed: claimed.is_some(),
                    });
                }
                if storage::lock_in_tx(&mut *tx, program_id, erasure_id).await? {
                    // Long forgotten among the requests, and another person's.
                    return Err(Refusal::RequestIdReused(request.request_id).into());
                }
                let records = person.ids();
                retention::check_not_held_in_tx(&mut *tx, program_id, &records).await?;
                if asked.cause == Cause::RetentionEnded {
                    let whose = (person.member_id, records.as_slice());
                    retention::check_time_ended_in_tx(&mut *tx, program_id, whose, now).await?;
                }
                let erasure = self.new_erasure(asked, &person, (erasure_id, now));
                storage::insert_in_tx(&mut *tx, program_id, &erasure, now + ATTEMPT_LENGTH_MAX).await?;
                Ok::<_, MembersError>(Made::now(erasure))
            })
        })
        .await
    }

    fn new_erasure(
        &self,
        asked: &Asked,
        person: &OnePerson,
        (erasure_id, now): (Uuid, DateTime<Utc>),
    ) -> Erasure {
        Erasure {
            erasure_id,
            member_id: person.member_id,
            member_ids: person.records.iter().map(|record| record.member_id).collect(),
            cause: asked.cause,
            actor: asked.actor.clone(),
            state: State::Begun,
            waits_for: self.waits_for.clone(),
            begin_time: now,
            destroy_time: None,
            confirmed: Vec::new(),
            receipt: None,
        }
    }

    /// Does what is left to do of the ledger's and this service's part.
    async fn go_on(&self, program_id: ProgramId, erasure: &Erasure) -> Result<(), MembersError> {
        if erasure.state != State::Begun {
            return Ok(());
        }
        let because = Because {
            actor: erasure.actor.clone(),
            reason: None,
        };
        let member_id = erasure.member_id;
        let close = AskedChange::Status {
            member_id,
            status: MemberStatus::Closed,
        };
        let request = step(program_id, erasure.erasure_id, "close");
        self.changes
            .carry_out(program_id, &request, &close, &because)
            .await?;
        self.faults.pass(After::Close)?;
        // Closed members join nothing any more: where they are now is where they are to leave.
        if let Some(household_id) = self.household_of(program_id, member_id).await? {
            let leave = AskedChange::LeaveHousehold {
                member_id,
                household_id,
                by: None,
            };
            let request = step(program_id, erasure.erasure_id, "leave");
            self.changes
                .carry_out(program_id, &request, &leave, &because)
                .await?;
        }
        self.faults.pass(After::Leave)?;
        self.destroy(program_id, erasure.erasure_id).await?;
        self.faults.pass(After::Destroy)
    }

    async fn household_of(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<Option<HouseholdId>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.means.service, "erasure_household", scope, options, |tx| {
            in_tx(async move {
                let person = lock_person_in_tx(tx, program_id, member_id).await?;
                let own = person.records.iter().find(|record| record.member_id == member_id);
                Ok::<_, MembersError>(own.and_then(|record| record.household_id))
            })
        })
        .await
    }

    async fn destroy(&self, program_id: ProgramId, erasure_id: Uuid) -> Result<(), MembersError> {
        let now = self.means.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "destroy_person", scope, options, |tx| {
            in_tx(async move {
                storage::lock_in_tx(&mut *tx, program_id, erasure_id).await?;
                let erasure = get_in_tx(&mut *tx, program_id, erasure_id).await?;
                lock_person_in_tx(&mut *tx, program_id, erasure.member_id).await?;
                if !storage::set_destroyed_in_tx(&mut *tx, program_id, erasure_id, now).await? {
                    return Ok(());
                }
                destroy::destroy_in_tx(&mut *tx, &self.means.vault, program_id, (&erasure, now)).await?;
                self.complete_in_tx(tx, program_id, erasure_id, now).await
            })
        })
        .await?;
        self.means.waker.wake();
        Ok(())
    }

    /// Signs the receipt, if everybody is done.
    async fn complete_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        erasure_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), MembersError> {
        let erasure = get_in_tx(&mut *tx, program_id, erasure_id).await?;
        if !erasure.is_to_be_completed() {
            return Ok(());
        }
        let text = erasure.receipt_text(program_id, now);
        let signature = self.means.vault.sign(text.as_bytes());
        let receipt = Receipt { text, signature };
        Ok(storage::complete_in_tx(tx, program_id, erasure_id, (&receipt, now)).await?)
    }
}

/// All records of a person.
struct OnePerson {
    /// The one that stayed.
    member_id: MemberId,
    records: Vec<storage::Record>,
}

impl OnePerson {
    fn ids(&self) -> Vec<Uuid> {
        self.records
            .iter()
            .map(|record| record.member_id.as_uuid())
            .collect()
    }
}

/// Keeps everybody else from a person until the end of the transaction. Answers the ids of all their records.
pub(crate) async fn lock_records_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    named: MemberId,
) -> Result<Vec<Uuid>, MembersError> {
    Ok(lock_person_in_tx(tx, program_id, named).await?.ids())
}

async fn lock_person_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    named: MemberId,
) -> Result<OnePerson, MembersError> {
    let records = storage::lock_person_in_tx(tx, program_id, named).await?;
    if records.len() > RECORDS_MAX {
        return Err(Refusal::TooManyRecords {
            member_id: named,
            count_max: RECORDS_MAX,
        }
        .into());
    }
    let stayed = records
        .iter()
        .find(|record| record.status != MemberStatus::Merged);
    let member_id = stayed
        .map(|record| record.member_id)
        .ok_or_else(|| Refusal::not_found(Resource::Member, named))?;
    Ok(OnePerson { member_id, records })
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure_id: Uuid,
) -> Result<Erasure, MembersError> {
    let found = storage::find_in_tx(tx, program_id, erasure_id).await?;
    found.ok_or_else(|| not_found(erasure_id).into())
}

fn not_found(erasure_id: Uuid) -> Refusal {
    Refusal::not_found(Resource::Erasure, erasure_id)
}

/// The request of one step: the same one whoever takes it, and how often.
fn step(program_id: ProgramId, erasure_id: Uuid, name: &str) -> Request {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(erasure_id.as_bytes())
        .chain_update(name.as_bytes())
        .finalize()
        .into();
    let (id, _) = hash
        .split_first_chunk::<16>()
        .expect("a digest is longer than an id");
    let id = Builder::from_custom_bytes(*id).into_uuid();
    let request_id = RequestId::try_from(id).expect("its version is not zero");
    Request::of_program(program_id, request_id, STEP, hash)
}
