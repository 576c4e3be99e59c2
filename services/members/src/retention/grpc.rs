//! `fealty.members.v1.RetentionService`.

use std::mem;

use chrono::{Datelike, NaiveDate};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::retention_service_server::RetentionService;
use fealty_proto::types::v1::Date;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PAGE_SIZE_DEFAULT, PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{MemberId, RequestId};
use tonic::{Request, Response, Status};

use super::domain::{LegalHold, Retention};
use super::{ContractEnd, NewHold, Retentions};

const END: &str = "/fealty.members.v1.RetentionService/EndContract";
const LIST: &str = "/fealty.members.v1.RetentionService/ListPurgeableMembers";
const PLACE: &str = "/fealty.members.v1.RetentionService/PlaceLegalHold";

/// Most rows of an answer.
const PAGE_SIZE_MAX: i32 = 200;

/// Longest name of a case, in characters.
const CASE_LENGTH_MAX: usize = 100;

/// The rpcs of retention.
#[derive(Debug, Clone)]
pub struct RetentionGrpc {
    retentions: Retentions,
}

impl RetentionGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(retentions: Retentions) -> Self {
        Self { retentions }
    }

    fn present(&self, caller: &Caller, retention: &Retention) -> Result<pb::Retention, ApiError> {
        let today = self.retentions.today(caller.program()?.time_zone);
        Ok(present(retention, today))
    }
}

#[tonic::async_trait]
impl RetentionService for RetentionGrpc {
    async fn end_contract(
        &self,
        request: Request<pb::EndContractRequest>,
    ) -> Result<Response<pb::EndContractResponse>, Status> {
        serve_making(request, async |caller, message| {
            let today = self.retentions.today(caller.program()?.time_zone);
            let (attempt, end) = parse_end(&caller, message, today)?;
            let made = self
                .retentions
                .end_contract(caller.program_id()?, &attempt, &end)
                .await?;
            let retention = self.present(&caller, &made.resource)?;
            Ok(made.map(|_| pb::EndContractResponse {
                retention: Some(retention),
            }))
        })
        .await
    }

    async fn get_retention(
        &self,
        request: Request<pb::GetRetentionRequest>,
    ) -> Result<Response<pb::GetRetentionResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let member_id = v.check("member_id", fields::parse(&message.member_id));
            let member_id = v.finish_with(|| member_id)?;
            let retention = self.retentions.get(caller.program_id()?, member_id).await?;
            Ok(pb::GetRetentionResponse {
                retention: Some(self.present(&caller, &retention)?),
            })
        })
        .await
    }

    async fn list_purgeable_members(
        &self,
        request: Request<pb::ListPurgeableMembersRequest>,
    ) -> Result<Response<pb::ListPurgeableMembersResponse>, Status> {
        serve(request, async |caller, message| {
            let program = *caller.program()?;
            let mut v = Violations::default();
            let size = fields::page_size(message.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
            let size = v.check("page_size", size.and_then(PageSize::parse));
            let size = v.finish_with(|| size)?;
            let tokens = PageTokens::try_new(LIST, Some(program.program_id), &())?;
            let page = PageRequest::<(NaiveDate, MemberId)>::try_new(tokens, size, &message.page_token)?;
            let today = self.retentions.today(program.time_zone);
            let found = self
                .retentions
                .list_purgeable(program.program_id, today, page.after(), page.count_max())
                .await?;
            let place = |retention: &Retention| {
                let from = retention.ended.map_or(today, |(_, from)| from);
                (from, retention.member_id)
            };
            let (found, next_page_token) = page.cut(found, place)?;
            Ok(pb::ListPurgeableMembersResponse {
                retentions: found.iter().map(|retention| present(retention, today)).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn place_legal_hold(
        &self,
        request: Request<pb::PlaceLegalHoldRequest>,
    ) -> Result<Response<pb::PlaceLegalHoldResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, new) = parse_hold(&caller, message)?;
            let made = self
                .retentions
                .place_hold(caller.program_id()?, &attempt, &new)
                .await?;
            Ok(made.map(|hold| pb::PlaceLegalHoldResponse {
                legal_hold: Some(present_hold(&hold)),
            }))
        })
        .await
    }

    async fn lift_legal_hold(
        &self,
        request: Request<pb::LiftLegalHoldRequest>,
    ) -> Result<Response<pb::LiftLegalHoldResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let id = fields::parse::<RequestId>(&message.legal_hold_id);
            let id = v.check("legal_hold_id", id);
            let id = v.finish_with(|| id)?;
            let hold = self
                .retentions
                .lift_hold(caller.program_id()?, id.as_uuid())
                .await?;
            Ok(pb::LiftLegalHoldResponse {
                legal_hold: Some(present_hold(&hold)),
            })
        })
        .await
    }
}

fn parse_end(
    caller: &Caller,
    mut message: pb::EndContractRequest,
    today: NaiveDate,
) -> Result<(Attempt, ContractEnd), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(END, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let end_date = v.check("contract_end_date", past_day(message.contract_end_date, today));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, END, command_hash);
        let end = ContractEnd {
            member_id: member_id?,
            end_date: end_date?,
            actor: caller.actor(),
        };
        Some((attempt, end))
    })
}

fn past_day(date: Option<Date>, today: NaiveDate) -> Result<NaiveDate, Problem> {
    let date = date.ok_or_else(Problem::required)?;
    let number = |number: i32| u32::try_from(number).ok();
    let day = number(date.month).zip(number(date.day));
    let day = day.and_then(|(month, day)| NaiveDate::from_ymd_opt(date.year, month, day));
    let day = day.filter(|day| day.year() >= 1);
    match day {
        None => Err(Problem::new("must be a day of the calendar")),
        Some(day) if day > today => Err(Problem::new("must be today or before")),
        Some(day) => Ok(day),
    }
}

fn parse_hold(
    caller: &Caller,
    mut message: pb::PlaceLegalHoldRequest,
) -> Result<(Attempt, NewHold), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(PLACE, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let case_reference = fields::text(&message.case_reference, 1..=CASE_LENGTH_MAX);
    let case_reference = v.check("case_reference", case_reference);
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, PLACE, command_hash);
        let new = NewHold {
            member_id: member_id?,
            case_reference: case_reference?,
            placed_by: caller.actor(),
        };
        Some((attempt, new))
    })
}

fn present(retention: &Retention, today: NaiveDate) -> pb::Retention {
    let date = |day: NaiveDate| Date {
        year: day.year(),
        month: i32::try_from(day.month()).unwrap_or_default(),
        day: i32::try_from(day.day()).unwrap_or_default(),
    };
    pb::Retention {
        member_id: retention.member_id.to_string(),
        contract_end_date: retention.ended.map(|(end, _)| date(end)),
        purgeable_from_date: retention.ended.map(|(_, from)| date(from)),
        legal_holds: retention.legal_holds.iter().map(present_hold).collect(),
        purgeable: retention.is_purgeable(today),
    }
}

fn present_hold(hold: &LegalHold) -> pb::LegalHold {
    pb::LegalHold {
        legal_hold_id: hold.legal_hold_id.to_string(),
        member_id: hold.member_id.to_string(),
        case_reference: hold.case_reference.clone(),
        placed_by: hold.placed_by.clone(),
        place_time: Some(timestamp(hold.place_time)),
        lift_time: hold.lift_time.map(timestamp),
    }
}
