//! What members allow, to whom and since when, each with its proof.
//!
//! Every act is a receipt that never changes. Beside them stands the newest word for each thing and company: what contacts
//! are decided by. Both are written under the member's lock, so whatever is decided after an answer was given knows of it.

pub mod domain;
mod events;
pub mod grpc;
mod named;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{MemberId, ProgramId, SharedClock, uuid_v7};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::people::domain::Acceptance;
use crate::policies::domain::{PolicyHead, PolicyVersion};
use crate::refusal::{MembersError, Refusal, Resource};
use crate::{people, policies};
use domain::{
    Asked, Change, Concerns, Origin, Party, PolicyStanding, Receipt, Shown, Word, accepted_on_enrolment,
    ended_by, outweighing, withdrawal_time, words_of,
};

/// What can be done with consents.
#[derive(Debug, Clone)]
pub struct Consents {
    service: PgPool,
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
    pub const fn new(service: PgPool, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
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
        let receipt_id = uuid_v7(self.clock.now());
        let member_id = asked.member_id;
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "grant_consent", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, receipt_id, self.clock.now()).await? {
                    return get_receipt_in_tx(tx, program_id, made).await.map(Made::before);
                }
                lock_changeable_in_tx(&mut *tx, program_id, member_id).await?;
                check_named_in_tx(&mut *tx, program_id, asked).await?;
                // The time after the wait for those before us.
                let now = self.clock.now();
                let shown = check_shown_in_tx(&mut *tx, program_id, under.version, now).await?;
                let receipt = Receipt {
                    items: asked.pick.items(),
                    policy: Some(Shown {
                        version: shown.version,
                        text_hash: shown.text_hash,
                    }),
                    // A till's clock may be a little ahead of ours; nobody consents in the future.
                    consent_time: under.time.unwrap_or(now).min(now),
                    ..receipt_of(receipt_id, Change::Granted, asked, now)
                };
                let said = storage::load_words_in_tx(&mut *tx, program_id, member_id).await?;
                let words = outweighing(&said, words_of(&receipt, receipt.consent_time));
                write_in_tx(tx, program_id, &receipt, &words).await?;
                Ok::<_, MembersError>(Made::now(receipt))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Records what a member allows no longer, whatever they may still do: nobody is too late to be left alone.
    pub async fn withdraw(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
    ) -> Result<Made<Receipt>, MembersError> {
        let receipt_id = uuid_v7(self.clock.now());
        let member_id = asked.member_id;
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "withdraw_consent", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, receipt_id, self.clock.now()).await? {
                    return get_receipt_in_tx(tx, program_id, made).await.map(Made::before);
                }
                let status = people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
                status.ok_or_else(|| not_found(member_id))?;
                check_named_in_tx(&mut *tx, program_id, asked).await?;
                let now = self.clock.now();
                let said = storage::load_words_in_tx(&mut *tx, program_id, member_id).await?;
                let receipt = Receipt {
                    items: ended_by(&asked.pick, &concerns_of(asked), &said),
                    ..receipt_of(receipt_id, Change::Withdrawn, asked, now)
                };
                let words = outweighing(&said, words_of(&receipt, withdrawal_time(&said, now)));
                write_in_tx(tx, program_id, &receipt, &words).await?;
                Ok::<_, MembersError>(Made::now(receipt))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Records that a member accepts the policy in force.
    pub async fn accept_policy(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
        under: Under,
    ) -> Result<Made<Receipt>, MembersError> {
        let receipt_id = uuid_v7(self.clock.now());
        let member_id = asked.member_id;
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "accept_policy", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, receipt_id, self.clock.now()).await? {
                    return get_receipt_in_tx(tx, program_id, made).await.map(Made::before);
                }
                lock_changeable_in_tx(&mut *tx, program_id, member_id).await?;
                check_named_in_tx(&mut *tx, program_id, asked).await?;
                let now = self.clock.now();
                let shown = check_shown_in_tx(&mut *tx, program_id, under.version, now).await?;
                let acceptance = Acceptance {
                    policy_id: shown.policy_id,
                    version: shown.version,
                    text_hash: shown.text_hash,
                    channel: asked.origin.source.clone(),
                    accept_time: under.time.unwrap_or(now).min(now),
                };
                let receipt = Receipt {
                    origin: asked.origin.clone(),
                    actor: Some(asked.actor.clone()),
                    ..accepted_on_enrolment(receipt_id, member_id, &acceptance, now)
                };
                storage::insert_receipt_in_tx(&mut *tx, program_id, &receipt).await?;
                people::accept_policy_in_tx(tx, program_id, member_id, &acceptance, now).await?;
                Ok(Made::now(receipt))
            })
        })
        .await
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
    member_id: MemberId,
    acceptance: &Acceptance,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let receipt = accepted_on_enrolment(uuid_v7(now), member_id, acceptance, now);
    storage::insert_receipt_in_tx(tx, program_id, &receipt).await
}

fn receipt_of(receipt_id: Uuid, change: Change, asked: &Asked, now: DateTime<Utc>) -> Receipt {
    Receipt {
        receipt_id,
        member_id: asked.member_id,
        change,
        items: Vec::new(),
        for_group: Some(asked.for_group),
        said_to: asked.said_to.clone(),
        origin: asked.origin.clone(),
        actor: Some(asked.actor.clone()),
        policy: None,
        consent_time: now,
        record_time: now,
    }
}

fn concerns_of(asked: &Asked) -> Concerns {
    if asked.for_group {
        Concerns::Group
    } else {
        Concerns::One(asked.said_to.clone())
    }
}

async fn write_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    receipt: &Receipt,
    words: &[Word],
) -> Result<(), StorageError> {
    storage::insert_receipt_in_tx(&mut *tx, program_id, receipt).await?;
    if words.is_empty() {
        return Ok(());
    }
    storage::upsert_words_in_tx(&mut *tx, program_id, receipt.member_id, words).await?;
    append_in_tx(tx, program_id, &[events::changed(receipt)]).await
}

/// Those who are closed or merged allow nothing any more.
async fn lock_changeable_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<(), MembersError> {
    let status = people::lock_status_in_tx(tx, program_id, member_id).await?;
    let status = status.ok_or_else(|| not_found(member_id))?;
    if status.is_final() {
        return Err(Refusal::MemberNotActive { member_id, status }.into());
    }
    Ok(())
}

async fn check_named_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    asked: &Asked,
) -> Result<(), MembersError> {
    check_party_in_tx(&mut *tx, program_id, &asked.said_to).await?;
    let Origin {
        guardian_member_id: Some(guardian),
        ..
    } = asked.origin
    else {
        return Ok(());
    };
    if people::is_enrolled_in_tx(tx, program_id, guardian).await? {
        Ok(())
    } else {
        Err(not_found(guardian).into())
    }
}

/// The policy that somebody was shown, if it is the one in force.
async fn check_shown_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    version: PolicyVersion,
    now: DateTime<Utc>,
) -> Result<PolicyHead, MembersError> {
    let in_force = policies::find_in_force_in_tx(tx, program_id, now).await?;
    let in_force = in_force.ok_or(Refusal::PolicyMissing)?;
    if in_force.version == version {
        Ok(in_force)
    } else {
        Err(Refusal::PolicyVersionOutdated {
            policy_id: in_force.policy_id,
            policy_version: in_force.version,
        }
        .into())
    }
}

/// Receipts are never deleted, so what a request made is there.
async fn get_receipt_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<Receipt, MembersError> {
    let found = storage::find_receipt_in_tx(tx, program_id, made).await?;
    Ok(found.ok_or_else(|| StorageError::corrupt("request.resource_id", "names no receipt"))?)
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}
