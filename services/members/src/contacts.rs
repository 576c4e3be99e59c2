//! Whether somebody may be contacted: decided and counted at once, so that no two senders pass the same bound.

pub mod domain;
pub mod grpc;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, SharedClock, uuid_v7};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::people;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{Contact, Decision, TOPIC_OPT_OUTS_MAX, Topic, TopicOptOut, decide};

/// What can be asked and said about contacts with members.
#[derive(Debug, Clone)]
pub struct Contacts {
    service: PgPool,
    clock: SharedClock,
}

impl Contacts {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// Decides whether a member may be contacted. A yes counts as a contact.
    pub async fn may_contact(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        contact: &Contact,
    ) -> Result<Made<Decision>, MembersError> {
        let decision_id = uuid_v7(self.clock.now());
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "may_contact", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, decision_id, self.clock.now()).await? {
                    return find_decided_in_tx(tx, program_id, made).await.map(Made::before);
                }
                // Whoever asks at the same time waits here, and counts the contact that this one makes.
                let status = people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
                let status = status.ok_or_else(|| not_found(member_id))?;
                let now = self.clock.now();
                let history =
                    storage::load_history_in_tx(&mut *tx, program_id, member_id, contact, now).await?;
                let decision = decide(status, contact.purpose, &history);
                let decided = storage::Decided {
                    decision_id,
                    member_id,
                    contact,
                    decision,
                    decide_time: now,
                };
                storage::insert_decision_in_tx(tx, program_id, &decided).await?;
                Ok(Made::now(decision))
            })
        })
        .await
    }

    /// Ends a topic for a member, whatever they may still do: nobody is too late to be left alone. Answers since when it
    /// is ended.
    pub async fn opt_out_topic(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        topic: &Topic,
    ) -> Result<DateTime<Utc>, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "opt_out_topic", scope, options, |tx| {
            in_tx(async move {
                if people::lock_status_in_tx(&mut *tx, program_id, member_id)
                    .await?
                    .is_none()
                {
                    return Err(not_found(member_id).into());
                }
                if let Some(time) =
                    storage::find_opt_out_in_tx(&mut *tx, program_id, member_id, topic).await?
                {
                    return Ok(time);
                }
                let topic_count = storage::count_opt_outs_in_tx(&mut *tx, program_id, member_id).await?;
                if topic_count >= TOPIC_OPT_OUTS_MAX {
                    return Err(Refusal::CountExceeded {
                        resource: "topic_opt_outs",
                        count_max: TOPIC_OPT_OUTS_MAX,
                    }
                    .into());
                }
                Ok(storage::insert_opt_out_in_tx(tx, program_id, member_id, topic, now).await?)
            })
        })
        .await
    }

    /// The topics after one that a member has opted out of.
    pub async fn list_topic_opt_outs(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        after: Option<&str>,
        count_max: i64,
    ) -> Result<Vec<TopicOptOut>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_topic_opt_outs", scope, options, |tx| {
            in_tx(async move {
                if !people::is_enrolled_in_tx(&mut *tx, program_id, member_id).await? {
                    return Err(not_found(member_id).into());
                }
                Ok(storage::list_opt_outs_in_tx(tx, program_id, member_id, after, count_max).await?)
            })
        })
        .await
    }
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}

async fn find_decided_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<Decision, MembersError> {
    let found = storage::find_decision_in_tx(tx, program_id, made).await?;
    Ok(found.ok_or_else(|| StorageError::corrupt("request.resource_id", "names no decision"))?)
}
