//! What of a member an answer tells, for the record of who read what.

use fealty_proto::members::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_service::read_audit::PersonalRead;
use fealty_types::MemberId;

use super::MemberGrpc;
use crate::people::domain::Member;

/// The calls of this service that tell who members are.
pub(super) mod calls {
    pub const GET: &str = "/fealty.members.v1.MemberService/GetMember";
    pub const BATCH_GET: &str = "/fealty.members.v1.MemberService/BatchGetMembers";
    pub const LOOKUP: &str = "/fealty.members.v1.MemberService/LookupMember";
    pub const UPDATE: &str = "/fealty.members.v1.MemberService/UpdateMember";
    pub const ADD_IDENTIFIER: &str = "/fealty.members.v1.MemberService/AddIdentifier";
    pub const REMOVE_IDENTIFIER: &str = "/fealty.members.v1.MemberService/RemoveIdentifier";
    pub const MARK_VERIFIED: &str = "/fealty.members.v1.MemberService/MarkIdentifierVerified";
    pub const SET_STATUS: &str = "/fealty.members.v1.MemberService/SetMemberStatus";
    pub const SET_TIER: &str = "/fealty.members.v1.MemberService/SetMemberTier";
    pub const MERGE: &str = "/fealty.members.v1.MemberService/MergeMembers";
}

impl MemberGrpc {
    /// A member for an answer, once it is on record that the caller is told of them.
    pub(super) async fn told(
        &self,
        caller: &Caller,
        method: &'static str,
        member: &Member,
    ) -> Result<pb::Member, ApiError> {
        let shown = self.shown(member);
        self.note(caller, method, [&shown]).await?;
        Ok(shown)
    }

    /// Puts it on record that the caller is told of these members.
    pub(super) async fn note(
        &self,
        caller: &Caller,
        method: &'static str,
        members: impl IntoIterator<Item = &pb::Member>,
    ) -> Result<(), ApiError> {
        let reads = members.into_iter().filter_map(read_of).collect();
        self.audit.note(caller, method, reads).await
    }
}

/// None for a member of whom nothing personal is told.
fn read_of(member: &pb::Member) -> Option<PersonalRead> {
    let fields = personal_fields(member);
    let member_id: MemberId = member.member_id.parse().ok()?;
    (!fields.is_empty()).then_some(PersonalRead { member_id, fields })
}

fn personal_fields(member: &pb::Member) -> Vec<String> {
    let profile = member.profile.clone().unwrap_or_default();
    let told = [
        ("profile.given_name", !profile.given_name.is_empty()),
        ("profile.family_name", !profile.family_name.is_empty()),
        ("profile.display_name", !profile.display_name.is_empty()),
        ("profile.birth_date", profile.birth_date.is_some()),
        ("profile.language_code", !profile.language_code.is_empty()),
        ("profile.place", !profile.place.is_empty()),
        (
            "profile.registration_number",
            !profile.registration_number.is_empty(),
        ),
        ("identifiers", !member.identifiers.is_empty()),
        ("guardian_member_id", !member.guardian_member_id.is_empty()),
    ];
    let told = told.into_iter().filter(|(_, is_told)| *is_told);
    told.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_told_is_on_record_and_never_its_value() {
        let mut member = pb::Member {
            member_id: "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978".to_owned(),
            ..pb::Member::default()
        };
        assert_eq!(read_of(&member), None);
        member.profile = Some(pb::Profile {
            given_name: "Anastasija".to_owned(),
            ..pb::Profile::default()
        });
        member.identifiers.push(pb::Identifier::default());
        let read = read_of(&member).unwrap();
        assert_eq!(read.fields, ["profile.given_name", "identifiers"]);
    }
}
