//! What the ledger refuses about units, rules, owners and balances.

use fealty_proto::ledger::v1::earning_rule::Formula;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::ledger::v1::{
    Cashback, CreateEarningRuleRequest, CreateUnitRequest, EarningRule, EndEarningRuleRequest, ExpiryPolicy,
    GetBalanceRequest, GetEarningRuleRequest, GetOwnerRequest, GetUnitRequest, ListEarningRulesRequest,
    ListLotsRequest, ListUnitsRequest, LotLife, OpenOwnerRequest, OwnerKind, Rounding, ShortfallPolicy,
    TransferRules, Unit, UpdateUnitRequest,
};
use fealty_proto::types::v1::Consistency;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::shop::{UNIT, request_id};
use tonic::Code;

use super::case::{Case, FAR_FUTURE, LONG_AGO, NO_TIME, Table, invalid, mask, not_found, refused};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [create_unit, units, create_rule, rules, owners, balances]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn new_unit() -> Unit {
    Unit {
        unit_code: "stamps".to_owned(),
        display_name: "Stamps".to_owned(),
        shortfall_policy: ShortfallPolicy::Waive.into(),
        ..Unit::default()
    }
}

fn create_unit(world: &World) -> Vec<Case> {
    let of = |unit: Unit| CreateUnitRequest {
        request_id: request_id(),
        unit: Some(unit),
    };
    Table::of(world, "/fealty.ledger.v1.UnitService/CreateUnit")
        .row(
            "nothing",
            &CreateUnitRequest::default(),
            invalid(&["request_id", "unit"]),
        )
        .row(
            "a unit of nonsense",
            &of(Unit {
                unit_code: "Stamps!".to_owned(),
                display_name: String::new(),
                scale: 7,
                expiry_policy: Some(ExpiryPolicy {
                    policy: Some(Policy::AfterEarning(LotLife {
                        length: Some(Length::LifeMonths(1_201)),
                        round_up_to: 4,
                    })),
                }),
                shortfall_policy: 9,
                debt_max: -1,
                transfer_rules: Some(TransferRules {
                    value_min: 10,
                    value_max: 9,
                    day_value_max: -1,
                    day_count_max: -1,
                }),
                ended_lot_policy: 9,
                ..Unit::default()
            }),
            invalid(&[
                "unit.unit_code",
                "unit.display_name",
                "unit.scale",
                "unit.expiry_policy.after_earning.life_months",
                "unit.expiry_policy.after_earning.round_up_to",
                "unit.shortfall_policy",
                "unit.debt_max",
                "unit.transfer_rules.value_max",
                "unit.transfer_rules.day_value_max",
                "unit.transfer_rules.day_count_max",
                "unit.ended_lot_policy",
            ]),
        )
        .row(
            "a code that is taken",
            &of(Unit {
                unit_code: UNIT.to_owned(),
                ..new_unit()
            }),
            refused(Code::AlreadyExists, "RESOURCE_EXISTS"),
        )
        .done()
}

fn units(world: &World) -> Vec<Case> {
    let get = |unit_code: &str| GetUnitRequest {
        unit_code: unit_code.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.UnitService/GetUnit")
        .row("none", &get(""), invalid(&["unit_code"]))
        .row("no code", &get("Stamps!"), invalid(&["unit_code"]))
        .row("another program's", &get(&world.theirs.unit_code), not_found());
    let update = |unit: Unit, paths: &[&str]| UpdateUnitRequest {
        unit: Some(unit),
        update_mask: Some(mask(paths)),
    };
    let code = |code: &str| Unit {
        unit_code: code.to_owned(),
        debt_max: -1,
        ..new_unit()
    };
    let change = Table::of(world, "/fealty.ledger.v1.UnitService/UpdateUnit")
        .row(
            "nothing",
            &UpdateUnitRequest::default(),
            invalid(&["update_mask", "unit"]),
        )
        .row(
            "what is fixed, and less than no debt",
            &update(code(UNIT), &["scale", "debt_max"]),
            invalid(&["update_mask.paths[0]", "unit.debt_max"]),
        )
        .row(
            "less than no debt",
            &update(code(UNIT), &["debt_max"]),
            invalid(&["unit.debt_max"]),
        )
        .row(
            "another program's",
            &update(code(&world.theirs.unit_code), &["display_name"]),
            not_found(),
        );
    let list = Table::of(world, "/fealty.ledger.v1.UnitService/ListUnits").pages(|page_size, page_token| {
        ListUnitsRequest {
            page_size,
            page_token,
        }
    });
    [read, change, list].into_iter().flat_map(Table::done).collect()
}

fn create_rule(world: &World) -> Vec<Case> {
    let of = |unit_code: &str, rate: &str, rounding: i32| EarningRule {
        display_name: "Double".to_owned(),
        unit_code: unit_code.to_owned(),
        formula: Some(Formula::Cashback(Cashback {
            rate: rate.to_owned(),
            rounding,
        })),
        ..EarningRule::default()
    };
    let create_of = |rule: EarningRule| CreateEarningRuleRequest {
        request_id: request_id(),
        earning_rule: Some(rule),
    };
    let down = i32::from(Rounding::Down);
    Table::of(world, "/fealty.ledger.v1.EarningRuleService/CreateEarningRule")
        .row(
            "nothing",
            &CreateEarningRuleRequest::default(),
            invalid(&["request_id", "earning_rule"]),
        )
        .row(
            "an empty rule",
            &create_of(EarningRule::default()),
            invalid(&[
                "earning_rule.display_name",
                "earning_rule.unit_code",
                "earning_rule.cashback",
            ]),
        )
        .row(
            "no rate and no rounding",
            &create_of(of(UNIT, "a lot", 0)),
            invalid(&["earning_rule.cashback.rate", "earning_rule.cashback.rounding"]),
        )
        .row(
            "a rate of nothing",
            &create_of(of(UNIT, "0", down)),
            invalid(&["earning_rule.cashback.rate"]),
        )
        .row(
            "a rate beyond the bound",
            &create_of(of(UNIT, "1000001", down)),
            invalid(&["earning_rule.cashback.rate"]),
        )
        .row(
            "an end before the beginning",
            &create_of(EarningRule {
                start_time: Some(FAR_FUTURE),
                end_time: Some(LONG_AGO),
                ..of(UNIT, "0.01", down)
            }),
            invalid(&["earning_rule.end_time"]),
        )
        .row(
            "another program's unit",
            &create_of(of(&world.theirs.unit_code, "0.01", down)),
            not_found(),
        )
        .row(
            "a time that has a rule",
            &create_of(of(UNIT, "0.01", down)),
            refused(Code::FailedPrecondition, "RULE_OVERLAPS"),
        )
        .done()
}

fn rules(world: &World) -> Vec<Case> {
    let get = |rule_id: &str| GetEarningRuleRequest {
        rule_id: rule_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.EarningRuleService/GetEarningRule")
        .row("none", &get(""), invalid(&["rule_id"]))
        .row("another program's", &get(&world.theirs.rule_id), not_found());
    let end_of = |rule_id: &str, end_time| EndEarningRuleRequest {
        rule_id: rule_id.to_owned(),
        end_time,
    };
    let end = Table::of(world, "/fealty.ledger.v1.EarningRuleService/EndEarningRule")
        .row(
            "none, at no time",
            &end_of("", Some(NO_TIME)),
            invalid(&["rule_id", "end_time"]),
        )
        .row(
            "an end in the past",
            &end_of(&world.ours.rule_id, Some(LONG_AGO)),
            invalid(&["end_time"]),
        )
        .row(
            "another program's",
            &end_of(&world.theirs.rule_id, None),
            not_found(),
        );
    let list = Table::of(world, "/fealty.ledger.v1.EarningRuleService/ListEarningRules").pages(
        |page_size, page_token| ListEarningRulesRequest {
            page_size,
            page_token,
        },
    );
    [read, end, list].into_iter().flat_map(Table::done).collect()
}

fn owners(world: &World) -> Vec<Case> {
    let open_as = |owner_id: &str, kind: i32| OpenOwnerRequest {
        request_id: request_id(),
        owner_id: owner_id.to_owned(),
        kind,
    };
    let open = Table::of(world, "/fealty.ledger.v1.OwnerService/OpenOwner")
        .row(
            "nothing",
            &OpenOwnerRequest::default(),
            invalid(&["request_id", "owner_id", "kind"]),
        )
        .row("nonsense", &open_as("Ana", 99), invalid(&["owner_id", "kind"]))
        .row(
            "a member as a partner",
            &open_as(&world.ours.member_id, OwnerKind::Partner.into()),
            refused(Code::AlreadyExists, "RESOURCE_EXISTS"),
        );
    let get = |owner_id: &str| GetOwnerRequest {
        owner_id: owner_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.OwnerService/GetOwner")
        .row("nobody", &get(""), invalid(&["owner_id"]))
        .row("another program's", &get(&world.theirs.member_id), not_found());
    [open, read].into_iter().flat_map(Table::done).collect()
}

fn balances(world: &World) -> Vec<Case> {
    let get = |owner_id: &str, requirement| GetBalanceRequest {
        owner_id: owner_id.to_owned(),
        consistency: Some(Consistency {
            requirement: Some(requirement),
        }),
        ..GetBalanceRequest::default()
    };
    let strong = Requirement::Strong(true);
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let read = Table::of(world, "/fealty.ledger.v1.BalanceService/GetBalance")
        .row("nobody", &get("", strong), invalid(&["owner_id"]))
        .row(
            "no id, and not strong",
            &get("Ana", Requirement::Strong(false)),
            invalid(&["owner_id", "consistency.strong"]),
        )
        .row(
            "a version below none",
            &get(ours, Requirement::AtLeastVersion(-1)),
            invalid(&["consistency.at_least_version"]),
        )
        .row(
            "a version that nobody has written",
            &get(ours, Requirement::AtLeastVersion(1_000)),
            refused(Code::OutOfRange, "VERSION_AHEAD"),
        )
        .row("another program's", &get(theirs, strong), not_found())
        .row(
            "another program's, from the cache",
            &get(theirs, Requirement::Eventual(true)),
            not_found(),
        );
    let list = |owner_id: &str, unit_code: &str| ListLotsRequest {
        owner_id: owner_id.to_owned(),
        unit_code: unit_code.to_owned(),
        ..ListLotsRequest::default()
    };
    let lots = Table::of(world, "/fealty.ledger.v1.BalanceService/ListLots")
        .pages(|page_size, page_token| ListLotsRequest {
            page_size,
            page_token,
            ..list(ours, "")
        })
        .row(
            "nobody, of no unit",
            &list("", "Stamps!"),
            invalid(&["owner_id", "unit_code"]),
        )
        .row("another program's", &list(theirs, ""), not_found());
    [read, lots].into_iter().flat_map(Table::done).collect()
}
