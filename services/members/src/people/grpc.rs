//! `fealty.members.v1.MemberService`.

mod parse;
mod present;
mod reads;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::member_service_server::MemberService;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_service::call::{serve, serve_making};
use fealty_service::read_audit::ReadAudit;
use fealty_types::SharedClock;
use fealty_vault::LookupHash;
use prost::Message;
use tonic::{Request, Response, Status};

use super::domain::Member;
use super::{Enrolments, People};
use crate::changes::Changes;
use parse::{DuplicatesCursor, ListCursor};
use reads::calls;

const DUPLICATES: &str = "/fealty.members.v1.MemberService/ListDuplicateCandidates";
const HISTORY: &str = "/fealty.members.v1.MemberService/ListIdentifierHistory";
const LIST: &str = "/fealty.members.v1.MemberService/ListMembers";

/// The rpcs of members.
#[derive(Debug, Clone)]
pub struct MemberGrpc {
    people: People,
    enrolments: Enrolments,
    changes: Changes,
    clock: SharedClock,
    audit: ReadAudit,
}

impl MemberGrpc {
    /// Over the use cases.
    #[must_use]
    pub fn new(
        (people, enrolments): (People, Enrolments),
        changes: Changes,
        clock: SharedClock,
        audit: ReadAudit,
    ) -> Self {
        Self {
            people,
            enrolments,
            changes,
            clock,
            audit,
        }
    }

    /// The member as they are now: who was a minor may have come of age.
    fn shown(&self, member: &Member) -> pb::Member {
        present::member(member, self.clock.now())
    }
}

#[tonic::async_trait]
impl MemberService for MemberGrpc {
    async fn enrol_member(
        &self,
        request: Request<pb::EnrolMemberRequest>,
    ) -> Result<Response<pb::EnrolMemberResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, new) = parse::enrol(&caller, self.clock.now(), message)?;
            let made = self
                .enrolments
                .enrol(caller.program_id()?, &attempt, &new)
                .await?;
            Ok(made.map(|member| pb::EnrolMemberResponse {
                member: Some(self.shown(&member)),
            }))
        })
        .await
    }

    async fn get_member(
        &self,
        request: Request<pb::GetMemberRequest>,
    ) -> Result<Response<pb::GetMemberResponse>, Status> {
        serve(request, async |caller, message| {
            let member_id = parse::member_id(&message.member_id)?;
            let member = self.people.get(caller.program_id()?, member_id).await?;
            let member = self.told(&caller, calls::GET, &member).await?;
            Ok(pb::GetMemberResponse { member: Some(member) })
        })
        .await
    }

    async fn batch_get_members(
        &self,
        request: Request<pb::BatchGetMembersRequest>,
    ) -> Result<Response<pb::BatchGetMembersResponse>, Status> {
        serve(request, async |caller, message| {
            let member_ids = parse::batch_get(&message)?;
            let found = self.people.batch_get(caller.program_id()?, &member_ids).await?;
            let members: Vec<pb::Member> = found.members.iter().map(|member| self.shown(member)).collect();
            self.note(&caller, calls::BATCH_GET, &members).await?;
            Ok(pb::BatchGetMembersResponse {
                members,
                not_found_member_ids: found.missing.iter().map(ToString::to_string).collect(),
            })
        })
        .await
    }

    async fn lookup_member(
        &self,
        request: Request<pb::LookupMemberRequest>,
    ) -> Result<Response<pb::LookupMemberResponse>, Status> {
        serve(request, async |caller, message| {
            let value = parse::lookup(message)?;
            let (member, identifier_id) = self.people.lookup(caller.program_id()?, &value).await?;
            let member = self.told(&caller, calls::LOOKUP, &member).await?;
            Ok(pb::LookupMemberResponse {
                member: Some(member),
                identifier_id: identifier_id.to_string(),
            })
        })
        .await
    }

    async fn update_member(
        &self,
        request: Request<pb::UpdateMemberRequest>,
    ) -> Result<Response<pb::UpdateMemberResponse>, Status> {
        serve(request, async |caller, message| {
            let program = *caller.program()?;
            let update = parse::update(&program, self.clock.now(), message)?;
            let member = self.people.update(program.program_id, &update).await?;
            let member = self.told(&caller, calls::UPDATE, &member).await?;
            Ok(pb::UpdateMemberResponse { member: Some(member) })
        })
        .await
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (wanted, page_size) = parse::wanted(&message)?;
            let filter = (
                (wanted.from_time, wanted.before_time),
                (message.status, message.party_kind),
                (message.tier_code, message.guardian_member_id),
            );
            let tokens = PageTokens::try_new(LIST, Some(program_id), &filter)?;
            let page = PageRequest::<ListCursor>::try_new(tokens, page_size, &message.page_token)?;
            let members = self
                .people
                .list(program_id, &wanted, page.after(), page.count_max())
                .await?;
            // Where each of them lies is kept beside what is answered of them.
            let rows: Vec<(ListCursor, pb::Member)> = members
                .iter()
                .map(|member| ((member.create_time, member.member_id), self.shown(member)))
                .collect();
            let (rows, next_page_token) =
                page.cut_within(rows, |(_, member)| member.encoded_len(), |(cursor, _)| *cursor)?;
            self.note(&caller, LIST, rows.iter().map(|(_, member)| member))
                .await?;
            Ok(pb::ListMembersResponse {
                members: rows.into_iter().map(|(_, member)| member).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn list_duplicate_candidates(
        &self,
        request: Request<pb::ListDuplicateCandidatesRequest>,
    ) -> Result<Response<pb::ListDuplicateCandidatesResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (like, page_size) = parse::duplicates(&message)?;
            let tokens = PageTokens::try_new(DUPLICATES, Some(program_id), &message.member_id)?;
            let page = PageRequest::<DuplicatesCursor>::try_new(tokens, page_size, &message.page_token)?;
            let after = page.after().and_then(|hash| LookupHash::from_stored(&hash));
            // One more is read than a page has; nobody looks for a further one here.
            let count_max = usize::try_from(page.count_max() - 1).unwrap_or(1);
            let found = self
                .people
                .list_duplicates(program_id, like, after, count_max)
                .await?;
            let next = found.next.map(|hash| page.token_after(&hash.as_bytes().to_vec()));
            Ok(pb::ListDuplicateCandidatesResponse {
                candidates: found.found.iter().map(present::duplicates).collect(),
                next_page_token: next.transpose()?.unwrap_or_default(),
            })
        })
        .await
    }

    async fn add_identifier(
        &self,
        request: Request<pb::AddIdentifierRequest>,
    ) -> Result<Response<pb::AddIdentifierResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, member_id, value) = parse::add_identifier(program_id, message)?;
            let made = self
                .people
                .add_identifier(program_id, &attempt, member_id, (&value, &caller.actor()))
                .await?;
            let member = self
                .told(&caller, calls::ADD_IDENTIFIER, &made.resource.0)
                .await?;
            Ok(made.map(|(_, identifier)| pb::AddIdentifierResponse {
                member: Some(member),
                identifier: Some(present::identifier(&identifier)),
            }))
        })
        .await
    }

    async fn set_member_status(
        &self,
        request: Request<pb::SetMemberStatusRequest>,
    ) -> Result<Response<pb::SetMemberStatusResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, asked, because) = parse::set_status(&caller, message)?;
            let program_id = caller.program_id()?;
            let made = self
                .changes
                .carry_out(program_id, &attempt, &asked, &because)
                .await?;
            let member = self.people.get(program_id, asked.member_id()).await?;
            let member = self.told(&caller, calls::SET_STATUS, &member).await?;
            Ok(made.map(|_| pb::SetMemberStatusResponse { member: Some(member) }))
        })
        .await
    }

    async fn merge_members(
        &self,
        request: Request<pb::MergeMembersRequest>,
    ) -> Result<Response<pb::MergeMembersResponse>, Status> {
        serve_making(request, async |caller, message| {
            let merge = parse::merge(&caller, message)?;
            let program_id = caller.program_id()?;
            let made = self
                .changes
                .carry_out(program_id, &merge.attempt, &merge.asked, &merge.because)
                .await?;
            let member = self.people.get(program_id, merge.into_member_id).await?;
            let member = self.told(&caller, calls::MERGE, &member).await?;
            Ok(made.map(|_| pb::MergeMembersResponse { member: Some(member) }))
        })
        .await
    }

    async fn set_member_tier(
        &self,
        request: Request<pb::SetMemberTierRequest>,
    ) -> Result<Response<pb::SetMemberTierResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, member_id, new) = parse::set_tier(&caller, message)?;
            let made = self
                .people
                .set_tier(caller.program_id()?, &attempt, member_id, &new)
                .await?;
            let member = self.told(&caller, calls::SET_TIER, &made.resource).await?;
            Ok(made.map(|_| pb::SetMemberTierResponse { member: Some(member) }))
        })
        .await
    }

    async fn mark_identifier_verified(
        &self,
        request: Request<pb::MarkIdentifierVerifiedRequest>,
    ) -> Result<Response<pb::MarkIdentifierVerifiedResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, verified) = parse::verified(&caller, self.clock.now(), message)?;
            let made = self
                .people
                .mark_verified(caller.program_id()?, &attempt, &verified)
                .await?;
            let member = self.told(&caller, calls::MARK_VERIFIED, &made.resource.0).await?;
            Ok(made.map(|(_, identifier)| pb::MarkIdentifierVerifiedResponse {
                member: Some(member),
                identifier: Some(present::identifier(&identifier)),
            }))
        })
        .await
    }

    async fn list_identifier_history(
        &self,
        request: Request<pb::ListIdentifierHistoryRequest>,
    ) -> Result<Response<pb::ListIdentifierHistoryResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, page_size) = parse::history(&message)?;
            let tokens = PageTokens::try_new(HISTORY, Some(program_id), &message.member_id)?;
            let page = PageRequest::<i64>::try_new(tokens, page_size, &message.page_token)?;
            let entries = self
                .people
                .list_history(program_id, member_id, page.after(), page.count_max())
                .await?;
            let (entries, next_page_token) = page.cut(entries, |entry| entry.sequence)?;
            Ok(pb::ListIdentifierHistoryResponse {
                entries: entries.iter().map(present::entry).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn remove_identifier(
        &self,
        request: Request<pb::RemoveIdentifierRequest>,
    ) -> Result<Response<pb::RemoveIdentifierResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, identifier_id) = parse::remove_identifier(&message)?;
            let member = self
                .people
                .remove_identifier(caller.program_id()?, member_id, (identifier_id, &caller.actor()))
                .await?;
            let member = self.told(&caller, calls::REMOVE_IDENTIFIER, &member).await?;
            Ok(pb::RemoveIdentifierResponse { member: Some(member) })
        })
        .await
    }
}
