//! The door to the ledger, which is told of members and households before anybody else is.

use std::time::Duration;

use fealty_client::{CallError, ClientConfig, ConnectError, LedgerClient};
use fealty_postgres::Deadline;
use fealty_proto::ledger::v1::{
    CreditPointsRequest, DissolveHouseholdRequest, DissolvePolicy as LedgerPolicy, JoinHouseholdRequest,
    LeaveHouseholdRequest, MergeOwnersRequest, OpenOwnerRequest, OwnerKind, OwnerStatus,
    SetOwnerStatusRequest, SetSpendingLimitsRequest, SpendingLimit,
};
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_service::config::{PeerConfig, ports};
use fealty_types::{HouseholdId, MemberId, OwnerId, Points, ProgramId};
use tonic::Code;
use uuid::Uuid;

use crate::changes::domain::LimitsChange;
use crate::households::domain::DissolvePolicy;
use crate::people::domain::MemberStatus;
use crate::referrals::domain::Reward;
use crate::refusal::{LedgerRefusal, MembersError};

/// Longest wait for the ledger: a restart of it takes less, and whoever enrols a person stands before them.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What of the caller's time the ledger may take, in quarters: the rest is for saying so, also when it does not answer.
const WAIT_QUARTERS: u32 = 3;

/// Connections to the ledger. It takes a hundred calls at once on each: as many as people are enrolled at once.
const CONNECTION_COUNT: usize = 4;

/// Calls the ledger.
#[derive(Debug, Clone)]
pub struct LedgerDoor {
    client: LedgerClient,
}

impl LedgerDoor {
    /// Prepares the door. It connects with its first call.
    pub fn try_new(config: &PeerConfig<{ ports::LEDGER }>) -> Result<Self, ConnectError> {
        let client = LedgerClient::try_new(&ClientConfig {
            connection_count: CONNECTION_COUNT,
            ..config.client()
        })?;
        Ok(Self { client })
    }

    /// Opens the member's owner. Opening it again changes nothing.
    pub(crate) async fn open_owner(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<(), MembersError> {
        let opened = self.open(program_id, member_id.into(), OwnerKind::Member).await;
        // Nothing that the ledger could say no to: whoever is enrolled is enrolled.
        opened.map_err(|error| away("opened an owner", member_id.into(), &error))
    }

    /// Opens the household's owner. Opening it again changes nothing.
    pub(crate) async fn open_household(
        &self,
        program_id: ProgramId,
        household_id: HouseholdId,
    ) -> Result<(), MembersError> {
        let opened = self
            .open(program_id, household_id.into(), OwnerKind::Household)
            .await;
        opened.map_err(|error| away("opened a household", household_id.into(), &error))
    }

    async fn open(&self, program_id: ProgramId, owner_id: OwnerId, kind: OwnerKind) -> Result<(), CallError> {
        let request = OpenOwnerRequest {
            // One owner is one attempt, whoever makes it and however often: the call, its retries, the job.
            request_id: owner_id.to_string(),
            owner_id: owner_id.to_string(),
            kind: kind.into(),
        };
        self.client(program_id).open_owner(request).await.map(drop)
    }

    /// Says what a member may do. An older revision than the ledger has changes nothing.
    pub(crate) async fn set_status(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        status: MemberStatus,
        status_revision: i64,
    ) -> Result<(), MembersError> {
        let status = match status {
            MemberStatus::Active => OwnerStatus::Active,
            MemberStatus::Suspended => OwnerStatus::Suspended,
            // Whoever is kept out does nothing more there; unlike one who is closed here, they may be let in again.
            MemberStatus::Closed | MemberStatus::Excluded => OwnerStatus::Closed,
            MemberStatus::Merged => OwnerStatus::Merged,
        };
        let request = SetOwnerStatusRequest {
            owner_id: member_id.to_string(),
            status: status.into(),
            status_revision,
        };
        let set = self.client(program_id).set_owner_status(request).await;
        answered("set a status", member_id, set)
    }

    /// Gives a member the account of a household. Who has it already keeps it.
    pub(crate) async fn join_household(
        &self,
        program_id: ProgramId,
        request_id: Uuid,
        member_id: MemberId,
        household_id: HouseholdId,
    ) -> Result<(), MembersError> {
        let request = JoinHouseholdRequest {
            request_id: request_id.to_string(),
            owner_id: member_id.to_string(),
            household_owner_id: household_id.to_string(),
        };
        let joined = self.client(program_id).join_household(request).await;
        answered("joined a household", member_id, joined)
    }

    /// Gives a member an account of their own. Who has one keeps it.
    pub(crate) async fn leave_household(
        &self,
        program_id: ProgramId,
        request_id: Uuid,
        member_id: MemberId,
    ) -> Result<(), MembersError> {
        let request = LeaveHouseholdRequest {
            request_id: request_id.to_string(),
            owner_id: member_id.to_string(),
        };
        let left = self.client(program_id).leave_household(request).await;
        answered("left a household", member_id, left)
    }

    /// Says what a member may spend of a household's points. An older revision than the ledger has changes nothing.
    pub(crate) async fn set_spending_limits(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        change: &LimitsChange,
    ) -> Result<(), MembersError> {
        let limits = change.limits.iter().map(|(unit_code, limit)| SpendingLimit {
            unit_code: unit_code.to_string(),
            day_value_max: limit.day_value_max.map(Points::get),
            month_value_max: limit.month_value_max.map(Points::get),
        });
        let request = SetSpendingLimitsRequest {
            owner_id: member_id.to_string(),
            limits: limits.collect(),
            limits_revision: change.revision,
        };
        let set = self.client(program_id).set_spending_limits(request).await;
        answered("set spending limits", member_id, set)
    }

    /// Ends a household: what it has goes to its members. One that is dissolved stays so.
    pub(crate) async fn dissolve_household(
        &self,
        program_id: ProgramId,
        request_id: Uuid,
        (household_id, head_member_id): (HouseholdId, MemberId),
        policy: DissolvePolicy,
    ) -> Result<(), MembersError> {
        let policy = match policy {
            DissolvePolicy::ToHead => LedgerPolicy::ToHeir,
            DissolvePolicy::EqualShares => LedgerPolicy::EqualShares,
        };
        let request = DissolveHouseholdRequest {
            request_id: request_id.to_string(),
            household_owner_id: household_id.to_string(),
            heir_owner_id: head_member_id.to_string(),
            policy: policy.into(),
        };
        let dissolved = self.client(program_id).dissolve_household(request).await;
        answered("dissolved a household", head_member_id, dissolved)
    }

    /// Credits what one side of a referral gets. The same again changes nothing.
    pub(crate) async fn credit_referral(
        &self,
        program_id: ProgramId,
        reward: &Reward,
    ) -> Result<(), MembersError> {
        let request = CreditPointsRequest {
            request_id: reward.transaction_id.to_string(),
            owner_id: reward.member_id.to_string(),
            amount: Some(Amount {
                unit_code: reward.unit_code.to_string(),
                value: reward.value.get(),
            }),
            source: "referral".to_owned(),
            receipt_id: format!("{}/{}", reward.referral_id, reward.side.as_str()),
            reason: "a referral".to_owned(),
            ..CreditPointsRequest::default()
        };
        let credited = self.client(program_id).credit_points(request).await;
        answered("credited a referral", reward.member_id, credited)
    }

    /// Moves all that a member has to another. What has been moved stays so.
    pub(crate) async fn merge(
        &self,
        program_id: ProgramId,
        request_id: Uuid,
        from_member_id: MemberId,
        into_member_id: MemberId,
    ) -> Result<(), MembersError> {
        let request = MergeOwnersRequest {
            request_id: request_id.to_string(),
            from_owner_id: from_member_id.to_string(),
            into_owner_id: into_member_id.to_string(),
        };
        let merged = self.client(program_id).merge_owners(request).await;
        answered("merged owners", from_member_id, merged)
    }

    /// A client that ends early enough for its outcome to be told to the caller.
    fn client(&self, program_id: ProgramId) -> LedgerClient {
        let left = Deadline::current().map_or(WAIT_MAX, Deadline::remaining);
        let wait = WAIT_MAX.min(left / 4 * WAIT_QUARTERS);
        self.client.for_program(program_id).within(wait)
    }
}

/// What the ledger says no to is a refusal; everything else that is no yes may pass.
fn answered<T>(
    what: &'static str,
    member_id: MemberId,
    answer: Result<T, CallError>,
) -> Result<(), MembersError> {
    match answer {
        Ok(_) => Ok(()),
        Err(CallError {
            code: Code::FailedPrecondition,
            reason: Some(reason),
            message,
            metadata,
            ..
        }) if !is_of_the_caller(reason) => Err(MembersError::LedgerRefused(LedgerRefusal {
            reason,
            message,
            metadata,
        })),
        Err(error) => Err(away(what, member_id.into(), &error)),
    }
}

/// The ledger turned us away before it looked at the request: it may have done earlier what it refuses to hear of now,
/// and hears of it again once somebody has set that right.
const fn is_of_the_caller(reason: ErrorReason) -> bool {
    matches!(reason, ErrorReason::ProgramInactive | ErrorReason::StaffInactive)
}

/// A ledger that does not answer is the operator's to know of; one that refuses us has to be set right by them.
fn away(what: &'static str, owner_id: OwnerId, error: &CallError) -> MembersError {
    match error.code {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
            tracing::warn!(%error, %owner_id, "the ledger has not {what}");
        }
        _ => tracing::error!(%error, %owner_id, "the ledger, as it is set up, has not {what}"),
    }
    MembersError::LedgerAway
}
