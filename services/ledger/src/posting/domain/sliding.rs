//! Points whose end moves with the owner's activity, shown by numbers.

use chrono::TimeDelta;
use fealty_types::Points;

use super::history::{History, SLIDING, Step, unit};
use super::properties::check;
use super::*;

/// Lives of twenty hours, less what an activity is told late: an hour for each point of its value.
const LIFE_HOURS: i64 = 20;

fn credit(value: i64, life_hours: Option<i64>) -> Step {
    Step::Credit {
        unit: SLIDING,
        value,
        life_hours,
    }
}

const fn spend(value: i64) -> Step {
    Step::Spend { unit: SLIDING, value }
}

fn decide_step(history: &mut History, step: &Step) -> Result<(), Refusal> {
    history.sweep();
    let decided = history.decide(&history.command(step).expect("a command"));
    check(history).expect("the rules hold");
    decided
}

/// In hours from the beginning.
fn hours(begin: DateTime<Utc>, end: Option<DateTime<Utc>>) -> Option<i64> {
    end.map(|end| (end - begin).num_hours())
}

/// What is left, and when it ends.
fn lots(history: &History, begin: DateTime<Utc>) -> Vec<(i64, Option<i64>)> {
    let account = &history.state.accounts[&unit(SLIDING)];
    let lots = account.lots.iter();
    lots.map(|lot| (lot.value_left.get(), hours(begin, lot.expire_time)))
        .collect()
}

fn movements(history: &History, begin: DateTime<Utc>) -> Vec<(i64, Option<i64>)> {
    let change = history.changes.last().expect("it was made");
    let movements = change.lot_movements.iter();
    movements
        .map(|movement| (movement.value.get(), hours(begin, movement.expire_time)))
        .collect()
}

#[test]
fn all_that_slides_shares_one_end_and_each_activity_moves_it_and_tells_so() {
    let mut history = History::new();
    let begin = history.at;
    // Values that are told without delay.
    decide_step(&mut history, &credit(50, None)).unwrap();
    assert_eq!(lots(&history, begin), [(50, Some(LIFE_HOURS))]);

    history.at += TimeDelta::hours(7);
    decide_step(&mut history, &credit(25, None)).unwrap();
    assert_eq!(lots(&history, begin), [(75, Some(7 + LIFE_HOURS))]);
    assert_eq!(movements(&history, begin), [(0, Some(27)), (25, Some(27))]);

    history.at += TimeDelta::hours(7);
    decide_step(&mut history, &spend(25)).unwrap();
    assert_eq!(lots(&history, begin), [(50, Some(14 + LIFE_HOURS))]);
    assert_eq!(movements(&history, begin), [(0, Some(34)), (-25, Some(34))]);
    let entries = &history.changes.last().unwrap().entries;
    assert_eq!(entries.len(), 2, "an end that moves is no entry");
}

#[test]
fn what_has_ended_before_an_activity_stays_ended() {
    let mut history = History::new();
    let begin = history.at;
    decide_step(&mut history, &credit(50, None)).unwrap();
    history.at += TimeDelta::hours(LIFE_HOURS);
    decide_step(&mut history, &credit(25, None)).unwrap();
    assert_eq!(lots(&history, begin), [(25, Some(2 * LIFE_HOURS))]);
    let kinds: Vec<_> = history.changes.iter().map(|change| change.kind).collect();
    assert_eq!(
        kinds,
        [
            TransactionKind::Credit,
            TransactionKind::Expire,
            TransactionKind::Credit
        ]
    );
}

#[test]
fn an_activity_that_is_told_late_never_brings_an_end_nearer() {
    let mut history = History::new();
    let begin = history.at;
    decide_step(&mut history, &credit(50, None)).unwrap();
    // Ten hours ago: its own end would be at ten.
    decide_step(&mut history, &credit(10, None)).unwrap();
    assert_eq!(lots(&history, begin), [(60, Some(LIFE_HOURS))]);
    assert_eq!(movements(&history, begin), [(10, Some(LIFE_HOURS))]);
    // Also when nothing is left: the last activity was then all the same.
    decide_step(&mut history, &spend(60)).unwrap();
    decide_step(&mut history, &credit(10, None)).unwrap();
    assert_eq!(lots(&history, begin), [(10, Some(LIFE_HOURS))]);
}

#[test]
fn an_end_of_its_own_stays_where_it_is_and_is_spent_in_its_turn() {
    let mut history = History::new();
    let begin = history.at;
    decide_step(&mut history, &credit(50, None)).unwrap();
    decide_step(&mut history, &credit(25, Some(LIFE_HOURS))).unwrap();
    decide_step(&mut history, &credit(75, Some(5))).unwrap();
    assert_eq!(
        lots(&history, begin),
        [(75, Some(5)), (25, Some(LIFE_HOURS)), (50, Some(LIFE_HOURS))],
        "of equal ends that which cannot move comes first"
    );
    history.at += TimeDelta::hours(1);
    decide_step(&mut history, &spend(100)).unwrap();
    assert_eq!(lots(&history, begin), [(50, Some(1 + LIFE_HOURS))]);
}

#[test]
fn a_purchase_is_an_activity_whatever_it_earned_and_for_nobody_without_an_account() {
    let mut history = History::new();
    let begin = history.at;
    let nothing = Step::Purchase {
        values: vec![50, 0, 0],
        life_hours: None,
    };
    decide_step(&mut history, &nothing).unwrap();
    assert!(!history.state.accounts.contains_key(&unit(SLIDING)));
    decide_step(&mut history, &credit(50, None)).unwrap();
    history.at += TimeDelta::hours(3);
    decide_step(&mut history, &nothing).unwrap();
    assert_eq!(lots(&history, begin), [(50, Some(3 + LIFE_HOURS))]);
    assert_eq!(movements(&history, begin)[0], (0, Some(23)));
}

#[test]
fn what_a_hold_claims_moves_along_unless_it_has_ended() {
    let hold = |life_hours| Step::Hold {
        unit: SLIDING,
        value: 30,
        life_hours,
    };
    let mut history = History::new();
    let begin = history.at;
    decide_step(&mut history, &credit(50, None)).unwrap();
    decide_step(&mut history, &hold(100)).unwrap();
    let hold_id = history.holds[0].hold_id;
    assert_eq!(
        lots(&history, begin),
        [(20, Some(LIFE_HOURS))],
        "a hold is no activity"
    );
    history.at += TimeDelta::hours(1);
    // A capture is.
    let value = Points::new(25);
    history
        .decide(&Command::Capture(Captured { hold_id, value }))
        .unwrap();
    assert_eq!(lots(&history, begin), [(25, Some(1 + LIFE_HOURS))]);

    decide_step(&mut history, &credit(25, None)).unwrap();
    decide_step(&mut history, &hold(100)).unwrap();
    let claims = history.holds.last().unwrap().hold_id;
    history.at += TimeDelta::hours(LIFE_HOURS);
    decide_step(&mut history, &credit(100, None)).unwrap();
    history.decide(&Command::Release(claims)).unwrap();
    check(&history).unwrap();
    assert_eq!(
        lots(&history, begin),
        [(100, Some(1 + 2 * LIFE_HOURS))],
        "what came back had ended"
    );
}

#[test]
fn what_slides_is_never_merged_with_what_does_not() {
    let mut history = History::new();
    let bound = i64::try_from(OPEN_LOTS_MAX).unwrap();
    decide_step(&mut history, &credit(50, None)).unwrap();
    // The closest neighbours of all, if the first of them did not slide.
    for life_hours in (1..=bound).map(|place| LIFE_HOURS + 10 * place) {
        decide_step(&mut history, &credit(25, Some(life_hours))).unwrap();
    }
    let account = &history.state.accounts[&unit(SLIDING)];
    assert_eq!(account.lots.len(), OPEN_LOTS_MAX);
    let sliding: Vec<_> = account.lots.iter().filter(|lot| lot.slides).collect();
    assert_eq!(
        (
            sliding.len(),
            sliding[0].value_left.get(),
            sliding[0].value_credited.get()
        ),
        (1, 50, 50)
    );
}
