//! The door to members: who wants a reward.

use std::time::Duration;

use fealty_client::{ClientConfig, ConnectError, MembersClient};
use fealty_postgres::Deadline;
use fealty_proto::members::v1::{GetMemberRequest, Member, MemberStatus};
use fealty_service::config::PeerConfig;
use fealty_types::{MemberId, ProgramId};
use tonic::Code;

use crate::catalogue::domain::Candidate;
use crate::refusal::{Peer, Refusal, Resource, RewardsError};

/// Longest wait: a restart of members takes less.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What of the caller's time it may take, in quarters: the rest is for the redemption.
const WAIT_QUARTERS: u32 = 2;

/// Connections to members. It takes a hundred calls at once on each: as many as redeem at once.
const CONNECTION_COUNT: usize = 4;

/// Calls members.
#[derive(Debug, Clone)]
pub struct MembersDoor {
    client: MembersClient,
}

impl MembersDoor {
    /// Prepares the door. It connects with its first call.
    pub fn try_new<const PORT: u16>(config: &PeerConfig<PORT>) -> Result<Self, ConnectError> {
        let client = MembersClient::try_new(&ClientConfig {
            connection_count: CONNECTION_COUNT,
            ..config.client()
        })?;
        Ok(Self { client })
    }

    /// What members says of somebody.
    pub(super) async fn get(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<Candidate, RewardsError> {
        let left = Deadline::current().map_or(WAIT_MAX, Deadline::remaining);
        let wait = WAIT_MAX.min(left / 4 * WAIT_QUARTERS);
        let request = GetMemberRequest {
            member_id: member_id.to_string(),
        };
        let answer = self
            .client
            .for_program(program_id)
            .within(wait)
            .get_member(request)
            .await;
        let member = match answer {
            Ok(answer) => answer.into_message().member.unwrap_or_default(),
            Err(error) if error.code == Code::NotFound => {
                return Err(Refusal::not_found(Resource::Member, member_id).into());
            }
            Err(error) => {
                tracing::warn!(%error, "members does not say who wants a reward");
                return Err(RewardsError::Away(Peer::Members));
            }
        };
        let inactive = match member.status() {
            MemberStatus::Active => None,
            MemberStatus::Suspended => Some("SUSPENDED"),
            MemberStatus::Closed => Some("CLOSED"),
            MemberStatus::Merged => Some("MERGED"),
            MemberStatus::Excluded => Some("EXCLUDED"),
            // A status that only a newer build knows is not known to allow anything.
            MemberStatus::Unspecified => Some("UNKNOWN"),
        };
        Ok(Candidate {
            member_id,
            inactive,
            tier_codes: tiers_of(member),
        })
    }
}

/// The tier that was set by hand, and those of the program's ladders.
fn tiers_of(member: Member) -> Vec<String> {
    let by_hand = Some(member.tier_code).filter(|code| !code.is_empty());
    let climbed = member.tiers.into_iter().map(|tier| tier.tier_code);
    by_hand.into_iter().chain(climbed).collect()
}
