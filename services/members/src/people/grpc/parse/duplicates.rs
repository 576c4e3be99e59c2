//! Where to look for records of one person.

use fealty_proto::members::v1 as pb;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::PageSize;
use fealty_rpc::violations::Violations;
use fealty_types::MemberId;

/// Where looking goes on: after that hash.
pub(in crate::people::grpc) type DuplicatesCursor = Vec<u8>;

pub(in crate::people::grpc) fn duplicates(
    message: &pb::ListDuplicateCandidatesRequest,
) -> Result<(Option<MemberId>, PageSize), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::optional(&message.member_id));
    let page_size = v.check("page_size", PageSize::parse(message.page_size));
    v.finish_with(|| Some((member_id?, page_size?)))
}
