//! Makes a change that the ledger knows of, with its events, in one transaction.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_types::{HouseholdId, MemberId, ProgramId};
use fealty_vault::Vault;
use sqlx::PgConnection;

use super::domain::{Change, ChangeKind};
use super::{events, storage};
use crate::ladders::domain::Trigger;
use crate::refusal::MembersError;
use crate::{ladders, people};

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
        let happened = self.make_in_tx(&mut *tx, change.member_id, change.kind).await?;
        Ok(append_in_tx(tx, program_id, &happened).await?)
    }

    async fn make_in_tx(
        &self,
        tx: &mut PgConnection,
        member_id: MemberId,
        kind: ChangeKind,
    ) -> Result<Vec<NewEvent>, MembersError> {
        match kind {
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
                self.join_in_tx(tx, member_id, household_id).await
            }
            ChangeKind::JoinHousehold { household_id } => self.join_in_tx(tx, member_id, household_id).await,
            ChangeKind::LeaveHousehold { household_id } => {
                self.leave_in_tx(tx, member_id, household_id).await
            }
        }
    }

    async fn join_in_tx(
        &self,
        tx: &mut PgConnection,
        member_id: MemberId,
        household_id: HouseholdId,
    ) -> Result<Vec<NewEvent>, MembersError> {
        let joined =
            storage::join_household_in_tx(tx, self.program_id, member_id, household_id, self.now).await?;
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
            happened.extend(self.leave_in_tx(&mut *tx, from_member_id, household_id).await?);
            happened.extend(self.join_in_tx(&mut *tx, into_member_id, household_id).await?);
        }
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
