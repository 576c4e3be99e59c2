//! `fealty.members.v1.ErasureService`.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::erasure_service_server::ErasureService;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PAGE_SIZE_DEFAULT, PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{MemberId, ProgramId, RequestId};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::domain::{Cause, Erasure, Part, Receipt, State};
use super::{Asked, Erasures};

const ERASE: &str = "/fealty.members.v1.ErasureService/EraseMember";
const LIST: &str = "/fealty.members.v1.ErasureService/ListErasures";

/// Most rows of an answer: one may name a thousand records.
const PAGE_SIZE_MAX: i32 = 200;

/// Who confirms.
const CONFIRMING: [&str; 2] = ["rewards", "surveys"];

/// The rpcs of erasures.
#[derive(Debug, Clone)]
pub struct ErasureGrpc {
    erasures: Erasures,
}

impl ErasureGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(erasures: Erasures) -> Self {
        Self { erasures }
    }
}

#[tonic::async_trait]
impl ErasureService for ErasureGrpc {
    async fn erase_member(
        &self,
        request: Request<pb::EraseMemberRequest>,
    ) -> Result<Response<pb::EraseMemberResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, asked) = parse_erase(&caller, message)?;
            let made = self
                .erasures
                .erase(caller.program_id()?, &attempt, &asked)
                .await?;
            Ok(made.map(|erasure| pb::EraseMemberResponse {
                erasure: Some(present(erasure)),
            }))
        })
        .await
    }

    async fn get_erasure(
        &self,
        request: Request<pb::GetErasureRequest>,
    ) -> Result<Response<pb::GetErasureResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let erasure_id = v.check("erasure_id", erasure_id(&message.erasure_id));
            let erasure_id = v.finish_with(|| erasure_id)?;
            let erasure = self.erasures.get(caller.program_id()?, erasure_id).await?;
            Ok(pb::GetErasureResponse {
                erasure: Some(present(erasure)),
            })
        })
        .await
    }

    async fn list_erasures(
        &self,
        request: Request<pb::ListErasuresRequest>,
    ) -> Result<Response<pb::ListErasuresResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let page = parse_list(program_id, &message)?;
            let erasures = self
                .erasures
                .list(program_id, page.after(), page.count_max())
                .await?;
            let place = |erasure: &Erasure| (erasure.begin_time, erasure.erasure_id);
            let size_bytes = |erasure: &Erasure| prost::Message::encoded_len(&present(erasure.clone()));
            let (erasures, next_page_token) = page.cut_within(erasures, size_bytes, place)?;
            Ok(pb::ListErasuresResponse {
                erasures: erasures.into_iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn confirm_erasure(
        &self,
        request: Request<pb::ConfirmErasureRequest>,
    ) -> Result<Response<pb::ConfirmErasureResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let erasure_id = v.check("erasure_id", erasure_id(&message.erasure_id));
            let service = v.check("service", confirming(&message.service));
            let (erasure_id, service) = v.finish_with(|| Some((erasure_id?, service?)))?;
            let program_id = caller.program_id()?;
            self.erasures.confirm(program_id, erasure_id, service).await?;
            Ok(pb::ConfirmErasureResponse {})
        })
        .await
    }
}

fn erasure_id(text: &str) -> Result<Uuid, Problem> {
    fields::parse::<RequestId>(text).map(|id| id.as_uuid())
}

fn confirming(service: &str) -> Result<&'static str, Problem> {
    let known = CONFIRMING.into_iter().find(|known| *known == service);
    known.ok_or_else(|| Problem::new("must be \"rewards\" or \"surveys\""))
}

fn parse_erase(caller: &Caller, mut message: pb::EraseMemberRequest) -> Result<(Attempt, Asked), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ERASE, &message);
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let cause = v.check("cause", parse_cause(message.cause));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, ERASE, command_hash);
        let asked = Asked {
            member_id: member_id?,
            cause: cause?,
            actor: caller.actor(),
        };
        Some((attempt, asked))
    })
}

fn parse_cause(number: i32) -> Result<Cause, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::ErasureCause::Unspecified => return Err(Problem::required()),
        pb::ErasureCause::MemberRequest => Cause::MemberRequest,
        pb::ErasureCause::RetentionEnded => Cause::RetentionEnded,
    })
}

fn parse_list(
    program_id: ProgramId,
    message: &pb::ListErasuresRequest,
) -> Result<PageRequest<(DateTime<Utc>, Uuid)>, ApiError> {
    let mut v = Violations::default();
    let size = fields::page_size(message.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
    let size = v.check("page_size", size.and_then(PageSize::parse));
    let size = v.finish_with(|| size)?;
    let tokens = PageTokens::try_new(LIST, Some(program_id), &())?;
    PageRequest::try_new(tokens, size, &message.page_token)
}

fn present(erasure: Erasure) -> pb::Erasure {
    let cause = match erasure.cause {
        Cause::MemberRequest => pb::ErasureCause::MemberRequest,
        Cause::RetentionEnded => pb::ErasureCause::RetentionEnded,
    };
    let state = match erasure.state {
        State::Begun => pb::ErasureState::Begun,
        State::Destroyed => pb::ErasureState::Destroyed,
        State::Complete => pb::ErasureState::Complete,
    };
    pb::Erasure {
        erasure_id: erasure.erasure_id.to_string(),
        member_id: erasure.member_id.to_string(),
        member_ids: erasure.member_ids.iter().map(MemberId::to_string).collect(),
        cause: cause.into(),
        state: state.into(),
        begin_time: Some(timestamp(erasure.begin_time)),
        parts: erasure.parts().into_iter().map(present_part).collect(),
        receipt: erasure.receipt.map(present_receipt),
    }
}

fn present_part(part: Part) -> pb::ErasurePart {
    pb::ErasurePart {
        service: part.service,
        confirm_time: part.confirm_time.map(timestamp),
    }
}

fn present_receipt(receipt: Receipt) -> pb::ErasureReceipt {
    pb::ErasureReceipt {
        text: receipt.text,
        signature: receipt.signature.bytes.into(),
        public_key: receipt.signature.public_key.into(),
    }
}
