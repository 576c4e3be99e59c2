//! Enrolment: stored here, opened in the ledger, confirmed here, and only then answered.
//!
//! Between those steps the person is nobody's member yet: no call shows them. Whatever goes wrong in between, the retry
//! with the same request id goes on where the first attempt stopped; and should nobody retry, a job does the rest.

use chrono::TimeDelta;
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use super::cards::{Sent, link_in_tx};
use super::days;
use super::domain::{
    Change, Identifier, IdentifierChange, IdentifierValue, Member, NewMember, accept, check_counts,
};
use super::identifiers::{ATTEMPTS_MAX, Taken, find_taken};
use super::noting::{Done, Noted};
use super::traits::note_traits_in_tx;
use super::updating::Choice;
use super::{events, seal, storage};
use crate::means::Means;
use crate::refusal::{MembersError, Refusal};
use crate::{consents, policies, referrals};

/// How long an enrolment is left to the call that makes it and to its caller's retries, before the job takes it on.
/// Longer than a call waits for the ledger, and no longer than a person would wait for their card to work.
const FINISH_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Enrols people.
#[derive(Debug, Clone)]
pub struct Enrolments {
    pub(super) means: Means,
}

/// What the first step left.
#[derive(Debug, Clone)]
struct Enrolled {
    member: Member,
    /// An earlier attempt stored them.
    replayed: bool,
    /// The ledger knows them.
    confirmed: bool,
}

impl Enrolments {
    /// Over what it takes to tell the ledger first.
    #[must_use]
    pub const fn new(means: Means) -> Self {
        Self { means }
    }

    /// Enrols a person.
    pub async fn enrol(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewMember,
    ) -> Result<Made<Member>, MembersError> {
        let request = &seal::keyed(&self.means.vault, program_id, request);
        let enrolled = self.store(program_id, request, new).await?;
        if !enrolled.confirmed {
            self.finish(program_id, enrolled.member.member_id).await?;
        }
        Ok(Made {
            resource: enrolled.member,
            replayed: enrolled.replayed,
        })
    }

    /// Finishes enrolments that were left half-made, at most so many of them. Answers how many it took on and how many
    /// of those are finished.
    pub(crate) async fn finish_leftovers(&self, count_max: i64) -> Result<(usize, usize), MembersError> {
        let now = self.means.clock.now();
        let options = TransactOptions::default();
        let claimed =
            transact(
                &self.means.jobs,
                "claim_unfinished_members",
                Scope::Suite,
                options,
                |tx| {
                    in_tx(async move {
                        storage::claim_unfinished_in_tx(tx, now, now + FINISH_AFTER, count_max).await
                    })
                },
            )
            .await?;
        let finishing = claimed
            .iter()
            .map(|(program_id, member_id)| self.finish(*program_id, *member_id));
        let ends = futures::future::join_all(finishing).await;
        let finished_count = ends.iter().filter(|end| end.is_ok()).count();
        Ok((claimed.len(), finished_count))
    }

    /// Stores a person whom nobody sees yet, or finds what an earlier attempt stored.
    async fn store(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewMember,
    ) -> Result<Enrolled, MembersError> {
        for _ in 0..ATTEMPTS_MAX {
            let stored = self.try_store(program_id, request, new).await;
            match find_taken(
                &self.means.service,
                &self.means.vault,
                program_id,
                &new.identifiers,
                stored,
            )
            .await?
            {
                Taken::Not(enrolled) => return Ok(enrolled),
                Taken::By { identifier_id, index } => {
                    return Err(Refusal::IdentifierTaken {
                        identifier_id,
                        kind: new.identifiers[index].kind().field(),
                        index: Some(index),
                    }
                    .into());
                }
                Taken::NoLonger => {}
            }
        }
        Err(Refusal::Contended.into())
    }

    async fn try_store(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewMember,
    ) -> Result<Enrolled, MembersError> {
        let now = self.means.clock.now();
        let member_id = MemberId::generate_at(now);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "enrol_member", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, member_id.as_uuid(), now).await? {
                    return self.find_enrolled_in_tx(tx, program_id, made).await;
                }
                let in_force = policies::find_in_force_in_tx(&mut *tx, program_id, now).await?;
                let acceptance = accept(new.acceptance.as_ref(), in_force.as_ref(), now)?;
                check_counts(new.identifiers.iter().map(IdentifierValue::kind))?;
                let choice = Choice {
                    birth_date: new.profile.birth_date,
                    current: None,
                    asked: Change::Set(new.guardian_member_id),
                    field: "guardian_member_id",
                    of: member_id,
                    now,
                };
                let guardian = choice
                    .decide_in_tx(&mut *tx, &self.means.vault, program_id)
                    .await?;
                let member = new.start(member_id, acceptance, guardian, now);
                let sealed = seal::seal_new(&self.means.vault, program_id, &member);
                storage::insert_in_tx(&mut *tx, program_id, &sealed, now + FINISH_AFTER).await?;
                link_in_tx(&mut *tx, program_id, (&sealed.identifiers, Sent::Listed), now).await?;
                let noted = added(&member);
                let done = Done {
                    actor: &new.actor,
                    time: now,
                };
                storage::insert_history_in_tx(&mut *tx, program_id, member_id, &noted, done).await?;
                note_traits_in_tx(&mut *tx, &self.means.vault, program_id, None, &member).await?;
                consents::note_enrolment_in_tx(&mut *tx, program_id, &member, now).await?;
                days::note_in_tx(&mut *tx, program_id, &member).await?;
                if let Some(brought) = &new.referral {
                    let whom = (program_id, member_id);
                    referrals::record_at_enrolment_in_tx(tx, &self.means.vault, whom, brought, now).await?;
                }
                Ok(Enrolled {
                    member,
                    replayed: false,
                    confirmed: false,
                })
            })
        })
        .await
    }

    async fn find_enrolled_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        made: uuid::Uuid,
    ) -> Result<Enrolled, MembersError> {
        let corrupt = |reason: &str| StorageError::corrupt("request.resource_id", reason);
        let member_id = MemberId::try_from(made).map_err(|_| corrupt("is no member's id"))?;
        let sealed = storage::find_in_tx(tx, program_id, member_id)
            .await?
            .ok_or_else(|| corrupt("names no member"))?;
        let confirmed = sealed.ledger_confirmed;
        let (member, _) = seal::open(&self.means.vault, program_id, sealed)?;
        Ok(Enrolled {
            member,
            replayed: true,
            confirmed,
        })
    }

    /// Has the ledger open the member's owner, and remembers it. Doing it again changes nothing.
    async fn finish(&self, program_id: ProgramId, member_id: MemberId) -> Result<(), MembersError> {
        self.means.ledger.open_owner(program_id, member_id).await?;
        let now = self.means.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "confirm_member", scope, options, |tx| {
            in_tx(async move {
                if storage::confirm_in_tx(&mut *tx, program_id, member_id).await? {
                    append_in_tx(&mut *tx, program_id, &[events::enrolled(member_id, now)]).await?;
                    referrals::tell_enrolled_in_tx(tx, program_id, member_id, now).await?;
                }
                Ok::<_, MembersError>(())
            })
        })
        .await?;
        self.means.waker.wake();
        Ok(())
    }
}

/// What becomes of the identifiers of somebody who is enrolled.
fn added(member: &Member) -> Vec<Noted> {
    let noted = |identifier: &Identifier| Noted::of(identifier, IdentifierChange::Added);
    member.identifiers.iter().map(noted).collect()
}
