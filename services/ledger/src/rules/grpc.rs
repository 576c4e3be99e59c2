//! `EarningRuleService`: parse, call, present.

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::earning_rule::Formula;
use fealty_proto::ledger::v1::earning_rule_service_server::EarningRuleService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{DISPLAY_NAME_LENGTH_MAX, TimeRange};
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_rpc::{command_hash, fields};
use fealty_service::call::{serve, serve_making};
use fealty_types::{ProgramId, Rate, RequestId, Rounding, RuleId, UnitCode};
use tonic::{Request, Response, Status};

use super::Rules;
use super::domain::{Cashback, EarningRule, NewRule, Span};

const CREATE_EARNING_RULE: &str = "/fealty.ledger.v1.EarningRuleService/CreateEarningRule";
const LIST_EARNING_RULES: &str = "/fealty.ledger.v1.EarningRuleService/ListEarningRules";

#[tonic::async_trait]
impl EarningRuleService for Rules {
    async fn create_earning_rule(
        &self,
        request: Request<pb::CreateEarningRuleRequest>,
    ) -> Result<Response<pb::CreateEarningRuleResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program_id()?;
            let (attempt, new) = parse_create(program, &message)?;
            let made = self.create(program, &attempt, &new).await?;
            Ok(made.map(|rule| pb::CreateEarningRuleResponse {
                earning_rule: Some(present(&rule)),
            }))
        })
        .await
    }

    async fn get_earning_rule(
        &self,
        request: Request<pb::GetEarningRuleRequest>,
    ) -> Result<Response<pb::GetEarningRuleResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let rule_id = v.check("rule_id", fields::parse::<RuleId>(&message.rule_id));
            let rule_id = v.finish_with(|| rule_id)?;
            let rule = self.get(caller.program_id()?, rule_id).await?;
            Ok(pb::GetEarningRuleResponse {
                earning_rule: Some(present(&rule)),
            })
        })
        .await
    }

    async fn end_earning_rule(
        &self,
        request: Request<pb::EndEarningRuleRequest>,
    ) -> Result<Response<pb::EndEarningRuleResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let rule_id = v.check("rule_id", fields::parse::<RuleId>(&message.rule_id));
            let end_time = v.check(
                "end_time",
                fields::optional_timestamp(message.end_time.as_ref(), TimeRange::any()),
            );
            let (rule_id, end_time) = v.finish_with(|| Some((rule_id?, end_time?)))?;
            let rule = self.end(caller.program_id()?, rule_id, end_time).await?;
            Ok(pb::EndEarningRuleResponse {
                earning_rule: Some(present(&rule)),
            })
        })
        .await
    }

    async fn list_earning_rules(
        &self,
        request: Request<pb::ListEarningRulesRequest>,
    ) -> Result<Response<pb::ListEarningRulesResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST_EARNING_RULES, Some(program), &())?;
            let page = PageRequest::<RuleId>::parse(tokens, message.page_size, &message.page_token)?;
            let read = self.list(program, page.after(), page.count_max()).await?;
            let (rules, next_page_token) = page.cut(read, |rule| rule.rule_id)?;
            Ok(pb::ListEarningRulesResponse {
                earning_rules: rules.iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_create(
    program: ProgramId,
    message: &pb::CreateEarningRuleRequest,
) -> Result<(Attempt, NewRule), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let new = v.message("earning_rule", message.earning_rule.as_ref(), parse_new);
    let hash = command_hash(
        CREATE_EARNING_RULE,
        &pb::CreateEarningRuleRequest {
            request_id: String::new(),
            earning_rule: message.earning_rule.clone(),
        },
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program, request_id?, CREATE_EARNING_RULE, hash);
        Some((attempt, new?))
    })
}

fn parse_new(v: &mut Violations, rule: &pb::EarningRule) -> Option<NewRule> {
    let name = fields::text(&rule.display_name, 1..=DISPLAY_NAME_LENGTH_MAX);
    let display_name = v.check("display_name", name);
    let unit_code = v.check("unit_code", fields::parse::<UnitCode>(&rule.unit_code));
    let cashback = match &rule.formula {
        Some(Formula::Cashback(cashback)) => v.within("cashback", |v| parse_cashback(v, cashback)),
        None => v.check("cashback", Err(Problem::required())),
    };
    let time = |time: Option<&prost_types::Timestamp>| fields::optional_timestamp(time, TimeRange::any());
    let start = v.check("start_time", time(rule.start_time.as_ref()));
    let end = v.check("end_time", time(rule.end_time.as_ref()));
    let span = Span {
        start: start.flatten(),
        end: end.flatten(),
    };
    v.require(!span.is_empty(), "end_time", "must be after start_time");
    Some(NewRule {
        display_name: display_name?,
        unit_code: unit_code?,
        cashback: cashback?,
        span,
    })
}

fn parse_cashback(v: &mut Violations, cashback: &pb::Cashback) -> Option<Cashback> {
    let rate = v.check("rate", fields::parse::<Rate>(&cashback.rate));
    v.require(rate.is_none_or(|rate| !rate.is_zero()), "rate", "must be above 0");
    let rounding = v.check("rounding", rounding(cashback.rounding));
    Some(Cashback {
        rate: rate?,
        rounding: rounding?,
    })
}

fn rounding(number: i32) -> Result<Rounding, Problem> {
    match fields::enumeration::<pb::Rounding>(number)? {
        pb::Rounding::Down => Ok(Rounding::Down),
        pb::Rounding::HalfEven => Ok(Rounding::HalfEven),
        pb::Rounding::HalfUp => Ok(Rounding::HalfUp),
        pb::Rounding::Unspecified => Err(Problem::required()),
    }
}

fn present(rule: &EarningRule) -> pb::EarningRule {
    let rounding = match rule.cashback.rounding {
        Rounding::Down => pb::Rounding::Down,
        Rounding::HalfEven => pb::Rounding::HalfEven,
        Rounding::HalfUp => pb::Rounding::HalfUp,
        // No rule can be made or read with it.
        Rounding::Up => pb::Rounding::Unspecified,
    };
    pb::EarningRule {
        rule_id: rule.rule_id.to_string(),
        display_name: rule.display_name.clone(),
        unit_code: rule.unit_code.to_string(),
        formula: Some(Formula::Cashback(pb::Cashback {
            rate: rule.cashback.rate.to_string(),
            rounding: rounding.into(),
        })),
        start_time: rule.span.start.map(timestamp),
        end_time: rule.span.end.map(timestamp),
        create_time: Some(timestamp(rule.create_time)),
    }
}
