//! What members allow, to whom and since when, each with its proof.
//!
//! Every act is a receipt that never changes. Beside them stands the newest word for each thing and company: what contacts
//! are decided by. Both are written under the member's lock, so whatever is decided after an answer was given knows of it.

mod acts;
pub mod domain;
mod events;
pub mod grpc;
mod named;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{MemberId, ProgramId, SharedClock, uuid_v7};
use fealty_vault::Vault;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::people;
use crate::people::domain::Member;
use crate::policies::domain::PolicyVersion;
use crate::refusal::{MembersError, Refusal, Resource};
use acts::Act;
use domain::{Asked, Party, PolicyStanding, Receipt, Word, accepted_on_enrolment};

/// What can be done with consents.
#[derive(Debug, Clone)]
pub struct Consents {
    service: PgPool,
    vault: Vault,
    clock: SharedClock,
    waker: FeedWaker,
}

/// What a member says under a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Under {
    /// The version that they were shown.
    pub version: PolicyVersion,
    /// When; at the time of the call if the caller does not say.
    pub time: Option<DateTime<Utc>>,
}

/// What a member allows: everything that was said, and the policies by which it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The newest words.
    pub words: Vec<Word>,
    /// Which policy was accepted, and which one is in force.
    pub policy: PolicyStanding,
}

impl Consents {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, vault: Vault, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
            vault,
            clock,
            waker,
        }
    }

    /// The time by which what is said is judged.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Records what a member allows.
    pub async fn grant(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
        under: Under,
    ) -> Result<Made<Receipt>, MembersError> {
        self.record(program_id, request, asked, Act::Grant(under)).await
    }

    /// Records what a member allows no longer, whatever they may still do: nobody is too late to be left alone.
    pub async fn withdraw(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
    ) -> Result<Made<Receipt>, MembersError> {
        self.record(program_id, request, asked, Act::Withdraw).await
    }

    /// Records that a member accepts a policy.
    pub async fn accept_policy(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
        under: Under,
    ) -> Result<Made<Receipt>, MembersError> {
        self.record(program_id, request, asked, Act::Accept(under)).await
    }

    /// What a member allows, for one company to be judged by.
    pub async fn get(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        party: &Party,
    ) -> Result<Allowed, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_consents", scope, options, |tx| {
            in_tx(async move {
                if !people::is_enrolled_in_tx(&mut *tx, program_id, member_id).await? {
                    return Err(not_found(member_id).into());
                }
                check_party_in_tx(&mut *tx, program_id, party).await?;
                load_allowed_in_tx(tx, program_id, member_id, now).await
            })
        })
        .await
    }

    /// What a member said before a place in their history, newest first.
    pub async fn list_history(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        before: Option<(DateTime<Utc>, Uuid)>,
        count_max: i64,
    ) -> Result<Vec<Receipt>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_consent_history", scope, options, |tx| {
            in_tx(async move {
                if !people::is_enrolled_in_tx(&mut *tx, program_id, member_id).await? {
                    return Err(not_found(member_id).into());
                }
                Ok(storage::list_receipts_in_tx(tx, program_id, member_id, before, count_max).await?)
            })
        })
        .await
    }
}

/// What a member allows. The member is there, and so is a policy: nobody is enrolled without one.
pub(crate) async fn load_allowed_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<Allowed, MembersError> {
    let policy = storage::find_policy_standing_in_tx(&mut *tx, program_id, member_id, now).await?;
    Ok(Allowed {
        words: storage::load_words_in_tx(tx, program_id, member_id).await?,
        policy: policy.ok_or(Refusal::PolicyMissing)?,
    })
}

/// Refuses a company that the program has not named.
pub(crate) async fn check_party_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    party: &Party,
) -> Result<(), MembersError> {
    let Some(code) = party else {
        return Ok(());
    };
    let found = storage::find_company_in_tx(tx, program_id, code).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Company, code))?;
    Ok(())
}

/// Keeps the proof of what somebody accepts who is being enrolled.
pub(crate) async fn note_enrolment_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &Member,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (member_id, accepted_by) = (member.member_id, member.accepted_by);
    let receipt = accepted_on_enrolment(uuid_v7(now), member_id, &member.acceptance, accepted_by, now);
    storage::insert_receipt_in_tx(tx, program_id, &receipt).await
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}
