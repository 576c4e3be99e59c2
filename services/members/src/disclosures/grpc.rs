//! `fealty.members.v1.DisclosureService`.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::disclosure_service_server::DisclosureService;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::{PAGE_SIZE_DEFAULT, PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{MemberId, ProgramId};
use fealty_vault::Personal;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::domain::{Basis, Disclosure};
use super::{Disclosures, NewDisclosure};

const RECORD: &str = "/fealty.members.v1.DisclosureService/RecordDisclosure";
const LIST: &str = "/fealty.members.v1.DisclosureService/ListDisclosures";

/// Most rows of an answer.
const PAGE_SIZE_MAX: i32 = 200;

/// Longest name of whoever got something, in characters.
const RECIPIENT_LENGTH_MAX: usize = 200;

/// Longest list of what they got, in characters.
const CONTENT_LENGTH_MAX: usize = 1_000;

/// Where a list begins.
type Place = (DateTime<Utc>, Uuid);

/// The rpcs of disclosures.
#[derive(Debug, Clone)]
pub struct DisclosureGrpc {
    disclosures: Disclosures,
}

impl DisclosureGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(disclosures: Disclosures) -> Self {
        Self { disclosures }
    }
}

#[tonic::async_trait]
impl DisclosureService for DisclosureGrpc {
    async fn record_disclosure(
        &self,
        request: Request<pb::RecordDisclosureRequest>,
    ) -> Result<Response<pb::RecordDisclosureResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, new) = parse_record(&caller, message, self.disclosures.now())?;
            let made = self
                .disclosures
                .record(caller.program_id()?, &attempt, &new)
                .await?;
            Ok(made.map(|disclosure| pb::RecordDisclosureResponse {
                disclosure: Some(present(&disclosure)),
            }))
        })
        .await
    }

    async fn list_disclosures(
        &self,
        request: Request<pb::ListDisclosuresRequest>,
    ) -> Result<Response<pb::ListDisclosuresResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, page) = parse_list(program_id, &message)?;
            let found = self
                .disclosures
                .list(program_id, member_id, page.after(), page.count_max())
                .await?;
            let place = |disclosure: &Disclosure| (disclosure.create_time, disclosure.disclosure_id);
            let (found, next_page_token) = page.cut(found, place)?;
            Ok(pb::ListDisclosuresResponse {
                disclosures: found.iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_record(
    caller: &Caller,
    mut message: pb::RecordDisclosureRequest,
    now: DateTime<Utc>,
) -> Result<(Attempt, NewDisclosure), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(RECORD, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let basis = v.check("basis", parse_basis(message.basis));
    let recipient = fields::text(&message.recipient, 1..=RECIPIENT_LENGTH_MAX);
    let recipient = v.check("recipient", recipient);
    let content = v.check("content", fields::text(&message.content, 1..=CONTENT_LENGTH_MAX));
    let time = fields::optional_timestamp(message.disclose_time.as_ref(), TimeRange::past(now));
    let disclose_time = v.check("disclose_time", time);
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, RECORD, command_hash);
        let new = NewDisclosure {
            member_id: member_id?,
            basis: basis?,
            recipient: Personal::new(recipient?),
            content: Personal::new(content?),
            disclose_time: disclose_time?,
            actor: caller.actor(),
        };
        Some((attempt, new))
    })
}

fn parse_basis(number: i32) -> Result<Basis, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::DisclosureBasis::Unspecified => return Err(Problem::required()),
        pb::DisclosureBasis::A => Basis::A,
        pb::DisclosureBasis::B => Basis::B,
        pb::DisclosureBasis::C => Basis::C,
        pb::DisclosureBasis::D => Basis::D,
        pb::DisclosureBasis::E => Basis::E,
    })
}

fn parse_list(
    program_id: ProgramId,
    message: &pb::ListDisclosuresRequest,
) -> Result<(MemberId, PageRequest<Place>), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let size = fields::page_size(message.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
    let size = v.check("page_size", size.and_then(PageSize::parse));
    let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
    let tokens = PageTokens::try_new(LIST, Some(program_id), &member_id)?;
    Ok((
        member_id,
        PageRequest::try_new(tokens, size, &message.page_token)?,
    ))
}

fn present(disclosure: &Disclosure) -> pb::DisclosureRecord {
    let basis = match disclosure.basis {
        Basis::A => pb::DisclosureBasis::A,
        Basis::B => pb::DisclosureBasis::B,
        Basis::C => pb::DisclosureBasis::C,
        Basis::D => pb::DisclosureBasis::D,
        Basis::E => pb::DisclosureBasis::E,
    };
    let text = |text: &Option<Personal>| {
        let text = text.as_ref().map(|text| text.expose().to_owned());
        text.unwrap_or_default()
    };
    pb::DisclosureRecord {
        disclosure_id: disclosure.disclosure_id.to_string(),
        member_id: disclosure.member_id.to_string(),
        basis: basis.into(),
        recipient: text(&disclosure.recipient),
        content: text(&disclosure.content),
        disclose_time: Some(timestamp(disclosure.disclose_time)),
        actor: disclosure.actor.clone(),
        create_time: Some(timestamp(disclosure.create_time)),
    }
}
