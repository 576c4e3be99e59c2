//! `HouseholdService`: parse, call, present.

use std::collections::BTreeMap;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::household_service_server::HouseholdService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{OwnerId, Points, RequestId, UnitCode};
use tonic::{Request, Response, Status};

use super::{attempt, parse_pair, present};
use crate::owners::Owners;
use crate::owners::domain::DissolvePolicy;
use crate::owners::limits::UsedLimit;
use crate::spending::domain::{LIMITS_MAX, SpendingLimit, SpendingLimits};

const DISSOLVE: &str = "/fealty.ledger.v1.HouseholdService/DissolveHousehold";

#[tonic::async_trait]
impl HouseholdService for Owners {
    async fn set_spending_limits(
        &self,
        request: Request<pb::SetSpendingLimitsRequest>,
    ) -> Result<Response<pb::SetSpendingLimitsResponse>, Status> {
        serve(request, async |caller, message| {
            let (owner_id, limits, revision) = parse_set(&message)?;
            let set = self
                .set_limits(caller.program_id()?, owner_id, (&limits, revision))
                .await?;
            Ok(pb::SetSpendingLimitsResponse {
                limits: set
                    .iter()
                    .map(|(unit_code, limit)| present_limit(unit_code, limit))
                    .collect(),
            })
        })
        .await
    }

    async fn get_spending(
        &self,
        request: Request<pb::GetSpendingRequest>,
    ) -> Result<Response<pb::GetSpendingResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
            let owner_id = v.finish_with(|| owner_id)?;
            let spending = self.spending(caller.program_id()?, owner_id).await?;
            Ok(pb::GetSpendingResponse {
                spending: spending.iter().map(present_used).collect(),
            })
        })
        .await
    }

    async fn dissolve_household(
        &self,
        request: Request<pb::DissolveHouseholdRequest>,
    ) -> Result<Response<pb::DissolveHouseholdResponse>, Status> {
        serve_making(request, async |caller, message| {
            let mut v = Violations::default();
            let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
            let pair = parse_pair(
                &mut v,
                ("household_owner_id", &message.household_owner_id),
                ("heir_owner_id", &message.heir_owner_id),
            );
            let policy = v.check("policy", parse_policy(message.policy));
            let (request_id, pair, policy) = v.finish_with(|| Some((request_id?, pair?, policy?)))?;
            let command = pb::DissolveHouseholdRequest {
                request_id: String::new(),
                ..message
            };
            let attempt = attempt(&caller, request_id, DISSOLVE, &command)?;
            let made = self
                .dissolve(caller.program_id()?, &attempt, pair, policy)
                .await?;
            Ok(made.map(|household| pb::DissolveHouseholdResponse {
                household: Some(present(&household)),
            }))
        })
        .await
    }
}

fn parse_set(message: &pb::SetSpendingLimitsRequest) -> Result<(OwnerId, SpendingLimits, i64), ApiError> {
    let mut v = Violations::default();
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let revision = v.check(
        "limits_revision",
        fields::number(message.limits_revision, 1..=i64::MAX),
    );
    v.require(message.limits.len() <= LIMITS_MAX, "limits", "must be at most 20");
    let mut limits = BTreeMap::new();
    for (index, limit) in message.limits.iter().take(LIMITS_MAX).enumerate() {
        let at = |field: &str| format!("limits[{index}].{field}");
        let unit_code = v.check(&at("unit_code"), fields::parse::<UnitCode>(&limit.unit_code));
        let mut bound = |field: &str, value: Option<i64>| {
            let value = value.map(|value| fields::number(value, 1..=i64::MAX)).transpose();
            v.check(&at(field), value).flatten().map(Points::new)
        };
        let day_value_max = bound("day_value_max", limit.day_value_max);
        let month_value_max = bound("month_value_max", limit.month_value_max);
        let has_any = limit.day_value_max.is_some() || limit.month_value_max.is_some();
        v.require(has_any, &at("day_value_max"), "must be set, or month_value_max");
        if let Some(unit_code) = unit_code {
            let limit = SpendingLimit {
                day_value_max,
                month_value_max,
            };
            let is_new = limits.insert(unit_code, limit).is_none();
            v.require(is_new, &at("unit_code"), "must not come twice");
        }
    }
    v.finish_with(|| Some((owner_id?, limits, revision?)))
}

fn parse_policy(policy: i32) -> Result<DissolvePolicy, Problem> {
    match fields::enumeration::<pb::DissolvePolicy>(policy)? {
        pb::DissolvePolicy::ToHeir => Ok(DissolvePolicy::ToHeir),
        pb::DissolvePolicy::EqualShares => Ok(DissolvePolicy::EqualShares),
        pb::DissolvePolicy::Unspecified => Err(Problem::required()),
    }
}

fn present_limit(unit_code: &UnitCode, limit: &SpendingLimit) -> pb::SpendingLimit {
    pb::SpendingLimit {
        unit_code: unit_code.to_string(),
        day_value_max: limit.day_value_max.map(Points::get),
        month_value_max: limit.month_value_max.map(Points::get),
    }
}

fn present_used(used: &UsedLimit) -> pb::Spending {
    pb::Spending {
        limit: Some(present_limit(&used.unit_code, &used.limit)),
        day_value: used.day_value.get(),
        month_value: used.month_value.get(),
        held_value: used.held_value.get(),
    }
}
