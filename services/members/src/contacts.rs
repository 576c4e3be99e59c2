//! Whether somebody may be contacted: decided and reserved at once, so that no two senders pass the same bound.

pub mod domain;
pub mod grpc;
mod likes;
mod storage;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ContactId, MemberId, ProgramId, SharedClock, uuid_v7};
use fealty_vault::Vault;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::people::domain::MemberStatus;
use crate::refusal::{MembersError, Refusal, Resource};
use crate::{consents, people};
use domain::{
    Contact, Decision, Facts, Judged, Outcome, Rule, TOPIC_OPT_OUTS_MAX, Topic, TopicOptOut, Verdict, decide,
};

/// What can be asked and said about contacts with members.
#[derive(Debug, Clone)]
pub struct Contacts {
    service: PgPool,
    vault: Vault,
    clock: SharedClock,
}

/// A program, and by which clock its people sleep who have not said.
#[derive(Debug, Clone, Copy)]
pub struct Where {
    /// The program.
    pub program_id: ProgramId,
    /// Its time zone.
    pub zone: Tz,
}

/// A decision as it is kept; one that allows is a contact, and bears its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// Its id.
    pub decision_id: Uuid,
    /// What was decided.
    pub decision: Decision,
    /// Until when an allowed contact counts while nobody reports on it.
    pub reserve_until: Option<DateTime<Utc>>,
    /// When.
    pub decide_time: DateTime<Utc>,
}

/// What became of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// What.
    pub outcome: Outcome,
    /// When it was reported.
    pub report_time: DateTime<Utc>,
}

impl Contacts {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, vault: Vault, clock: SharedClock) -> Self {
        Self {
            service,
            vault,
            clock,
        }
    }

    /// Decides whether a member may be contacted. A yes is reserved.
    pub async fn may_contact(
        &self,
        at: Where,
        request: &Request,
        member_id: MemberId,
        contact: &Contact,
    ) -> Result<Made<Decided>, MembersError> {
        let program_id = at.program_id;
        let decision_id = uuid_v7(self.clock.now());
        let asked_at = |now| AskedAt {
            at,
            member_id,
            contact,
            now,
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "may_contact", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, decision_id, self.clock.now()).await? {
                    return find_decided_in_tx(tx, program_id, made).await.map(Made::before);
                }
                // Whoever asks at the same time waits here, and counts the contact that this one makes; whoever withdraws
                // a consent waits, too, or is seen.
                let status = people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
                let status = status.ok_or_else(|| not_found(member_id))?;
                consents::check_party_in_tx(&mut *tx, program_id, &contact.party).await?;
                let now = self.clock.now();
                if let Some(replaced) = contact.replaces {
                    end_in_tx(&mut *tx, program_id, (member_id, replaced), now).await?;
                }
                let facts = load_facts_in_tx(&mut *tx, &asked_at(now), status).await?;
                let decision = decide(&judged(contact), &facts).decision;
                let reserve_until =
                    (decision.rule == Rule::Allowed).then(|| now + facts.settings.reservation());
                let decided = Decided {
                    decision_id,
                    decision,
                    reserve_until,
                    decide_time: now,
                };
                storage::insert_decision_in_tx(tx, program_id, member_id, contact, &decided).await?;
                Ok(Made::now(decided))
            })
        })
        .await
    }

    /// What would be decided now, and why.
    pub async fn explain(
        &self,
        at: Where,
        member_id: MemberId,
        contact: &Contact,
    ) -> Result<Verdict, MembersError> {
        let program_id = at.program_id;
        let now = self.clock.now();
        let asked_at = |now| AskedAt {
            at,
            member_id,
            contact,
            now,
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "explain_contact", scope, options, |tx| {
            in_tx(async move {
                let status = people::find_status_in_tx(&mut *tx, program_id, member_id).await?;
                let status = status.ok_or_else(|| not_found(member_id))?;
                consents::check_party_in_tx(&mut *tx, program_id, &contact.party).await?;
                let facts = load_facts_in_tx(tx, &asked_at(now), status).await?;
                Ok(decide(&judged(contact), &facts))
            })
        })
        .await
    }

    /// Keeps what became of a contact. Answers when it was first reported.
    pub async fn report_delivery(
        &self,
        program_id: ProgramId,
        contact_id: ContactId,
        outcome: Outcome,
    ) -> Result<DateTime<Utc>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "report_delivery", scope, options, |tx| {
            in_tx(async move {
                let contacted = storage::find_contacted_in_tx(&mut *tx, program_id, contact_id).await?;
                let member_id = contacted.ok_or_else(|| Refusal::not_found(Resource::Contact, contact_id))?;
                // A decision under way counts this contact as it was, or as it is now.
                people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
                let reported = Reported {
                    outcome,
                    report_time: self.clock.now(),
                };
                let kept = storage::claim_delivery_in_tx(tx, program_id, contact_id, reported).await?;
                if kept.outcome == outcome {
                    Ok(kept.report_time)
                } else {
                    Err(Refusal::DeliveryReported {
                        contact_id,
                        outcome: kept.outcome,
                    }
                    .into())
                }
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

const fn judged(contact: &Contact) -> Judged<'_> {
    Judged {
        channel: contact.channel,
        purpose: contact.purpose,
        party: &contact.party,
    }
}

/// A question and when it is answered.
struct AskedAt<'a> {
    at: Where,
    member_id: MemberId,
    contact: &'a Contact,
    now: DateTime<Utc>,
}

async fn load_facts_in_tx(
    tx: &mut PgConnection,
    asked: &AskedAt<'_>,
    status: MemberStatus,
) -> Result<Facts, MembersError> {
    let (program_id, member_id) = (asked.at.program_id, asked.member_id);
    let topic = &asked.contact.topic;
    let allowed = consents::load_allowed_in_tx(&mut *tx, program_id, member_id, asked.now).await?;
    let before = storage::Before {
        purpose: asked.contact.purpose,
        settings: storage::find_settings_in_tx(&mut *tx, program_id).await?,
        now: asked.now,
    };
    Ok(Facts {
        status,
        opt_out_time: storage::find_opt_out_in_tx(&mut *tx, program_id, member_id, topic).await?,
        words: allowed.words,
        policy: allowed.policy,
        reached: storage::load_reached_in_tx(&mut *tx, program_id, member_id).await?,
        history: storage::load_history_in_tx(tx, program_id, member_id, &before).await?,
        settings: before.settings,
        program_zone: asked.at.zone,
        now: asked.now,
    })
}

/// Ends what was reserved for a member, unless it was delivered.
async fn end_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_id, contact_id): (MemberId, ContactId),
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    let whose = storage::find_contacted_in_tx(&mut *tx, program_id, contact_id).await?;
    if whose != Some(member_id) {
        return Err(Refusal::not_found(Resource::Contact, contact_id).into());
    }
    let ended = Reported {
        outcome: Outcome::Failed,
        report_time: now,
    };
    storage::claim_delivery_in_tx(tx, program_id, contact_id, ended).await?;
    Ok(())
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}

async fn find_decided_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<Decided, MembersError> {
    let found = storage::find_decision_in_tx(tx, program_id, made).await?;
    Ok(found.ok_or_else(|| StorageError::corrupt("request.resource_id", "names no decision"))?)
}
