//! `BudgetService`: parse, call, present.

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::budget_service_server::BudgetService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields::{DISPLAY_NAME_LENGTH_MAX, TimeRange};
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_rpc::{command_hash, fields};
use fealty_service::call::{serve, serve_making};
use fealty_types::{BudgetCode, OwnerId, Points, ProgramId, RequestId, UnitCode};
use tonic::{Request, Response, Status};

use super::Budgets;
use super::domain::{Budget, BudgetChange, NewBudget, Span};

const CREATE_BUDGET: &str = "/fealty.ledger.v1.BudgetService/CreateBudget";
const LIST_BUDGETS: &str = "/fealty.ledger.v1.BudgetService/ListBudgets";

/// The fields that may change.
const UPDATABLE: [&str; 4] = ["display_name", "value_max", "begin_time", "end_time"];

#[tonic::async_trait]
impl BudgetService for Budgets {
    async fn create_budget(
        &self,
        request: Request<pb::CreateBudgetRequest>,
    ) -> Result<Response<pb::CreateBudgetResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program_id()?;
            let (attempt, new) = parse_create(program, &message)?;
            let made = self.create(program, &attempt, &new).await?;
            Ok(made.map(|budget| pb::CreateBudgetResponse {
                budget: Some(present(&budget)),
            }))
        })
        .await
    }

    async fn get_budget(
        &self,
        request: Request<pb::GetBudgetRequest>,
    ) -> Result<Response<pb::GetBudgetResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let code = v.check("budget_code", fields::parse::<BudgetCode>(&message.budget_code));
            let code = v.finish_with(|| code)?;
            let budget = self.get(caller.program_id()?, &code).await?;
            Ok(pb::GetBudgetResponse {
                budget: Some(present(&budget)),
            })
        })
        .await
    }

    async fn update_budget(
        &self,
        request: Request<pb::UpdateBudgetRequest>,
    ) -> Result<Response<pb::UpdateBudgetResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let Update { code, etag, change } = parse_update(&message)?;
            let revision = etag.map(Etag::revision);
            let budget = self.update(program, &code, revision, &change).await?;
            Ok(pb::UpdateBudgetResponse {
                budget: Some(present(&budget)),
            })
        })
        .await
    }

    async fn list_budgets(
        &self,
        request: Request<pb::ListBudgetsRequest>,
    ) -> Result<Response<pb::ListBudgetsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST_BUDGETS, Some(program), &())?;
            let page = PageRequest::<BudgetCode>::parse(tokens, message.page_size, &message.page_token)?;
            let after = page.after();
            let read = self.list(program, after.as_ref(), page.count_max()).await?;
            let (budgets, next_page_token) = page.cut(read, |budget| budget.terms.code.clone())?;
            Ok(pb::ListBudgetsResponse {
                budgets: budgets.iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_create(
    program: ProgramId,
    message: &pb::CreateBudgetRequest,
) -> Result<(Attempt, NewBudget), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let new = v.message("budget", message.budget.as_ref(), parse_new);
    let hash = command_hash(
        CREATE_BUDGET,
        &pb::CreateBudgetRequest {
            request_id: String::new(),
            budget: message.budget.clone(),
        },
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program, request_id?, CREATE_BUDGET, hash);
        Some((attempt, new?))
    })
}

fn parse_new(v: &mut Violations, budget: &pb::Budget) -> Option<NewBudget> {
    let code = v.check("budget_code", fields::parse::<BudgetCode>(&budget.budget_code));
    let display_name = v.check("display_name", display_name(budget));
    let unit_code = v.check("unit_code", fields::parse::<UnitCode>(&budget.unit_code));
    let value_max = v.check("value_max", value_max(budget));
    let partner_id = v.check("partner_id", fields::optional::<OwnerId>(&budget.partner_id));
    let begin = v.check("begin_time", time(budget.begin_time.as_ref()));
    let end = v.check("end_time", time(budget.end_time.as_ref()));
    let span = Span {
        begin: begin?,
        end: end?,
    };
    v.require(span.is_sound(), "end_time", "must be after begin_time");
    Some(NewBudget {
        code: code?,
        display_name: display_name?,
        unit_code: unit_code?,
        value_max: value_max?,
        partner_id: partner_id?,
        span,
    })
}

struct Update {
    code: BudgetCode,
    etag: Option<Etag>,
    change: BudgetChange,
}

fn parse_update(message: &pb::UpdateBudgetRequest) -> Result<Update, ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let parsed = v.message("budget", message.budget.as_ref(), |v, budget| {
        let code = v.check("budget_code", fields::parse::<BudgetCode>(&budget.budget_code));
        let etag = v.check("etag", fields::optional::<Etag>(&budget.etag));
        let names = |path: &str| mask.names(path);
        let change = BudgetChange {
            display_name: v.check_if(names("display_name"), "display_name", || display_name(budget)),
            value_max: v.check_if(names("value_max"), "value_max", || value_max(budget)),
            begin: v.check_if(names("begin_time"), "begin_time", || {
                time(budget.begin_time.as_ref())
            }),
            end: v.check_if(names("end_time"), "end_time", || time(budget.end_time.as_ref())),
        };
        Some(Update {
            code: code?,
            etag: etag?,
            change,
        })
    });
    v.finish_with(|| parsed)
}

fn display_name(budget: &pb::Budget) -> Result<String, Problem> {
    fields::text(&budget.display_name, 1..=DISPLAY_NAME_LENGTH_MAX)
}

fn value_max(budget: &pb::Budget) -> Result<Points, Problem> {
    fields::number(budget.value_max, 1..=i64::MAX).map(Points::new)
}

fn time(time: Option<&prost_types::Timestamp>) -> Result<Option<DateTime<Utc>>, Problem> {
    fields::optional_timestamp(time, TimeRange::any())
}

fn present(budget: &Budget) -> pb::Budget {
    let terms = &budget.terms;
    pb::Budget {
        budget_code: terms.code.to_string(),
        display_name: terms.display_name.clone(),
        unit_code: terms.unit_code.to_string(),
        value_max: terms.value_max.get(),
        value_used: budget.used.get(),
        partner_id: terms
            .partner_id
            .as_ref()
            .map(OwnerId::to_string)
            .unwrap_or_default(),
        begin_time: terms.span.begin.map(timestamp),
        end_time: terms.span.end.map(timestamp),
        create_time: Some(timestamp(budget.create_time)),
        update_time: Some(timestamp(budget.update_time)),
        etag: Etag::new(budget.revision).to_string(),
    }
}
