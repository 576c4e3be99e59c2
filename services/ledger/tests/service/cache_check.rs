//! What Redis holds is compared with the record; what is wrong is found, told and put right.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use fealty_ledger::balances::check::Verdict;
use fealty_proto::types::v1::consistency::Requirement::{self, Strong};
use fealty_redis::WriteOutcome;

use super::harness::until;
use super::held::{Checker, Held};
use super::sharing::{join, open_household};
use super::support::{Ledger, Setting, of_unit};

const LONG: TimeDelta = TimeDelta::hours(1);

async fn shown(ledger: &Ledger, owner: &str, requirement: Option<Requirement>) -> (i64, i64) {
    let balance = ledger.balance(owner, requirement).await.expect("a balance");
    (balance.version, of_unit(&balance, "points").available)
}

/// An owner with ten points twice, whose balances Redis holds.
async fn held_owner(ledger: &Ledger, held: &mut Held) -> String {
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    ledger.give(&owner, 10).await;
    hold(held, &owner, "2").await;
    owner
}

async fn hold(held: &mut Held, owner: &str, version: &str) {
    for _ in 0..400 {
        if held.get(owner).await.is_some_and(|value| value.0 == version) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the write never went through");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_record_does_not_say_is_found_and_put_right() {
    let ledger = Ledger::start().await;
    let mut held = Held::of(&ledger).await;
    let forgeries = [
        ("payload", "[]", Verdict::Wrong),
        ("true_until", "4102444800000", Verdict::Wrong),
        ("version", "99", Verdict::Ahead),
        ("version", "1", Verdict::Stale),
        ("version", "two", Verdict::Unreadable),
        ("payload", "{", Verdict::Unreadable),
    ];
    let mut owners = BTreeMap::new();
    for (field, value, verdict) in forgeries {
        let owner = held_owner(&ledger, &mut held).await;
        let before = held.get(&owner).await.expect("it is held");
        held.forge(&owner, field, value).await;
        owners.insert(owner, (before, verdict));
    }
    let right = held_owner(&ledger, &mut held).await;
    let absent = held_owner(&ledger, &mut held).await;
    held.forget(&absent).await;

    let checker = Checker::of(&ledger).await;
    let findings = checker.check_all(TimeDelta::zero()).await;
    let mut verdicts = BTreeMap::new();
    for finding in findings {
        if let Some(repair) = finding.repair {
            assert_eq!(repair, WriteOutcome::Stored);
        }
        verdicts.insert(finding.key.owner.to_string(), finding.verdict);
    }
    assert_eq!(verdicts.remove(&right), Some(Verdict::Right));
    assert_eq!(
        verdicts.remove(&absent),
        None,
        "nothing is said of what is not there"
    );
    let expected = owners
        .iter()
        .map(|(owner, (_, verdict))| (owner.clone(), *verdict));
    assert_eq!(verdicts, expected.collect());

    for (owner, (before, _)) in &owners {
        assert_eq!(held.get(owner).await.as_ref(), Some(before));
        assert!(held.left_ms(owner).await > 0, "it ends by itself again");
        assert_eq!(shown(&ledger, owner, None).await, (2, 20));
    }
    let again = checker.counts(TimeDelta::zero()).await;
    assert_eq!(again.keys().collect::<Vec<_>>(), [&Verdict::Right]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_for_less_than_a_repair_takes_is_left_to_the_repair() {
    let ledger = Ledger::start().await;
    let mut held = Held::of(&ledger).await;
    let owner = held_owner(&ledger, &mut held).await;
    held.forge(&owner, "version", "1").await;
    let checker = Checker::of(&ledger).await;
    assert_eq!(checker.counts(LONG).await, BTreeMap::from([(Verdict::Behind, 1)]));
    assert_eq!(held.get(&owner).await.expect("it is held").0, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_between_looking_and_putting_right_stays() {
    let ledger = Ledger::start().await;
    let mut held = Held::of(&ledger).await;
    let owner = held_owner(&ledger, &mut held).await;
    held.forge(&owner, "payload", "[]").await;
    let checker = Checker::of(&ledger).await;
    // It looks a second time a quarter of a second later.
    let (findings, ()) = tokio::join!(checker.check_all(LONG), async {
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
            ledger.give(&owner, 1).await;
        }
    });
    assert!(findings.len() <= 1);
    hold(&mut held, &owner, "22").await;
    assert_eq!(shown(&ledger, &owner, None).await, (22, 40));
    assert_eq!(checker.counts(LONG).await, BTreeMap::from([(Verdict::Right, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_account_it_is_is_compared_too() {
    let ledger = Ledger::start().await;
    let mut held = Held::of(&ledger).await;
    let (member, other) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&member, 10).await;
    let household = open_household(&ledger).await;
    join(&ledger, &member, &household).await;
    ledger.give(&member, 5).await;
    ledger.give(&other, 5).await;
    hold(&mut held, &household, "2").await;
    hold(&mut held, &member, "2").await;
    hold(&mut held, &other, "1").await;
    let checker = Checker::of(&ledger).await;
    assert_eq!(checker.counts(LONG).await, BTreeMap::from([(Verdict::Right, 3)]));

    let (version, true_until, payload) = held.get(&member).await.expect("it is held");
    held.forge(&member, "payload", &payload.replace(&household, &other))
        .await;
    let found = BTreeMap::from([(Verdict::Right, 2), (Verdict::Wrong, 1)]);
    assert_eq!(checker.counts(LONG).await, found);
    let (now_version, now_until, _) = held.get(&member).await.expect("it is held");
    assert_eq!((now_version, now_until), (version, true_until));
    assert_eq!(shown(&ledger, &member, None).await, (2, 15));
    assert_eq!(checker.counts(LONG).await, BTreeMap::from([(Verdict::Right, 3)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_checks_by_itself() {
    let ledger = Ledger::start_in(Setting {
        checks_cache: true,
        ..Setting::default()
    })
    .await;
    let mut held = Held::of(&ledger).await;
    let owner = held_owner(&ledger, &mut held).await;
    let before = held.get(&owner).await.expect("it is held");
    held.forge(&owner, "payload", &before.2.replace("20", "2000"))
        .await;
    assert_eq!(
        shown(&ledger, &owner, None).await,
        (2, 2_000),
        "until it is looked at"
    );
    until("it is put right", async || {
        shown(&ledger, &owner, None).await == (2, 20)
    })
    .await;
    assert_eq!(shown(&ledger, &owner, Some(Strong(true))).await, (2, 20));
}
