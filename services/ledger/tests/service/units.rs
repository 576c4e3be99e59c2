//! `UnitService`.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::types::v1::{Date, ErrorReason};
use tonic::Code;

use super::harness::{Ledger, is_replayed, new_id, plant_program};
use super::messages::{after_days, life, points, policy};
use super::refusals::{bad, bad_token, not_there, refusal};
use crate::assert_refused;

fn create(unit: pb::Unit) -> pb::CreateUnitRequest {
    pb::CreateUnitRequest {
        request_id: new_id(),
        unit: Some(unit),
    }
}

fn update(unit: pb::Unit, paths: &[&str]) -> pb::UpdateUnitRequest {
    pb::UpdateUnitRequest {
        unit: Some(unit),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
    }
}

fn get(unit_code: &str) -> pb::GetUnitRequest {
    pb::GetUnitRequest {
        unit_code: unit_code.to_owned(),
    }
}

fn list(page_size: i32, page_token: &str) -> pb::ListUnitsRequest {
    pb::ListUnitsRequest {
        page_size,
        page_token: page_token.to_owned(),
    }
}

#[tokio::test]
async fn a_unit_is_read_as_it_was_defined_and_the_same_request_defines_it_once() {
    let ledger = Ledger::start().await;
    let request = create(points());
    let first = ledger
        .units()
        .create_unit(ledger.call(request.clone()))
        .await
        .unwrap();
    let again = ledger.units().create_unit(ledger.call(request)).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    let unit = first.into_inner().unit.unwrap();
    assert_eq!(again.into_inner().unit.as_ref(), Some(&unit));
    let read = ledger.units().get_unit(ledger.call(get("points"))).await.unwrap();
    assert_eq!(read.into_inner().unit.as_ref(), Some(&unit));
    assert_eq!(unit.create_time, unit.update_time);
    let written = pb::Unit {
        create_time: None,
        update_time: None,
        etag: String::new(),
        ..unit
    };
    assert_eq!(written, points());
    assert!(ledger.stop().await);
}

#[tokio::test]
async fn a_request_id_of_another_command_and_a_code_that_is_taken_are_refused() {
    let ledger = Ledger::start().await;
    let request = create(points());
    ledger
        .units()
        .create_unit(ledger.call(request.clone()))
        .await
        .unwrap();
    let before = ledger.contents().await;

    let mut other = request;
    other.unit.as_mut().unwrap().debt_max = 5;
    let reused = ledger.units().create_unit(ledger.call(other)).await;
    assert_eq!(
        refusal(reused),
        (Code::AlreadyExists, ErrorReason::RequestIdReused)
    );
    let taken = ledger.units().create_unit(ledger.call(create(points()))).await;
    assert_eq!(refusal(taken), (Code::AlreadyExists, ErrorReason::ResourceExists));
    assert_eq!(ledger.contents().await, before);
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_only_for_the_revision_it_was_meant_for() {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    let read = ledger.units().get_unit(ledger.call(get("points"))).await.unwrap();
    let unit = read.into_inner().unit.unwrap();

    let wanted = pb::Unit {
        display_name: "Ignored".to_owned(),
        expiry_policy: None,
        shortfall_policy: pb::ShortfallPolicy::Waive.into(),
        ..unit.clone()
    };
    let request = update(wanted.clone(), &["expiry_policy", "shortfall_policy"]);
    let changed = ledger
        .units()
        .update_unit(ledger.call(request.clone()))
        .await
        .unwrap();
    let changed = changed.into_inner().unit.unwrap();
    assert_eq!(
        (
            changed.display_name.as_str(),
            changed.expiry_policy,
            changed.shortfall_policy
        ),
        ("Points", None, i32::from(pb::ShortfallPolicy::Waive))
    );
    assert_ne!(changed.etag, unit.etag);

    let stale = ledger.units().update_unit(ledger.call(request)).await;
    assert_eq!(refusal(stale), (Code::Aborted, ErrorReason::EtagMismatch));
    let mut blind = wanted;
    blind.etag = String::new();
    let overwritten = ledger
        .units()
        .update_unit(ledger.call(update(blind, &["display_name"])))
        .await;
    assert_eq!(
        overwritten.unwrap().into_inner().unit.unwrap().display_name,
        "Ignored"
    );
}

#[tokio::test]
async fn units_are_listed_by_code_page_by_page_and_no_other_programs_are_among_them() {
    let ledger = Ledger::start().await;
    for code in ["c", "a", "b_1"] {
        ledger
            .define(pb::Unit {
                unit_code: code.to_owned(),
                ..points()
            })
            .await;
    }
    let mut codes = Vec::new();
    let mut token = String::new();
    loop {
        let page = ledger
            .units()
            .list_units(ledger.call(list(2, &token)))
            .await
            .unwrap()
            .into_inner();
        codes.extend(page.units.into_iter().map(|unit| unit.unit_code));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(codes, ["a", "b_1", "c"]);
    let stranger = plant_program(&ledger.database, "UTC", "EUR").await;
    let page = ledger
        .units()
        .list_units(stranger.call(list(0, "")))
        .await
        .unwrap();
    assert!(page.into_inner().units.is_empty());
    let theirs = ledger.units().get_unit(stranger.call(get("a"))).await;
    assert_eq!(refusal(theirs), (Code::NotFound, ErrorReason::ResourceNotFound));
}

/// Wrong in every field.
fn bad_unit() -> pb::Unit {
    pb::Unit {
        unit_code: "Points".to_owned(),
        display_name: "\u{7}".to_owned(),
        scale: 7,
        expiry_policy: Some(after_days(36_501)),
        expire_notice_days: 366,
        shortfall_policy: 9,
        debt_max: -1,
        transfer_rules: Some(pb::TransferRules {
            value_min: -1,
            value_max: -1,
            day_value_max: -1,
            day_count_max: -1,
        }),
        ..pb::Unit::default()
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_new_unit_is_named_and_changes_nothing() {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    let all = [
        "unit.unit_code",
        "unit.display_name",
        "unit.scale",
        "unit.expiry_policy.after_earning.life_days",
        "unit.expire_notice_days",
        "unit.shortfall_policy",
        "unit.debt_max",
        "unit.transfer_rules.value_min",
        "unit.transfer_rules.value_max",
        "unit.transfer_rules.day_value_max",
        "unit.transfer_rules.day_count_max",
    ];
    let no_policy = pb::Unit {
        unit_code: "x".to_owned(),
        shortfall_policy: 0,
        ..points()
    };
    let no_id = pb::CreateUnitRequest {
        request_id: "7".to_owned(),
        unit: Some(points()),
    };
    let table = [
        (
            "nothing",
            pb::CreateUnitRequest::default(),
            bad(&["request_id", "unit"]),
        ),
        ("all wrong", create(bad_unit()), bad(&all)),
        ("an id that is none", no_id, bad(&["request_id"])),
        ("no policy", create(no_policy), bad(&["unit.shortfall_policy"])),
        (
            "bounds that no transfer keeps",
            create(pb::Unit {
                unit_code: "x".to_owned(),
                transfer_rules: Some(pb::TransferRules {
                    value_min: 10,
                    value_max: 9,
                    day_value_max: 9,
                    day_count_max: 1,
                }),
                ..points()
            }),
            bad(&[
                "unit.transfer_rules.value_max",
                "unit.transfer_rules.day_value_max",
            ]),
        ),
    ];
    assert_refused!(ledger, units.create_unit, table);
}

#[tokio::test]
async fn what_is_wrong_with_an_expiry_policy_is_named_and_changes_nothing() {
    let ledger = Ledger::start().await;
    let of = |expiry_policy| {
        create(pb::Unit {
            expiry_policy: Some(expiry_policy),
            ..points()
        })
    };
    let bad_life = pb::LotLife {
        length: Some(Length::LifeDays(0)),
        round_up_to: 9,
    };
    let yearly = |month, day, years_later| {
        of(policy(Policy::EachYear(pb::YearlyExpiry {
            month,
            day,
            years_later,
        })))
    };
    let date = |year, month, day| of(policy(Policy::OnDate(Date { year, month, day })));
    let table = [
        (
            "neither",
            of(pb::ExpiryPolicy::default()),
            bad(&["unit.expiry_policy.policy"]),
        ),
        (
            "no length",
            of(policy(Policy::AfterActivity(pb::LotLife::default()))),
            bad(&["unit.expiry_policy.after_activity.length"]),
        ),
        (
            "no life and no period",
            of(policy(Policy::AfterEarning(bad_life))),
            bad(&[
                "unit.expiry_policy.after_earning.life_days",
                "unit.expiry_policy.after_earning.round_up_to",
            ]),
        ),
        (
            "a century and a month",
            of(policy(Policy::AfterActivity(life(Length::LifeMonths(1_201))))),
            bad(&["unit.expiry_policy.after_activity.life_months"]),
        ),
        (
            "nothing of a year",
            yearly(13, 0, -1),
            bad(&[
                "unit.expiry_policy.each_year.month",
                "unit.expiry_policy.each_year.day",
                "unit.expiry_policy.each_year.years_later",
            ]),
        ),
        (
            "no such day",
            yearly(2, 30, 0),
            bad(&["unit.expiry_policy.each_year.day"]),
        ),
        (
            "no year",
            date(0, 2, 1),
            bad(&["unit.expiry_policy.on_date.year"]),
        ),
        (
            "no leap year",
            date(2027, 2, 29),
            bad(&["unit.expiry_policy.on_date.day"]),
        ),
        ("passed", date(2026, 1, 1), bad(&["unit.expiry_policy.on_date"])),
    ];
    assert_refused!(ledger, units.create_unit, table);
}

#[tokio::test]
async fn what_is_wrong_with_a_change_of_a_unit_is_named_and_changes_nothing() {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    let of_code = |unit_code: &str, unit: pb::Unit| pb::Unit {
        unit_code: unit_code.to_owned(),
        ..unit
    };
    let values = update(
        of_code("points", bad_unit()),
        &["debt_max", "expiry_policy", "transfer_rules"],
    );
    let no_etag = pb::Unit {
        etag: "?".to_owned(),
        ..points()
    };
    let missing = update(of_code("stars", points()), &["debt_max"]);
    let table = [
        (
            "nothing",
            pb::UpdateUnitRequest::default(),
            bad(&["update_mask", "unit"]),
        ),
        ("no mask", update(points(), &[]), bad(&["update_mask"])),
        (
            "fixed",
            update(points(), &["scale", "debt_max"]),
            bad(&["update_mask.paths[0]"]),
        ),
        (
            "named values",
            values,
            bad(&[
                "unit.expiry_policy.after_earning.life_days",
                "unit.debt_max",
                "unit.transfer_rules.value_min",
                "unit.transfer_rules.value_max",
                "unit.transfer_rules.day_value_max",
                "unit.transfer_rules.day_count_max",
            ]),
        ),
        (
            "an etag that is none",
            update(no_etag, &["debt_max"]),
            bad(&["unit.etag"]),
        ),
        ("not there", missing, not_there()),
    ];
    assert_refused!(ledger, units.update_unit, table);
}

#[tokio::test]
async fn what_is_wrong_with_a_question_about_units_is_named() {
    let ledger = Ledger::start().await;
    let table = [
        ("nothing", get(""), bad(&["unit_code"])),
        ("no code", get("A B"), bad(&["unit_code"])),
        ("not there", get("stars"), not_there()),
    ];
    assert_refused!(ledger, units.get_unit, table);
    let table = [
        ("negative", list(-1, ""), bad(&["page_size"])),
        ("too large", list(1_001, ""), bad(&["page_size"])),
        ("a made up token", list(0, "AAAA"), bad_token()),
    ];
    assert_refused!(ledger, units.list_units, table);
}
