//! Makes a change that the ledger knows of, with its events, in one transaction.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_types::{HouseholdId, InvitationId, MemberId, ProgramId};
use fealty_vault::Vault;
use sqlx::PgConnection;

use super::domain::{Change, ChangeKind};
use super::{events, storage};
use crate::households;
use crate::households::domain::{HouseholdRole, InvitationStatus, Terms};
use crate::ladders::domain::Trigger;
use crate::refusal::MembersError;
use crate::{ladders, people, referrals};

/// Where and when a change is made.
pub(super) struct Making<'a> {
    pub(super) vault: &'a Vault,
    pub(super) program_id: ProgramId,
    pub(super) now: DateTime<Utc>,
}

impl Making<'_> {
    /// Makes the change, unless another attempt has made it.
    pub(super) async fn confirm_in_tx(
        &self,
        tx: &mut PgConnection,
        change: &Change,
    ) -> Result<(), MembersError> {
        let (program_id, now) = (self.program_id, self.now);
        if let ChangeKind::Merge { into_member_id, .. } = change.kind {
            storage::lock_merging_in_tx(&mut *tx, program_id, change.member_id, into_member_id).await?;
        } else {
            storage::lock_members_in_tx(&mut *tx, program_id, &change.member_ids()).await?;
        }
        if !storage::end_in_tx(&mut *tx, program_id, change.change_id, now).await? {
            return Ok(());
        }
        storage::release_in_tx(&mut *tx, program_id, change).await?;
        let happened = self.make_in_tx(&mut *tx, change).await?;
        Ok(append_in_tx(tx, program_id, &happened).await?)
    }

    async fn make_in_tx(
        &self,
        tx: &mut PgConnection,
        change: &Change,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let member_id = change.member_id;
        let terms = |role| Terms {
            role,
            limits: change
                .limits
                .as_ref()
                .map(|it| it.limits.clone())
                .unwrap_or_default(),
        };
        match change.kind {
            ChangeKind::Status { status, .. } => {
                storage::set_status_in_tx(&mut *tx, self.program_id, member_id, status, self.now).await?;
                let mut happened = vec![events::status_changed(member_id, status, self.now)];
                happened.extend(self.settle_in_tx(tx, member_id, Trigger::Status).await?);
                Ok(happened)
            }
            ChangeKind::Merge {
                into_member_id,
                household_id,
            } => {
                self.merge_in_tx(tx, member_id, into_member_id, household_id)
                    .await
            }
            ChangeKind::CreateHousehold { household_id } => {
                storage::confirm_household_in_tx(&mut *tx, self.program_id, household_id).await?;
                let head = terms(HouseholdRole::Head);
                self.join_in_tx(tx, member_id, household_id, &head).await
            }
            ChangeKind::JoinHousehold {
                household_id,
                role,
                invitation_id,
            } => {
                storage::lock_household_in_tx(&mut *tx, self.program_id, household_id).await?;
                let mut happened = self
                    .join_in_tx(&mut *tx, member_id, household_id, &terms(role))
                    .await?;
                if let Some(invitation_id) = invitation_id {
                    happened.extend(
                        self.accept_in_tx(tx, invitation_id, (household_id, member_id))
                            .await?,
                    );
                }
                Ok(happened)
            }
            ChangeKind::LeaveHousehold { household_id } => {
                storage::lock_household_in_tx(&mut *tx, self.program_id, household_id).await?;
                let happened = self.leave_in_tx(&mut *tx, member_id, household_id).await?;
                storage::keep_head_in_tx(tx, self.program_id, household_id, self.now).await?;
                Ok(happened)
            }
            ChangeKind::HouseholdTerms { household_id, role } => {
                storage::lock_household_in_tx(&mut *tx, self.program_id, household_id).await?;
                let place = (member_id, household_id);
                storage::set_terms_in_tx(tx, self.program_id, place, &terms(role), self.now).await?;
                Ok(Vec::new())
            }
            ChangeKind::DissolveHousehold { household_id, .. } => {
                self.dissolve_in_tx(tx, household_id, &change.also).await
            }
        }
    }

    async fn dissolve_in_tx(
        &self,
        tx: &mut PgConnection,
        household_id: HouseholdId,
        member_ids: &BTreeSet<MemberId>,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let program_id = self.program_id;
        storage::lock_household_in_tx(&mut *tx, program_id, household_id).await?;
        let mut happened = Vec::new();
        for member_id in member_ids {
            happened.extend(self.leave_in_tx(&mut *tx, *member_id, household_id).await?);
        }
        storage::dissolve_in_tx(&mut *tx, program_id, household_id, self.now).await?;
        let withdrawn = households::withdraw_all_in_tx(tx, program_id, household_id, self.now).await?;
        let withdrawn = withdrawn.into_iter().map(|(invitation_id, member_id)| {
            let status = InvitationStatus::Withdrawn;
            events::invitation_changed(invitation_id, (household_id, member_id), status, self.now)
        });
        happened.extend(withdrawn);
        Ok(happened)
    }

    async fn accept_in_tx(
        &self,
        tx: &mut PgConnection,
        invitation_id: InvitationId,
        whom: (HouseholdId, MemberId),
    ) -> Result<Option<NewEvent>, MembersError> {
        let status = InvitationStatus::Accepted;
        let accepted = households::set_status_in_tx(tx, self.program_id, invitation_id, status).await?;
        Ok(accepted.then(|| events::invitation_changed(invitation_id, whom, status, self.now)))
    }

    async fn join_in_tx(
        &self,
        tx: &mut PgConnection,
        member_id: MemberId,
        household_id: HouseholdId,
        terms: &Terms,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let place = (member_id, household_id);
        let joined = storage::join_household_in_tx(&mut *tx, self.program_id, place, terms, self.now).await?;
        storage::keep_head_in_tx(tx, self.program_id, household_id, self.now).await?;
        let event = || events::household_changed(member_id, household_id, true, self.now);
        Ok(joined.then(event).into_iter().collect())
    }

    async fn leave_in_tx(
        &self,
        tx: &mut PgConnection,
        member_id: MemberId,
        household_id: HouseholdId,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let left =
            storage::leave_household_in_tx(tx, self.program_id, member_id, household_id, self.now).await?;
        let event = || events::household_changed(member_id, household_id, false, self.now);
        Ok(left.then(event).into_iter().collect())
    }

    /// Gives the second record the first one's place in a household, on its terms; who is there already stays on their own,
    /// but for the head's place.
    async fn take_place_in_tx(
        &self,
        tx: &mut PgConnection,
        (from_member_id, into_member_id): (MemberId, MemberId),
        household_id: HouseholdId,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let program_id = self.program_id;
        let from = storage::find_terms_in_tx(&mut *tx, program_id, from_member_id).await?;
        let into = storage::find_terms_in_tx(&mut *tx, program_id, into_member_id).await?;
        let mut happened = self.leave_in_tx(&mut *tx, from_member_id, household_id).await?;
        match (from, into) {
            (Some(from), None) => {
                happened.extend(
                    self.join_in_tx(&mut *tx, into_member_id, household_id, &from)
                        .await?,
                );
            }
            (Some(from), Some(into)) if from.role == HouseholdRole::Head => {
                let terms = Terms {
                    role: HouseholdRole::Head,
                    ..into
                };
                let place = (into_member_id, household_id);
                storage::set_terms_in_tx(&mut *tx, program_id, place, &terms, self.now).await?;
            }
            _ => {}
        }
        storage::keep_head_in_tx(tx, program_id, household_id, self.now).await?;
        Ok(happened)
    }

    /// Ends the first record in the second, who takes over its identifiers and its place in a household.
    async fn merge_in_tx(
        &self,
        tx: &mut PgConnection,
        from_member_id: MemberId,
        into_member_id: MemberId,
        household_id: Option<HouseholdId>,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let program_id = self.program_id;
        people::take_over_identifiers_in_tx(&mut *tx, self.vault, program_id, from_member_id, into_member_id)
            .await?;
        let mut happened = Vec::new();
        if let Some(household_id) = household_id {
            storage::lock_household_in_tx(&mut *tx, program_id, household_id).await?;
            happened.extend(
                self.take_place_in_tx(&mut *tx, (from_member_id, into_member_id), household_id)
                    .await?,
            );
        }
        referrals::take_over_in_tx(&mut *tx, program_id, (from_member_id, into_member_id)).await?;
        storage::set_merged_in_tx(&mut *tx, program_id, from_member_id, into_member_id, self.now).await?;
        happened.push(events::merged(from_member_id, into_member_id, self.now));
        for member_id in [from_member_id, into_member_id] {
            happened.extend(self.settle_in_tx(&mut *tx, member_id, Trigger::Merge).await?);
        }
        Ok(happened)
    }

    /// Judges the member's tiers anew.
    async fn settle_in_tx(
        &self,
        tx: &mut PgConnection,
        member_id: MemberId,
        trigger: Trigger,
    ) -> Result<Vec<NewEvent>, StorageError> {
        ladders::settle_in_tx(tx, self.program_id, member_id, trigger, self.now).await
    }
}
