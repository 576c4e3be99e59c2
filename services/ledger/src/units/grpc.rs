//! `UnitService`: parse, call, present.

mod expiry;
mod transfers;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::unit_service_server::UnitService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields::DISPLAY_NAME_LENGTH_MAX;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_rpc::{command_hash, fields};
use fealty_service::call::{serve, serve_making};
use fealty_types::{Points, ProgramId, RequestId, UnitCode, UnitScale};
use tonic::{Request, Response, Status};

use super::Units;
use super::domain::{
    EXPIRE_NOTICE_DAYS_MAX, EndedLotPolicy, NewUnit, ShortfallPolicy, Unit, UnitChange, UnitTerms,
};

const CREATE_UNIT: &str = "/fealty.ledger.v1.UnitService/CreateUnit";
const LIST_UNITS: &str = "/fealty.ledger.v1.UnitService/ListUnits";

/// The fields that may change.
const UPDATABLE: [&str; 7] = [
    "display_name",
    "expiry_policy",
    "expire_notice_days",
    "shortfall_policy",
    "debt_max",
    "transfer_rules",
    "ended_lot_policy",
];

#[tonic::async_trait]
impl UnitService for Units {
    async fn create_unit(
        &self,
        request: Request<pb::CreateUnitRequest>,
    ) -> Result<Response<pb::CreateUnitResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program()?;
            let (attempt, new) = parse_create(program.program_id, &message)?;
            let made = self.create(program, &attempt, &new).await?;
            Ok(made.map(|unit| pb::CreateUnitResponse {
                unit: Some(present(&unit)),
            }))
        })
        .await
    }

    async fn get_unit(
        &self,
        request: Request<pb::GetUnitRequest>,
    ) -> Result<Response<pb::GetUnitResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let code = v.check("unit_code", fields::parse::<UnitCode>(&message.unit_code));
            let code = v.finish_with(|| code)?;
            let unit = self.get(caller.program_id()?, &code).await?;
            Ok(pb::GetUnitResponse {
                unit: Some(present(&unit)),
            })
        })
        .await
    }

    async fn update_unit(
        &self,
        request: Request<pb::UpdateUnitRequest>,
    ) -> Result<Response<pb::UpdateUnitResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program()?;
            let update = parse_update(&message)?;
            let unit = self
                .update(program, &update.code, update.revision, &update.change)
                .await?;
            Ok(pb::UpdateUnitResponse {
                unit: Some(present(&unit)),
            })
        })
        .await
    }

    async fn list_units(
        &self,
        request: Request<pb::ListUnitsRequest>,
    ) -> Result<Response<pb::ListUnitsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST_UNITS, Some(program), &())?;
            let page = PageRequest::<UnitCode>::parse(tokens, message.page_size, &message.page_token)?;
            let read = self
                .list(program, page.after().as_ref(), page.count_max())
                .await?;
            let (units, next_page_token) = page.cut(read, |unit| unit.terms.code.clone())?;
            Ok(pb::ListUnitsResponse {
                units: units.iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_create(program: ProgramId, message: &pb::CreateUnitRequest) -> Result<(Attempt, NewUnit), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let new = v.message("unit", message.unit.as_ref(), parse_new);
    let hash = command_hash(
        CREATE_UNIT,
        &pb::CreateUnitRequest {
            request_id: String::new(),
            unit: message.unit.clone(),
        },
    );
    v.finish_with(|| Some((Attempt::of_program(program, request_id?, CREATE_UNIT, hash), new?)))
}

fn parse_new(v: &mut Violations, unit: &pb::Unit) -> Option<NewUnit> {
    let code = v.check("unit_code", fields::parse::<UnitCode>(&unit.unit_code));
    let display_name = v.check("display_name", display_name(unit));
    let scale = v.check("scale", UnitScale::try_from(unit.scale));
    let expiry_policy = v.check("expiry_policy", expiry::parse(unit.expiry_policy.as_ref()));
    let expire_notice_days = v.check("expire_notice_days", expire_notice_days(unit));
    let shortfall_policy = v.check("shortfall_policy", shortfall_policy(unit));
    let debt_max = v.check("debt_max", debt_max(unit));
    let transfer_rules = v.check("transfer_rules", transfers::parse(unit.transfer_rules.as_ref()));
    let ended_lot_policy = v.check("ended_lot_policy", ended_lot_policy(unit));
    Some(NewUnit {
        terms: UnitTerms {
            code: code?,
            scale: scale?,
            expiry_policy: expiry_policy?,
            shortfall_policy: shortfall_policy?,
            debt_max: debt_max?,
            transfer_rules: transfer_rules?,
            ended_lot_policy: ended_lot_policy?,
        },
        display_name: display_name?,
        expire_notice_days: expire_notice_days?,
    })
}

struct Update {
    code: UnitCode,
    revision: Option<i64>,
    change: UnitChange,
}

fn parse_update(message: &pb::UpdateUnitRequest) -> Result<Update, ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let parsed = v.message("unit", message.unit.as_ref(), |v, unit| {
        let code = v.check("unit_code", fields::parse::<UnitCode>(&unit.unit_code));
        let etag = v.check("etag", fields::optional::<Etag>(&unit.etag));
        let names = |path: &str| mask.names(path);
        let change = UnitChange {
            display_name: v.check_if(names("display_name"), "display_name", || display_name(unit)),
            expiry_policy: v.check_if(names("expiry_policy"), "expiry_policy", || {
                expiry::parse(unit.expiry_policy.as_ref())
            }),
            expire_notice_days: v.check_if(names("expire_notice_days"), "expire_notice_days", || {
                expire_notice_days(unit)
            }),
            shortfall_policy: v.check_if(names("shortfall_policy"), "shortfall_policy", || {
                shortfall_policy(unit)
            }),
            debt_max: v.check_if(names("debt_max"), "debt_max", || debt_max(unit)),
            transfer_rules: v.check_if(names("transfer_rules"), "transfer_rules", || {
                transfers::parse(unit.transfer_rules.as_ref())
            }),
            ended_lot_policy: v.check_if(names("ended_lot_policy"), "ended_lot_policy", || {
                ended_lot_policy(unit)
            }),
        };
        Some((code?, etag?, change))
    });
    v.finish_with(|| {
        let (code, etag, change) = parsed?;
        Some(Update {
            code,
            revision: etag.map(Etag::revision),
            change,
        })
    })
}

fn display_name(unit: &pb::Unit) -> Result<String, Problem> {
    fields::text(&unit.display_name, 1..=DISPLAY_NAME_LENGTH_MAX)
}

fn expire_notice_days(unit: &pb::Unit) -> Result<i32, Problem> {
    fields::number(unit.expire_notice_days, 0..=EXPIRE_NOTICE_DAYS_MAX)
}

fn shortfall_policy(unit: &pb::Unit) -> Result<ShortfallPolicy, Problem> {
    match fields::enumeration::<pb::ShortfallPolicy>(unit.shortfall_policy)? {
        pb::ShortfallPolicy::Debt => Ok(ShortfallPolicy::Debt),
        pb::ShortfallPolicy::Waive => Ok(ShortfallPolicy::Waive),
        pb::ShortfallPolicy::Unspecified => Err(Problem::required()),
    }
}

/// A unit has one also where nobody says which.
fn ended_lot_policy(unit: &pb::Unit) -> Result<EndedLotPolicy, Problem> {
    if unit.ended_lot_policy == 0 {
        return Ok(EndedLotPolicy::default());
    }
    match fields::enumeration::<pb::EndedLotPolicy>(unit.ended_lot_policy)? {
        pb::EndedLotPolicy::Unspecified => Ok(EndedLotPolicy::default()),
        pb::EndedLotPolicy::Gone => Ok(EndedLotPolicy::Gone),
        pb::EndedLotPolicy::AsEarnedNow => Ok(EndedLotPolicy::AsEarnedNow),
    }
}

fn debt_max(unit: &pb::Unit) -> Result<Points, Problem> {
    fields::number(unit.debt_max, 0..=i64::MAX).map(Points::new)
}

fn present(unit: &Unit) -> pb::Unit {
    let policy = match unit.terms.shortfall_policy {
        ShortfallPolicy::Debt => pb::ShortfallPolicy::Debt,
        ShortfallPolicy::Waive => pb::ShortfallPolicy::Waive,
    };
    pb::Unit {
        unit_code: unit.terms.code.to_string(),
        display_name: unit.display_name.clone(),
        scale: unit.terms.scale.into(),
        shortfall_policy: policy.into(),
        debt_max: unit.terms.debt_max.get(),
        create_time: Some(timestamp(unit.create_time)),
        update_time: Some(timestamp(unit.update_time)),
        etag: Etag::new(unit.revision).to_string(),
        expiry_policy: expiry::present(&unit.terms.expiry_policy),
        expire_notice_days: unit.expire_notice_days,
        transfer_rules: unit.terms.transfer_rules.as_ref().map(transfers::present),
        ended_lot_policy: match unit.terms.ended_lot_policy {
            EndedLotPolicy::Gone => pb::EndedLotPolicy::Gone,
            EndedLotPolicy::AsEarnedNow => pb::EndedLotPolicy::AsEarnedNow,
        }
        .into(),
    }
}
