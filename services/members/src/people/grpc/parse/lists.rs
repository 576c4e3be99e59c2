//! Which members are to be listed or read.

use std::collections::HashMap;

use fealty_proto::members::v1 as pb;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::PageSize;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::MemberId;

use super::party;
use crate::people::Wanted;
use crate::people::domain::MemberStatus;

/// Most members of one batch: with everything that each may have, their answer stays below the 4 MiB that clients take.
const BATCH_COUNT_MAX: usize = 200;

pub(in crate::people::grpc) fn wanted(
    message: &pb::ListMembersRequest,
) -> Result<(Wanted, PageSize), ApiError> {
    let mut v = Violations::default();
    let mut time = |field: &str, time: Option<&prost_types::Timestamp>| {
        v.check(field, fields::optional_timestamp(time, TimeRange::any()))
    };
    let from_time = time("enrolled_from_time", message.enrolled_from_time.as_ref());
    let before_time = time("enrolled_before_time", message.enrolled_before_time.as_ref());
    if let (Some(Some(from_time)), Some(Some(before_time))) = (from_time, before_time) {
        v.require(
            from_time < before_time,
            "enrolled_before_time",
            "must be after enrolled_from_time",
        );
    }
    let status = v.check("status", parse_status(message.status));
    let party_kind = v.check("party_kind", party::parse_named(message.party_kind));
    let tier_code = v.check("tier_code", fields::optional(&message.tier_code));
    let guardian_member_id = v.check(
        "guardian_member_id",
        fields::optional(&message.guardian_member_id),
    );
    let page_size = v.check("page_size", PageSize::parse(message.page_size));
    v.finish_with(|| {
        let wanted = Wanted {
            from_time: from_time?,
            before_time: before_time?,
            status: status?,
            party_kind: party_kind?,
            tier_code: tier_code?,
            guardian_member_id: guardian_member_id?,
        };
        Some((wanted, page_size?))
    })
}

/// The status that is named; None where none is.
fn parse_status(number: i32) -> Result<Option<MemberStatus>, Problem> {
    if number == i32::from(pb::MemberStatus::Unspecified) {
        return Ok(None);
    }
    Ok(match fields::enumeration(number)? {
        pb::MemberStatus::Unspecified => None,
        pb::MemberStatus::Active => Some(MemberStatus::Active),
        pb::MemberStatus::Suspended => Some(MemberStatus::Suspended),
        pb::MemberStatus::Closed => Some(MemberStatus::Closed),
        pb::MemberStatus::Merged => Some(MemberStatus::Merged),
        pb::MemberStatus::Excluded => Some(MemberStatus::Excluded),
    })
}

pub(in crate::people::grpc) fn batch_get(
    message: &pb::BatchGetMembersRequest,
) -> Result<Vec<MemberId>, ApiError> {
    let mut v = Violations::default();
    let is_batch = (1..=BATCH_COUNT_MAX).contains(&message.member_ids.len());
    v.require(
        is_batch,
        "member_ids",
        format!("must have 1 to {BATCH_COUNT_MAX} members"),
    );
    // Of too many it is enough to say so.
    let count_parsed = if is_batch { BATCH_COUNT_MAX } else { 0 };
    let mut first_places = HashMap::new();
    let mut member_ids = Vec::new();
    for (index, text) in message.member_ids.iter().take(count_parsed).enumerate() {
        let field = format!("member_ids[{index}]");
        let Some(member_id) = v.check(&field, fields::parse::<MemberId>(text)) else {
            continue;
        };
        if let Some(first) = first_places.insert(member_id, index) {
            v.add(&field, format!("is the same as member_ids[{first}]"));
        }
        member_ids.push(member_id);
    }
    v.finish_with(|| Some(member_ids))
}
