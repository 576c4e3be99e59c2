//! `EarningRuleService`.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_types::{Clock, SystemClock};
use futures::future::join_all;
use prost_types::Timestamp;
use tonic::{Code, Response, Status};

use super::harness::{Ledger, is_replayed, new_id, plant_program};
use super::messages::cashback;
use super::refusals::{bad, bad_token, not_there, refusal, value_of};
use crate::assert_refused;

const fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn now() -> i64 {
    SystemClock.now().timestamp()
}

fn between(start: Option<i64>, end: Option<i64>) -> pb::EarningRule {
    pb::EarningRule {
        start_time: start.map(at),
        end_time: end.map(at),
        ..cashback("points", "0.01")
    }
}

fn create(earning_rule: pb::EarningRule) -> pb::CreateEarningRuleRequest {
    pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(earning_rule),
    }
}

fn get(rule_id: &str) -> pb::GetEarningRuleRequest {
    pb::GetEarningRuleRequest {
        rule_id: rule_id.to_owned(),
    }
}

fn end(rule_id: &str, end_time: Option<Timestamp>) -> pb::EndEarningRuleRequest {
    pb::EndEarningRuleRequest {
        rule_id: rule_id.to_owned(),
        end_time,
    }
}

fn list(page_size: i32, page_token: &str) -> pb::ListEarningRulesRequest {
    pb::ListEarningRulesRequest {
        page_size,
        page_token: page_token.to_owned(),
    }
}

async fn make(ledger: &Ledger, rule: pb::EarningRule) -> Result<pb::EarningRule, Status> {
    let made = ledger
        .rules()
        .create_earning_rule(ledger.call(create(rule)))
        .await;
    made.map(|made| made.into_inner().earning_rule.expect("a rule"))
}

async fn ledger_with_points() -> Ledger {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    ledger
}

#[tokio::test]
async fn a_rule_is_read_as_it_was_made_and_the_same_request_makes_it_once() {
    let ledger = ledger_with_points().await;
    let request = create(between(Some(100), Some(200)));
    let first = ledger
        .rules()
        .create_earning_rule(ledger.call(request.clone()))
        .await
        .unwrap();
    let again = ledger
        .rules()
        .create_earning_rule(ledger.call(request.clone()))
        .await
        .unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    let rule = first.into_inner().earning_rule.unwrap();
    assert_eq!(again.into_inner().earning_rule.as_ref(), Some(&rule));
    let read = ledger
        .rules()
        .get_earning_rule(ledger.call(get(&rule.rule_id)))
        .await
        .unwrap();
    assert_eq!(read.into_inner().earning_rule.as_ref(), Some(&rule));
    let written = pb::EarningRule {
        rule_id: String::new(),
        create_time: None,
        ..rule
    };
    assert_eq!(Some(written), request.earning_rule);
}

#[tokio::test]
async fn rules_of_one_unit_may_touch_but_not_overlap() {
    let ledger = ledger_with_points().await;
    let first = make(&ledger, between(Some(100), Some(200))).await.unwrap();
    make(&ledger, between(Some(200), None)).await.unwrap();
    let before = ledger.contents().await;
    for (start, end) in [(None, None), (Some(199), Some(200)), (None, Some(101))] {
        let status = make(&ledger, between(start, end)).await.unwrap_err();
        assert_eq!(value_of(&status, "rule_id"), first.rule_id);
        let refused = refusal(Err::<(), _>(status));
        assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::RuleOverlaps));
    }
    assert_eq!(ledger.contents().await, before);
    make(&ledger, between(None, Some(100))).await.unwrap();
}

#[tokio::test]
async fn of_many_overlapping_rules_made_at_once_one_is_made() {
    let ledger = ledger_with_points().await;
    let made = join_all((0..12).map(|_| make(&ledger, cashback("points", "0.01")))).await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 11));
    for answer in refused {
        assert_eq!(
            refusal(answer),
            (Code::FailedPrecondition, ErrorReason::RuleOverlaps)
        );
    }
}

#[tokio::test]
async fn a_rule_ends_now_or_at_a_time_to_come_and_never_later_than_before() {
    let ledger = ledger_with_points().await;
    let rule = make(&ledger, between(Some(100), None)).await.unwrap();
    let hour = now() + 3_600;
    let ask = |end_time: Option<Timestamp>| {
        let request = ledger.call(end(&rule.rule_id, end_time));
        let mut rules = ledger.rules();
        async move { rules.end_earning_rule(request).await.map(Response::into_inner) }
    };
    let ended = ask(Some(at(hour))).await.unwrap().earning_rule.unwrap();
    assert_eq!(ended.end_time, Some(at(hour)));
    for bad_end in [at(hour + 1), at(now() - 60)] {
        let status = ask(Some(bad_end)).await.unwrap_err();
        assert_eq!(super::refusals::bad_fields(&status), ["end_time"]);
    }
    let ended = ask(None).await.unwrap().earning_rule.unwrap();
    assert!(ended.end_time.unwrap().seconds <= now());
    // Ending it again changes nothing, and what comes after it may begin.
    assert_eq!(ask(None).await.unwrap().earning_rule.unwrap(), ended);
    make(&ledger, between(Some(hour), None)).await.unwrap();
}

#[tokio::test]
async fn rules_are_listed_newest_first_page_by_page() {
    let ledger = ledger_with_points().await;
    let mut made = Vec::new();
    for start in 0..3 {
        made.push(
            make(&ledger, between(Some(start), Some(start + 1)))
                .await
                .unwrap(),
        );
    }
    made.reverse();
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = ledger
            .rules()
            .list_earning_rules(ledger.call(list(2, &token)))
            .await;
        let page = page.unwrap().into_inner();
        listed.extend(page.earning_rules);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn what_is_wrong_with_a_new_rule_is_named_and_changes_nothing() {
    let ledger = ledger_with_points().await;
    let rate = |rate: &str| {
        create(pb::EarningRule {
            formula: cashback("points", rate).formula,
            ..between(Some(300), None)
        })
    };
    let bad_rate = || bad(&["earning_rule.cashback.rate"]);
    let bad_end = || bad(&["earning_rule.end_time"]);
    let empty = bad(&[
        "earning_rule.display_name",
        "earning_rule.unit_code",
        "earning_rule.cashback",
    ]);
    let nothing = bad(&["request_id", "earning_rule"]);
    let table = [
        ("nothing", pb::CreateEarningRuleRequest::default(), nothing),
        ("an empty rule", create(pb::EarningRule::default()), empty),
        ("no rate", rate(""), bad_rate()),
        ("a rate of zero", rate("0"), bad_rate()),
        ("a negative rate", rate("-0.01"), bad_rate()),
        ("a rate that is no plain number", rate("1e3"), bad_rate()),
        ("a rate too large", rate("1000000.1"), bad_rate()),
        ("a rate too fine", rate("0.0000000001"), bad_rate()),
        (
            "ends before it begins",
            create(between(Some(400), Some(300))),
            bad_end(),
        ),
        ("never holds", create(between(Some(300), Some(300))), bad_end()),
        ("no such unit", create(cashback("stars", "0.01")), not_there()),
    ];
    assert_refused!(ledger, rules.create_earning_rule, table);
}

#[tokio::test]
async fn what_is_wrong_with_a_question_about_rules_is_named_and_changes_nothing() {
    let ledger = ledger_with_points().await;
    let rule = make(&ledger, between(Some(100), Some(200))).await.unwrap();
    let table = [
        ("nothing", get(""), bad(&["rule_id"])),
        ("no id", get("7"), bad(&["rule_id"])),
        ("not there", get(&new_id()), not_there()),
    ];
    assert_refused!(ledger, rules.get_earning_rule, table);
    let no_time = Some(Timestamp {
        seconds: 0,
        nanos: -1,
    });
    let table = [
        ("nothing", pb::EndEarningRuleRequest::default(), bad(&["rule_id"])),
        ("no time", end(&rule.rule_id, no_time), bad(&["end_time"])),
        ("not there", end(&new_id(), None), not_there()),
    ];
    assert_refused!(ledger, rules.end_earning_rule, table);
    let table = [
        ("negative", list(-1, ""), bad(&["page_size"])),
        ("a made up token", list(0, "AAAA"), bad_token()),
    ];
    assert_refused!(ledger, rules.list_earning_rules, table);

    let stranger = plant_program(&ledger.database, "UTC", "EUR").await;
    let request = stranger.call(end(&rule.rule_id, None));
    let theirs = ledger.rules().end_earning_rule(request).await;
    assert_eq!(refusal(theirs), (Code::NotFound, ErrorReason::ResourceNotFound));
}
