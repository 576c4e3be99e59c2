//! What the ledger is told of each change, step by step. Every step may be told again.

use fealty_types::{HouseholdId, MemberId, ProgramId};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::domain::{Change, ChangeKind};
use crate::ledger::LedgerDoor;
use crate::refusal::MembersError;

/// Tells the ledger all of a change. [`MembersError::LedgerRefused`] means that the ledger has done nothing of it.
pub(super) async fn tell(
    ledger: &LedgerDoor,
    program_id: ProgramId,
    change: &Change,
    attempt: i64,
) -> Result<(), MembersError> {
    let telling = Telling {
        ledger,
        program_id,
        change_id: change.change_id,
        attempt,
    };
    let member_id = change.member_id;
    // Before anybody can spend by them: they hold only in a household.
    if let Some(limits) = &change.limits {
        let limited = change.limited_member_id();
        ledger.set_spending_limits(program_id, limited, limits).await?;
    }
    match change.kind {
        ChangeKind::Status {
            status,
            status_revision,
        } => {
            ledger
                .set_status(program_id, member_id, status, status_revision)
                .await
        }
        // The one that stays takes the other's place in a household by it.
        ChangeKind::Merge { into_member_id, .. } => {
            let request_id = telling.request_id("merge");
            ledger
                .merge(program_id, request_id, member_id, into_member_id)
                .await
        }
        ChangeKind::CreateHousehold { household_id } => {
            ledger.open_household(program_id, household_id).await?;
            telling.join("join", member_id, household_id).await
        }
        ChangeKind::JoinHousehold { household_id, .. } => telling.join("join", member_id, household_id).await,
        ChangeKind::LeaveHousehold { .. } => {
            let request_id = telling.request_id("leave");
            ledger.leave_household(program_id, request_id, member_id).await
        }
        // Its limits are all that the ledger knows of it.
        ChangeKind::HouseholdTerms { .. } => Ok(()),
        ChangeKind::DissolveHousehold { household_id, policy } => {
            let request_id = telling.request_id("dissolve");
            ledger
                .dissolve_household(program_id, request_id, (household_id, member_id), policy)
                .await
        }
    }
}

struct Telling<'a> {
    ledger: &'a LedgerDoor,
    program_id: ProgramId,
    change_id: Uuid,
    attempt: i64,
}

impl Telling<'_> {
    async fn join(
        &self,
        step: &str,
        member_id: MemberId,
        household_id: HouseholdId,
    ) -> Result<(), MembersError> {
        let request_id = self.request_id(step);
        self.ledger
            .join_household(self.program_id, request_id, member_id, household_id)
            .await
    }

    /// The id of one step of one attempt. Another attempt has others: each step asks for a state, and is not to be
    /// answered with what was so at an earlier attempt.
    fn request_id(&self, step: &str) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.change_id.as_bytes());
        hash.update(self.attempt.to_be_bytes());
        hash.update(step.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let (first, _) = hash.split_at(16);
        let bytes: [u8; 16] = first.try_into().expect("16 bytes of 32");
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}
