//! Changes of members that the ledger has to know of before they hold: status, merge, household.
//!
//! ```text
//! stored (OPEN) ── told to the ledger ── made here (DONE) ── answered
//!                         └── refused by the ledger (REFUSED)
//! ```
//!
//! Until a change is made, reads show what was before it; the ledger may already hold to it. A member takes part in one
//! change at a time: whoever wants the next one ends the one before first. What was cut off is ended by the retry with
//! the same request id, which goes on where the first attempt stopped, or by a job.
//!
//! The ledger can refuse (an open hold, a sum too large): then nothing is done, the member is free again, and the same
//! request may be tried again. A change ends so only when no other attempt at it can still be running, because that one
//! could succeed where this one did not.

mod confirm;
pub mod domain;
mod events;
mod storage;
mod telling;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{ClaimError, Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactError, TransactOptions, in_tx, transact};
use fealty_types::{HouseholdId, ProgramId, uuid_v7};
use fealty_vault::{Person, Personal};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::households;
use crate::households::domain::InvitationStatus;
use crate::means::Means;
use crate::people;
use crate::refusal::{MembersError, Refusal, Resource};
use confirm::Making;
use domain::{Asked, Change, ChangeKind, ChangeState, Home, Plan, Taking, plan};
use storage::Attempt;

pub(crate) use events::invitation_changed;
pub(crate) use storage::{find_status_in_tx, is_accepting_in_tx};

/// How long an attempt may run, and how long a change is left to the call that makes it and to its caller's retries
/// before the job takes it on. Longer than all steps at the ledger may take together.
const ATTEMPT_LENGTH_MAX: TimeDelta = TimeDelta::seconds(30);

/// Changes of others that a call ends before its own: whoever finds the member taken again and again is better told so.
const OTHERS_MAX: usize = 5;

/// Carries changes out.
#[derive(Debug, Clone)]
pub struct Changes {
    means: Means,
}

/// Who asked for a change, and why.
#[derive(Debug, Clone)]
pub struct Because {
    /// A staff member or a key.
    pub actor: String,
    /// Words about a person.
    pub reason: Option<Personal>,
}

/// What was stored of a request.
#[derive(Debug, Clone)]
struct Begun {
    /// None when what was asked for is so already.
    change: Option<Change>,
    /// An earlier attempt of the same request stored it.
    replayed: bool,
}

/// Why a change was not begun.
#[derive(Debug, thiserror::Error)]
enum BeginError {
    /// One of those who take part is in the middle of another one.
    #[error("the change {0} is under way")]
    Busy(Uuid),
    /// As everywhere.
    #[error(transparent)]
    Members(#[from] MembersError),
}

impl From<StorageError> for BeginError {
    fn from(error: StorageError) -> Self {
        Self::Members(error.into())
    }
}

impl From<ClaimError> for BeginError {
    fn from(error: ClaimError) -> Self {
        Self::Members(error.into())
    }
}

impl From<Refusal> for BeginError {
    fn from(refusal: Refusal) -> Self {
        Self::Members(refusal.into())
    }
}

impl From<sqlx::Error> for BeginError {
    fn from(error: sqlx::Error) -> Self {
        Self::Members(error.into())
    }
}

impl TransactError for BeginError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Members(error) => error.storage(),
            Self::Busy(_) => None,
        }
    }
}

impl Changes {
    /// Over what it takes to tell the ledger first.
    #[must_use]
    pub const fn new(means: Means) -> Self {
        Self { means }
    }

    /// Carries out what is asked for. Answers the change, and none when it was so already.
    pub async fn carry_out(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
        because: &Because,
    ) -> Result<Made<Option<Change>>, MembersError> {
        let request = &people::keyed(&self.means.vault, program_id, request);
        for _ in 0..OTHERS_MAX {
            let begun = match self.begin(program_id, request, asked, because).await {
                Ok(begun) => begun,
                Err(BeginError::Busy(change_id)) => {
                    self.finish_others(program_id, change_id).await?;
                    continue;
                }
                Err(BeginError::Members(error)) => return Err(error),
            };
            let open = |change: &&Change| change.state == ChangeState::Open;
            if let Some(change) = begun.change.as_ref().filter(open) {
                if begun.replayed {
                    if !self.take_up(program_id, change.change_id).await? {
                        // Another attempt has ended it since, and not always as made.
                        continue;
                    }
                } else {
                    self.finish(program_id, change, Attempt::FIRST).await?;
                }
            }
            return Ok(Made {
                resource: begun.change,
                replayed: begun.replayed,
            });
        }
        Err(Refusal::Contended.into())
    }

    /// Finishes changes that were left half-made, at most so many of them. Answers how many it took on and how many of
    /// those are ended.
    pub(crate) async fn finish_leftovers(&self, count_max: i64) -> Result<(usize, usize), MembersError> {
        let now = self.means.clock.now();
        let options = TransactOptions::default();
        let scope = Scope::Suite;
        let claimed = transact(&self.means.jobs, "claim_open_changes", scope, options, |tx| {
            in_tx(async move {
                Ok::<_, MembersError>(
                    storage::claim_leftovers_in_tx(tx, now, now + ATTEMPT_LENGTH_MAX, count_max).await?,
                )
            })
        })
        .await?;
        let finishing = claimed
            .iter()
            .map(|(program_id, change, attempt)| self.finish(*program_id, change, *attempt));
        let ends = futures::future::join_all(finishing).await;
        let is_end =
            |end: &Result<(), MembersError>| matches!(end, Ok(()) | Err(MembersError::LedgerRefused(_)));
        Ok((claimed.len(), ends.iter().filter(|end| is_end(end)).count()))
    }

    /// Stores what is to be done, or finds what an earlier attempt of the same request stored.
    async fn begin(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
        because: &Because,
    ) -> Result<Begun, BeginError> {
        let new_id = uuid_v7(self.means.clock.now());
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "begin_change", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, new_id, self.means.clock.now()).await?;
                let earlier = match claimed {
                    Some(change_id) => storage::find_in_tx(&mut *tx, program_id, change_id).await?,
                    None => None,
                };
                let again = earlier
                    .as_ref()
                    .is_some_and(|change| change.state == ChangeState::Refused);
                if claimed.is_some() && !again {
                    return Ok(Begun {
                        change: earlier,
                        replayed: true,
                    });
                }
                let change_id = claimed.unwrap_or(new_id);
                let change = self
                    .store_in_tx(tx, program_id, (asked, because), change_id)
                    .await?;
                Ok(Begun {
                    change,
                    replayed: false,
                })
            })
        })
        .await
    }

    async fn store_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        (asked, because): (&Asked, &Because),
        change_id: Uuid,
    ) -> Result<Option<Change>, BeginError> {
        let now = self.means.clock.now();
        let home = lock_home_in_tx(&mut *tx, program_id, asked).await?;
        let mut member_ids = asked.member_ids();
        if let Asked::DissolveHousehold { .. } = asked {
            member_ids.extend(home.seats.iter().map(|seat| seat.member_id));
        }
        let taking = storage::lock_members_in_tx(&mut *tx, program_id, &member_ids).await?;
        if let Some(busy) = taking.iter().find_map(|member| member.open_change_id) {
            return Err(BeginError::Busy(busy));
        }
        let is_answered = self
            .answer_in_tx(&mut *tx, program_id, asked, (&taking, now))
            .await?;
        let planned = if is_answered {
            None
        } else {
            plan(asked, &taking, &home, change_id)?
        };
        let Some(Plan { kind, limits, also }) = planned else {
            return Ok(None);
        };
        let now = self.means.clock.now();
        match kind {
            ChangeKind::CreateHousehold { household_id } => {
                storage::insert_household_in_tx(&mut *tx, program_id, household_id, now).await?;
            }
            ChangeKind::Merge { into_member_id, .. } => {
                let both = (asked.member_id(), into_member_id);
                people::check_takes_wards_in_tx(&mut *tx, &self.means.vault, program_id, both, now).await?;
            }
            _ => {}
        }
        let change = Change {
            change_id,
            member_id: asked.member_id(),
            kind,
            limits,
            also,
            state: ChangeState::Open,
        };
        let reason = match &because.reason {
            Some(reason) => {
                let person = Person {
                    program_id,
                    member_id: change.member_id,
                };
                let field = format!("change_reason/{change_id}");
                Some(people::seal_in_tx(&mut *tx, &self.means.vault, person, &field, reason).await?)
            }
            None => None,
        };
        let stored = storage::NewChange {
            change: &change,
            actor: &because.actor,
            reason: reason.as_deref(),
            begin_time: now,
            finish_after: now + ATTEMPT_LENGTH_MAX,
        };
        storage::upsert_in_tx(&mut *tx, program_id, &stored).await?;
        storage::occupy_in_tx(tx, program_id, &change).await?;
        Ok(Some(change))
    }

    /// Looks at the invitation that is accepted. True when who is invited is where it leads to already: then it is accepted
    /// by that.
    async fn answer_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        asked: &Asked,
        (taking, now): (&[Taking], DateTime<Utc>),
    ) -> Result<bool, BeginError> {
        let Asked::JoinHousehold {
            member_id,
            household_id,
            invitation_id: Some(invitation_id),
            ..
        } = asked
        else {
            return Ok(false);
        };
        let found = households::lock_invitation_in_tx(&mut *tx, program_id, *invitation_id).await?;
        let invitation = found.filter(|invitation| invitation.member_id == *member_id);
        let invitation =
            invitation.ok_or_else(|| Refusal::not_found(Resource::HouseholdInvitation, invitation_id))?;
        let is_there = taking
            .iter()
            .any(|member| member.member_id == *member_id && member.household_id == Some(*household_id));
        if is_there && invitation.status == InvitationStatus::Accepted {
            return Ok(true);
        }
        invitation.require_open(now)?;
        if is_there {
            let accepted = InvitationStatus::Accepted;
            households::set_status_in_tx(&mut *tx, program_id, *invitation_id, accepted).await?;
            let event = invitation_changed(*invitation_id, (*household_id, *member_id), accepted, now);
            append_in_tx(tx, program_id, &[event]).await?;
        }
        Ok(is_there)
    }

    /// Ends a change that keeps a member from the next one. Whether it is made or refused is not this caller's matter.
    async fn finish_others(&self, program_id: ProgramId, change_id: Uuid) -> Result<(), MembersError> {
        match self.take_up(program_id, change_id).await {
            Ok(_) | Err(MembersError::LedgerRefused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Goes on with a change and makes it. False when it has been ended meanwhile.
    async fn take_up(&self, program_id: ProgramId, change_id: Uuid) -> Result<bool, MembersError> {
        let now = self.means.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        let taken = transact(&self.means.service, "take_up_change", scope, options, |tx| {
            in_tx(async move {
                let finish_after = now + ATTEMPT_LENGTH_MAX;
                Ok::<_, MembersError>(
                    storage::begin_attempt_in_tx(tx, program_id, change_id, now, finish_after).await?,
                )
            })
        })
        .await?;
        match taken {
            Some((change, attempt)) => {
                self.finish(program_id, &change, attempt).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Tells the ledger, and makes the change. Doing it again changes nothing.
    async fn finish(
        &self,
        program_id: ProgramId,
        change: &Change,
        attempt: Attempt,
    ) -> Result<(), MembersError> {
        match telling::tell(&self.means.ledger, program_id, change, attempt.number).await {
            Ok(()) => self.confirm(program_id, change).await,
            Err(MembersError::LedgerRefused(refusal)) => {
                let refused = match attempt.others_until {
                    None => self.refuse(program_id, change, attempt).await?,
                    Some(time) => self.end_attempt(program_id, change, attempt.number, time).await?,
                };
                // Another attempt may still succeed, so nobody knows yet.
                Err(if refused {
                    MembersError::LedgerRefused(refusal)
                } else {
                    Refusal::Contended.into()
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn confirm(&self, program_id: ProgramId, change: &Change) -> Result<(), MembersError> {
        let making = &Making {
            vault: &self.means.vault,
            program_id,
            now: self.means.clock.now(),
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "confirm_change", scope, options, |tx| {
            in_tx(making.confirm_in_tx(tx, change))
        })
        .await?;
        self.means.waker.wake();
        Ok(())
    }

    /// Ends an attempt beside which another one may still be running. Never ends the change.
    async fn end_attempt(
        &self,
        program_id: ProgramId,
        change: &Change,
        number: i64,
        others_until: DateTime<Utc>,
    ) -> Result<bool, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::default());
        transact(&self.means.service, "end_change_attempt", scope, options, |tx| {
            in_tx(async move {
                storage::end_attempt_in_tx(tx, program_id, change.change_id, number, others_until).await?;
                Ok::<_, MembersError>(false)
            })
        })
        .await
    }

    /// Ends a change as refused, unless another attempt has begun. Says whether it did.
    async fn refuse(
        &self,
        program_id: ProgramId,
        change: &Change,
        attempt: Attempt,
    ) -> Result<bool, MembersError> {
        let now = self.means.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.means.service, "refuse_change", scope, options, |tx| {
            in_tx(async move {
                storage::lock_members_in_tx(&mut *tx, program_id, &change.member_ids()).await?;
                let refused =
                    storage::refuse_in_tx(&mut *tx, program_id, change.change_id, attempt, now).await?;
                if refused {
                    storage::release_in_tx(tx, program_id, change).await?;
                }
                Ok::<_, MembersError>(refused)
            })
        })
        .await
    }
}

/// Keeps others from coming to a household, or going, until the end of the transaction. What is under way in it goes on.
pub(crate) async fn lock_home_of_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<Home, MembersError> {
    let locked = storage::lock_household_in_tx(&mut *tx, program_id, household_id).await?;
    let is_dissolved = locked.ok_or_else(|| Refusal::not_found(Resource::Household, household_id))?;
    let home = read_home_in_tx(tx, program_id, household_id).await?;
    Ok(Home { is_dissolved, ..home })
}

/// Who belongs to a household, as it is just now.
pub(crate) async fn read_home_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<Home, StorageError> {
    Ok(Home {
        seats: storage::list_seats_in_tx(&mut *tx, program_id, household_id).await?,
        seats_taken: storage::count_seats_in_tx(tx, program_id, household_id).await?,
        is_dissolved: false,
    })
}

/// Keeps others from coming to the household that a change is about, or going, until the end of the transaction.
async fn lock_home_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    asked: &Asked,
) -> Result<Home, BeginError> {
    let Some(household_id) = asked.household_id() else {
        return Ok(Home::default());
    };
    let locked = storage::lock_household_in_tx(&mut *tx, program_id, household_id).await?;
    let is_dissolved = locked.ok_or_else(|| Refusal::not_found(Resource::Household, household_id))?;
    // Whoever is on the way into it or out of it comes first, where it is to end; else only its end does.
    let any = matches!(asked, Asked::DissolveHousehold { .. });
    if let Some(busy) = storage::find_open_in_tx(&mut *tx, program_id, household_id, any).await? {
        return Err(BeginError::Busy(busy));
    }
    let home = read_home_in_tx(tx, program_id, household_id).await?;
    Ok(Home { is_dissolved, ..home })
}
