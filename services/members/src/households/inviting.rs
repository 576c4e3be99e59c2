//! Invitations to households.

use chrono::{DateTime, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{InvitationId, MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{
    Household, HouseholdRole, INVITATION_LENGTH, INVITATIONS_MAX, Invitation, InvitationStatus, NewInvitation,
};
use super::storage::InvitationsOf;
use super::{Households, storage};
use crate::changes::domain::Asked;
use crate::changes::{self, Because};
use crate::people::domain::MemberStatus;
use crate::refusal::{HouseholdRefusal, MembersError, Refusal, Resource};

/// What is done with an invitation that nobody accepts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// By who is invited.
    Declined(MemberId),
    /// By the household's head or who invited; None for the program.
    Withdrawn(Option<MemberId>),
}

impl Households {
    /// Invites a member.
    pub(super) async fn invite(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewInvitation,
    ) -> Result<Made<Invitation>, MembersError> {
        let now = self.clock.now();
        let invitation_id = InvitationId::generate_at(now);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "invite_to_household", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, invitation_id.as_uuid(), now).await? {
                    return find_made_in_tx(tx, program_id, made).await.map(Made::before);
                }
                let invitation = Invitation {
                    invitation_id,
                    household_id: new.household_id,
                    member_id: new.member_id,
                    by: new.by,
                    terms: new.terms.clone(),
                    status: InvitationStatus::Open,
                    expire_time: new.expire_time.unwrap_or(now + INVITATION_LENGTH),
                    create_time: now,
                };
                invite_in_tx(tx, program_id, &invitation, now).await?;
                Ok::<_, MembersError>(Made::now(invitation))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Accepts an invitation.
    pub(super) async fn accept(
        &self,
        program_id: ProgramId,
        request: &Request,
        (invitation_id, member_id): (InvitationId, MemberId),
        because: &Because,
    ) -> Result<Made<Household>, MembersError> {
        let invitation = self.find_invitation(program_id, invitation_id).await?;
        if invitation.member_id != member_id {
            return Err(not_found(invitation_id).into());
        }
        let household_id = invitation.household_id;
        let asked = Asked::JoinHousehold {
            member_id,
            household_id,
            terms: invitation.terms,
            invitation_id: Some(invitation_id),
        };
        let made = self
            .change(program_id, request, (household_id, &asked), because)
            .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Ends an invitation without anybody joining. What has become of it already stays, and is told where it is another thing.
    pub(super) async fn end_invitation(
        &self,
        program_id: ProgramId,
        invitation_id: InvitationId,
        ending: Ending,
    ) -> Result<Invitation, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let ended = transact(&self.service, "end_household_invitation", scope, options, |tx| {
            in_tx(end_in_tx(tx, program_id, invitation_id, (ending, now)))
        })
        .await?;
        self.waker.wake();
        Ok(ended)
    }

    /// Newest first.
    pub(super) async fn list_invitations(
        &self,
        program_id: ProgramId,
        of: InvitationsOf,
        before: Option<InvitationId>,
        count_max: i64,
    ) -> Result<Vec<Invitation>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        let listed = transact(
            &self.service,
            "list_household_invitations",
            scope,
            options,
            |tx| in_tx(async move { storage::list_in_tx(tx, program_id, of, before, count_max).await }),
        );
        Ok(listed.await?)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn find_invitation(
        &self,
        program_id: ProgramId,
        invitation_id: InvitationId,
    ) -> Result<Invitation, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        let found = transact(&self.service, "find_household_invitation", scope, options, |tx| {
            in_tx(async move { storage::find_invitation_in_tx(tx, program_id, invitation_id).await })
        })
        .await?;
        found.ok_or_else(|| not_found(invitation_id).into())
    }
}

async fn find_made_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<Invitation, MembersError> {
    let corrupt = || StorageError::corrupt("request.resource_id", "is no invitation's id");
    let invitation_id = InvitationId::try_from(made).map_err(|_| corrupt())?;
    let found = storage::find_invitation_in_tx(tx, program_id, invitation_id).await?;
    Ok(found.ok_or_else(corrupt)?)
}

async fn invite_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    invitation: &Invitation,
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    let (household_id, member_id) = (invitation.household_id, invitation.member_id);
    let home = changes::lock_home_of_in_tx(&mut *tx, program_id, household_id).await?;
    let is_plain = invitation.terms.role == HouseholdRole::Adult && invitation.terms.limits.is_empty();
    changes::domain::require_may(&home, household_id, invitation.by, |seat| {
        seat.role == HouseholdRole::Head || (seat.role == HouseholdRole::Adult && is_plain)
    })?;
    if home.is_dissolved {
        return Err(Refusal::Household(HouseholdRefusal::Dissolved(household_id)).into());
    }
    let status = changes::find_status_in_tx(&mut *tx, program_id, member_id).await?;
    let (status, current) = status.ok_or_else(|| Refusal::not_found(Resource::Member, member_id))?;
    if status != MemberStatus::Active {
        return Err(Refusal::MemberNotActive { member_id, status }.into());
    }
    if let Some(household_id) = current {
        return Err(Refusal::HouseholdTaken {
            member_id,
            household_id,
        }
        .into());
    }
    let whom = (household_id, member_id);
    let replaced = storage::close_open_in_tx(&mut *tx, program_id, whom, now).await?;
    if storage::count_open_in_tx(&mut *tx, program_id, household_id, now).await? >= INVITATIONS_MAX {
        return Err(Refusal::HouseholdFull {
            count_max: INVITATIONS_MAX,
        }
        .into());
    }
    storage::insert_in_tx(&mut *tx, program_id, invitation).await?;
    let became = |invitation_id, status| changes::invitation_changed(invitation_id, whom, status, now);
    let withdrawn = replaced.map(|replaced| became(replaced, InvitationStatus::Withdrawn));
    let opened = became(invitation.invitation_id, InvitationStatus::Open);
    let happened: Vec<_> = withdrawn.into_iter().chain([opened]).collect();
    Ok(append_in_tx(tx, program_id, &happened).await?)
}

async fn end_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    invitation_id: InvitationId,
    (ending, now): (Ending, DateTime<Utc>),
) -> Result<Invitation, MembersError> {
    let found = storage::lock_invitation_in_tx(&mut *tx, program_id, invitation_id).await?;
    let mut invitation = found.ok_or_else(|| not_found(invitation_id))?;
    let household_id = invitation.household_id;
    let status = match ending {
        Ending::Declined(member_id) if member_id == invitation.member_id => InvitationStatus::Declined,
        // Another's invitation is nobody's business.
        Ending::Declined(_) => return Err(not_found(invitation_id).into()),
        Ending::Withdrawn(by) => {
            if by.is_none() || by != invitation.by {
                let home = changes::read_home_in_tx(&mut *tx, program_id, household_id).await?;
                changes::domain::require_may(&home, household_id, by, |seat| {
                    seat.role == HouseholdRole::Head
                })?;
            }
            InvitationStatus::Withdrawn
        }
    };
    if invitation.status == status {
        return Ok(invitation);
    }
    invitation.require_open(now)?;
    if changes::is_accepting_in_tx(&mut *tx, program_id, invitation_id).await? {
        // Somebody accepts it just now.
        return Err(Refusal::Contended.into());
    }
    storage::set_status_in_tx(&mut *tx, program_id, invitation_id, status).await?;
    let whom = (household_id, invitation.member_id);
    let event = changes::invitation_changed(invitation_id, whom, status, now);
    append_in_tx(tx, program_id, &[event]).await?;
    invitation.status = status;
    Ok(invitation)
}

fn not_found(invitation_id: InvitationId) -> Refusal {
    Refusal::not_found(Resource::HouseholdInvitation, invitation_id)
}
