//! Budgets: how much somebody gives at the most.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::types::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id};
use super::refusals::bad_fields;
use super::reversals::{reversal, try_reverse};
use super::support::{Ledger, credit, days, refused, spend, timestamp};
use super::verify::assert_verified;

const SUMMER: &str = "summer_2026";

fn summer(value_max: i64) -> pb::Budget {
    pb::Budget {
        budget_code: SUMMER.to_owned(),
        display_name: "Summer".to_owned(),
        unit_code: "points".to_owned(),
        value_max,
        ..pb::Budget::default()
    }
}

fn creation(budget: pb::Budget) -> pb::CreateBudgetRequest {
    pb::CreateBudgetRequest {
        request_id: new_id(),
        budget: Some(budget),
    }
}

async fn create(
    ledger: &Ledger,
    request: pb::CreateBudgetRequest,
) -> Result<Response<pb::CreateBudgetResponse>, Status> {
    ledger.budgets().create_budget(ledger.call(request)).await
}

async fn set_up(ledger: &Ledger, budget: pb::Budget) -> pb::Budget {
    let made = create(ledger, creation(budget)).await.expect("a budget");
    made.into_inner().budget.expect("a budget")
}

async fn update(ledger: &Ledger, budget: pb::Budget, paths: &[&str]) -> Result<pb::Budget, Status> {
    let request = pb::UpdateBudgetRequest {
        budget: Some(budget),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        }),
    };
    let changed = ledger.budgets().update_budget(ledger.call(request)).await?;
    Ok(changed.into_inner().budget.expect("a budget"))
}

async fn budget(ledger: &Ledger) -> pb::Budget {
    let request = pb::GetBudgetRequest {
        budget_code: SUMMER.to_owned(),
    };
    let found = ledger.budgets().get_budget(ledger.call(request)).await;
    found.expect("a budget").into_inner().budget.expect("a budget")
}

fn paid(owner: &str, value: i64) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        budget_code: SUMMER.to_owned(),
        ..credit(owner, "points", value)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_set_up_once_read_changed_and_listed() {
    let ledger = Ledger::start().await;
    let request = creation(summer(1_000));
    let made = create(&ledger, request.clone()).await.expect("a budget");
    assert!(!is_replayed(&made));
    let again = create(&ledger, request).await.expect("the same");
    assert!(is_replayed(&again));
    let made = made.into_inner().budget.expect("a budget");
    assert_eq!((made.value_max, made.value_used), (1_000, 0));
    assert_eq!(again.into_inner().budget.as_ref(), Some(&made));
    let status = create(&ledger, creation(summer(5))).await.expect_err("taken");
    refused(&status, Code::AlreadyExists, ErrorReason::ResourceExists);

    let more = pb::Budget {
        value_max: 2_000,
        etag: made.etag.clone(),
        ..summer(0)
    };
    let changed = update(&ledger, more.clone(), &["value_max"])
        .await
        .expect("changed");
    assert_eq!(
        (changed.value_max, &changed.display_name),
        (2_000, &made.display_name)
    );
    let status = update(&ledger, more, &["value_max"])
        .await
        .expect_err("it has changed");
    refused(&status, Code::Aborted, ErrorReason::EtagMismatch);
    assert_eq!(budget(&ledger).await, changed);

    set_up(
        &ledger,
        pb::Budget {
            budget_code: "autumn_2026".to_owned(),
            ..summer(7)
        },
    )
    .await;
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBudgetsRequest {
            page_size: 1,
            page_token,
        };
        let page = ledger.budgets().list_budgets(ledger.call(request)).await;
        let page = page.expect("a page").into_inner();
        listed.extend(page.budgets.into_iter().map(|budget| budget.budget_code));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, ["autumn_2026", SUMMER]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_race_for_the_last_point_get_it_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    set_up(&ledger, summer(1)).await;
    let owners = join_all((0..100).map(|_| ledger.open_owner())).await;
    let requests: Vec<_> = owners.iter().map(|owner| paid(owner, 1)).collect();
    // Everything is sent twice, to both.
    let calls = requests.iter().enumerate().flat_map(|(place, request)| {
        let both = if place % 2 == 0 {
            [&ledger, &replica]
        } else {
            [&replica, &ledger]
        };
        both.map(|ledger| ledger.credit(request.clone()))
    });
    let answers = join_all(calls).await;
    let won = answers
        .chunks(2)
        .filter(|both| both.iter().all(Result::is_ok))
        .count();
    assert_eq!(won, 1);
    for both in answers.chunks(2) {
        match both {
            [Ok(one), Ok(other)] => assert_eq!(one.get_ref(), other.get_ref()),
            [Err(one), Err(other)] => {
                for status in [one, other] {
                    let metadata = refused(status, Code::FailedPrecondition, ErrorReason::BudgetExhausted);
                    assert_eq!(
                        (metadata["left"].as_str(), metadata["required"].as_str()),
                        ("0", "1")
                    );
                }
            }
            both => panic!("one request, two outcomes: {both:?}"),
        }
    }
    assert_eq!(budget(&ledger).await.value_used, 1);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_give_at_once_is_what_the_budget_says_to_the_point() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    set_up(&ledger, summer(500)).await;
    let owners = join_all((0..8).map(|_| ledger.open_owner())).await;
    let calls = (0..200_usize).map(|place| {
        let ledger = if place % 2 == 0 { &ledger } else { &replica };
        let value = i64::try_from(place % 7).expect("small") + 1;
        ledger.credit(paid(&owners[place % owners.len()], value))
    });
    let answers = join_all(calls).await;
    let given: i64 = answers
        .iter()
        .flatten()
        .map(|answer| {
            -answer
                .get_ref()
                .transaction
                .as_ref()
                .expect("a transaction")
                .entries[1]
                .value
        })
        .sum();
    let used = budget(&ledger).await.value_used;
    assert_eq!(given, used);
    assert!(used <= 500 && used > 500 - 7, "{used} of 500 are used");
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lots_say_who_paid_and_never_become_one_with_others() {
    let ledger = Ledger::start().await;
    set_up(&ledger, summer(100)).await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 5).await;
    for value in [7, 8] {
        let given = ledger.credit(paid(&owner, value)).await.expect("given");
        let given = given.into_inner().transaction.expect("a transaction");
        let issued = &given.entries[1];
        assert_eq!(
            (issued.account(), issued.budget_code.as_str(), issued.value),
            (pb::EntryAccount::ProgramIssued, SUMMER, -value)
        );
        assert_eq!(given.lot_movements[0].budget_code, SUMMER);
    }
    let request = pb::ListLotsRequest {
        owner_id: owner.clone(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    let lots = page.expect("a page").into_inner().lots;
    let lots: Vec<_> = lots
        .iter()
        .map(|lot| (lot.value_left, lot.budget_code.as_str()))
        .collect();
    assert_eq!(lots, [(5, ""), (15, SUMMER)]);
    assert_eq!(budget(&ledger).await.value_used, 15);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_gives_in_its_time_and_in_its_unit_and_keeps_what_it_gave() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let status = ledger.credit(paid(&owner, 1)).await.expect_err("there is none");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(metadata["resource"], "budget");

    let later = ledger.now() + days(1);
    set_up(
        &ledger,
        pb::Budget {
            begin_time: Some(timestamp(later)),
            ..summer(10)
        },
    )
    .await;
    let early = paid(&owner, 1);
    let status = ledger.credit(early.clone()).await.expect_err("not yet");
    refused(&status, Code::FailedPrecondition, ErrorReason::BudgetNotOpen);
    update(&ledger, summer(10), &["begin_time"])
        .await
        .expect("at once");
    let status = ledger.credit(early).await.expect_err("that was decided");
    refused(&status, Code::FailedPrecondition, ErrorReason::BudgetNotOpen);
    ledger.credit(paid(&owner, 4)).await.expect("given");

    let stamps = pb::CreditPointsRequest {
        budget_code: SUMMER.to_owned(),
        ..credit(&owner, "stamps", 1)
    };
    let status = ledger.credit(stamps).await.expect_err("of another unit");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let status = update(&ledger, summer(3), &["value_max"])
        .await
        .expect_err("4 are given");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let exact = update(&ledger, summer(4), &["value_max"]).await.expect("just so");
    assert_eq!((exact.value_max, exact.value_used), (4, 4));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_is_a_partner_and_what_is_counted_a_unit() {
    let ledger = Ledger::start().await;
    let member = ledger.open_owner().await;
    for (partner_id, unit_code, reason) in [
        (member.as_str(), "points", ErrorReason::InvalidFields),
        (&new_id(), "points", ErrorReason::InvalidFields),
        ("", "miles", ErrorReason::ResourceNotFound),
    ] {
        let request = creation(pb::Budget {
            partner_id: partner_id.to_owned(),
            unit_code: unit_code.to_owned(),
            ..summer(1)
        });
        let status = create(&ledger, request).await.expect_err("it does not fit");
        let code = if reason == ErrorReason::InvalidFields {
            Code::InvalidArgument
        } else {
            Code::NotFound
        };
        refused(&status, code, reason);
    }
    let partner = new_id();
    let request = pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: partner.clone(),
        kind: pb::OwnerKind::Partner.into(),
    };
    ledger
        .owners()
        .open_owner(ledger.call(request))
        .await
        .expect("a partner");
    let made = set_up(
        &ledger,
        pb::Budget {
            partner_id: partner.clone(),
            ..summer(1)
        },
    )
    .await;
    assert_eq!(made.partner_id, partner);
}

/// "stamps" waive what cannot be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_gives_back_to_the_budget_what_it_takes_and_not_what_is_waived() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    set_up(
        &ledger,
        pb::Budget {
            unit_code: "stamps".to_owned(),
            ..summer(100)
        },
    )
    .await;
    let stamps = |value, begin| pb::CreditPointsRequest {
        budget_code: SUMMER.to_owned(),
        begin,
        ..credit(&owner, "stamps", value)
    };
    let mut given = Vec::new();
    for request in [stamps(60, None), stamps(40, Some(Begin::BeginOnCall(true)))] {
        let answer = ledger.credit(request).await.expect("given").into_inner();
        given.push(answer.transaction.expect("a transaction").transaction_id);
    }
    assert_eq!(budget(&ledger).await.value_used, 100);
    ledger.spend(spend(&owner, "stamps", 50)).await.expect("spent");
    for (transaction_id, used) in given.iter().zip([90, 50]) {
        try_reverse(&ledger, reversal(transaction_id, 0))
            .await
            .expect("reversed");
        assert_eq!(budget(&ledger).await.value_used, used);
    }
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_told_all_that_is_wrong_also_where_its_mask_is() {
    let ledger = Ledger::start().await;
    let nothing = pb::Budget {
        display_name: String::new(),
        etag: "?".to_owned(),
        ..summer(0)
    };
    let status = update(&ledger, nothing, &["display_name", "value_max", "unit_code"])
        .await
        .expect_err("all of it is wrong");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let mut fields = bad_fields(&status);
    fields.sort();
    assert_eq!(
        fields,
        [
            "budget.display_name",
            "budget.etag",
            "budget.value_max",
            "update_mask.paths[2]"
        ]
    );
    let nothing = pb::Unit {
        unit_code: "points".to_owned(),
        debt_max: -1,
        ..pb::Unit::default()
    };
    let request = pb::UpdateUnitRequest {
        unit: Some(nothing),
        update_mask: Some(prost_types::FieldMask {
            paths: ["debt_max", "scale"].map(str::to_owned).into(),
        }),
    };
    let status = ledger.units().update_unit(ledger.call(request)).await;
    let mut fields = bad_fields(&status.expect_err("all of it is wrong"));
    fields.sort();
    assert_eq!(fields, ["unit.debt_max", "update_mask.paths[1]"]);
}
