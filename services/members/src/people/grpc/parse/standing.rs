//! What members may do, their tier, and merges.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::MemberId;
use fealty_vault::Personal;

use crate::changes::Because;
use crate::changes::domain::Asked;
use crate::people::NewTier;
use crate::people::domain::MemberStatus;

const SET_STATUS: &str = "/fealty.members.v1.MemberService/SetMemberStatus";
const SET_TIER: &str = "/fealty.members.v1.MemberService/SetMemberTier";
const MERGE: &str = "/fealty.members.v1.MemberService/MergeMembers";

/// Longest reason for a change, in characters: a sentence or two.
const REASON_LENGTH_MAX: usize = 500;

/// A merge that is asked for.
pub(in crate::people::grpc) struct Merge {
    pub(in crate::people::grpc) attempt: Attempt,
    pub(in crate::people::grpc) asked: Asked,
    pub(in crate::people::grpc) because: Because,
    /// Who stays.
    pub(in crate::people::grpc) into_member_id: MemberId,
}

pub(in crate::people::grpc) fn set_status(
    caller: &Caller,
    mut message: pb::SetMemberStatusRequest,
) -> Result<(Attempt, Asked, Because), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(SET_STATUS, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let status = v.check("status", parse_status(message.status));
    let reason = v.check("reason", fields::text(&message.reason, 1..=REASON_LENGTH_MAX));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, SET_STATUS, command_hash);
        let asked = Asked::Status {
            member_id: member_id?,
            status: status?,
        };
        let because = Because {
            actor: caller.actor(),
            reason: Some(Personal::new(reason?)),
        };
        Some((attempt, asked, because))
    })
}

/// Nobody is merged by a status alone.
fn parse_status(number: i32) -> Result<MemberStatus, Problem> {
    match fields::enumeration(number)? {
        pb::MemberStatus::Active => Ok(MemberStatus::Active),
        pb::MemberStatus::Suspended => Ok(MemberStatus::Suspended),
        pb::MemberStatus::Excluded => Ok(MemberStatus::Excluded),
        pb::MemberStatus::Closed => Ok(MemberStatus::Closed),
        pb::MemberStatus::Unspecified | pb::MemberStatus::Merged => {
            Err(Problem::new("must be ACTIVE, SUSPENDED, EXCLUDED or CLOSED"))
        }
    }
}

pub(in crate::people::grpc) fn merge(
    caller: &Caller,
    mut message: pb::MergeMembersRequest,
) -> Result<Merge, ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(MERGE, &message);
    let from_member_id = v.check("from_member_id", fields::parse(&message.from_member_id));
    let into_member_id = v.check("into_member_id", fields::parse(&message.into_member_id));
    v.finish_with(|| {
        Some(Merge {
            attempt: Attempt::of_program(program_id, request_id?, MERGE, command_hash),
            asked: Asked::Merge {
                from_member_id: from_member_id?,
                into_member_id: into_member_id?,
            },
            because: Because {
                actor: caller.actor(),
                reason: None,
            },
            into_member_id: into_member_id?,
        })
    })
}

pub(in crate::people::grpc) fn set_tier(
    caller: &Caller,
    mut message: pb::SetMemberTierRequest,
) -> Result<(Attempt, MemberId, NewTier), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(SET_TIER, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let tier_code = v.check("tier_code", fields::optional(&message.tier_code));
    let reason = v.check(
        "reason",
        fields::optional_text(&message.reason, REASON_LENGTH_MAX),
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, SET_TIER, command_hash);
        let new = NewTier {
            tier_code: tier_code?,
            actor: caller.actor(),
            reason: reason?.map(Personal::new),
        };
        Some((attempt, member_id?, new))
    })
}
