//! Identifiers that members showed to be theirs, and what became of them.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::PageSize;
use fealty_rpc::violations::Violations;
use fealty_types::MemberId;

use crate::people::Verified;

const MARK_VERIFIED: &str = "/fealty.members.v1.MemberService/MarkIdentifierVerified";

pub(in crate::people::grpc) fn verified(
    caller: &Caller,
    now: DateTime<Utc>,
    mut message: pb::MarkIdentifierVerifiedRequest,
) -> Result<(Attempt, Verified), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(MARK_VERIFIED, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let identifier_id = v.check("identifier_id", fields::parse(&message.identifier_id));
    let verify_time = v.check(
        "verify_time",
        fields::optional_timestamp(message.verify_time.as_ref(), TimeRange::past(now)),
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, MARK_VERIFIED, command_hash);
        let verified = Verified {
            member_id: member_id?,
            identifier_id: identifier_id?,
            verify_time: verify_time?,
            actor: caller.actor(),
        };
        Some((attempt, verified))
    })
}

pub(in crate::people::grpc) fn history(
    message: &pb::ListIdentifierHistoryRequest,
) -> Result<(MemberId, PageSize), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let page_size = v.check("page_size", PageSize::parse(message.page_size));
    v.finish_with(|| Some((member_id?, page_size?)))
}
