//! Each kind of violation, in a history that has it; and one that has none.

mod several;

use std::collections::BTreeMap;

use super::*;
use crate::history::{
    Answer, Answered, Asked, Call, Entry, Moment, Read, Row, Shown, Standing, Told, Values,
};

const ALICE: &str = "alice";
const AVAILABLE: &str = "owner_available";

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

fn values(available: i64) -> Values {
    let place = (AVAILABLE.to_owned(), "points".to_owned());
    crate::history::without_zeros(Values::from([(place, available)]))
}

fn row(version: i64, value: i64, balance: i64) -> Row {
    let entry = |account: &str, value, balance| Entry {
        account: account.to_owned(),
        unit: "points".to_owned(),
        value,
        balance,
    };
    Row {
        version,
        transaction_id: format!("t{version}"),
        request_id: Some(format!("r{version}")),
        mark: format!("wish {version}"),
        entries: vec![
            entry(AVAILABLE, value, Some(balance)),
            entry("program_issued", -value, None),
        ],
        counterpart: None,
    }
}

fn call(version: i64, value: i64, answer: Option<Answer>) -> Call {
    let invoked = at(100 * u64::try_from(version).unwrap());
    Call {
        request_id: format!("r{version}"),
        mark: format!("wish {version}"),
        owner_id: ALICE.to_owned(),
        effect: values(value),
        group: None,
        refusable: &["INSUFFICIENT_BALANCE"],
        sent: None,
        part: None,
        hold: None,
        ends: None,
        invoked,
        answers: answer
            .map(|answer| Answered {
                at: invoked + at(50),
                answer,
            })
            .into_iter()
            .collect(),
    }
}

fn read(asked: Asked, invoked: Moment, version: i64, available: i64) -> Read {
    Read {
        owner_id: ALICE.to_owned(),
        asked,
        invoked,
        ended: invoked + at(20),
        shown: Some(Shown {
            version,
            balances: values(available),
        }),
    }
}

fn told(version: i64, value: i64) -> Told {
    Told {
        owner_id: ALICE.to_owned(),
        version,
        transaction_id: format!("t{version}"),
        available_changes: BTreeMap::from([("points".to_owned(), value)]),
    }
}

/// Ten came, three went, five came; a fourth call was refused.
fn clean() -> (History, Record) {
    let rows = vec![row(1, 10, 10), row(2, -3, 7), row(3, 5, 12)];
    let took = |version| Some(Answer::Took(Some(version)));
    let mut refused = call(4, -99, Some(Answer::Refused("INSUFFICIENT_BALANCE".to_owned())));
    refused.invoked = at(350);
    let history = History {
        calls: vec![
            call(1, 10, took(1)),
            call(2, -3, took(2)),
            call(3, 5, took(3)),
            refused,
        ],
        reads: vec![
            read(Asked::Eventual, at(360), 1, 10),
            read(Asked::AtLeast(2), at(360), 2, 7),
            read(Asked::Strong, at(360), 3, 12),
            read(Asked::Strong, at(110), 0, 0),
        ],
        feeds: BTreeMap::from([("one".to_owned(), vec![told(1, 10), told(2, -3), told(3, 5)])]),
    };
    let standing = Standing {
        version: 3,
        balances: values(12),
    };
    let record = Record {
        statements: BTreeMap::from([(ALICE.to_owned(), rows.clone())]),
        rows: BTreeMap::from([(ALICE.to_owned(), rows)]),
        standings: BTreeMap::from([(ALICE.to_owned(), standing)]),
        deadlocks_count: 0,
    };
    (history, record)
}

/// The kinds that are found once something was changed in the clean history and its record.
fn found(change: impl FnOnce(&mut History, &mut Record)) -> Vec<Kind> {
    let (mut history, mut record) = clean();
    change(&mut history, &mut record);
    let mut kinds: Vec<Kind> = check(&history, &record).iter().map(|it| it.kind).collect();
    kinds.dedup();
    kinds
}

fn rows(record: &mut Record) -> &mut Vec<Row> {
    record.rows.get_mut(ALICE).unwrap()
}

/// The same in the statement, and where the owner stands then: only the calls do not go with it.
fn settle(record: &mut Record, version: i64, available: i64) {
    record.statements.clone_from(&record.rows);
    let standing = record.standings.get_mut(ALICE).unwrap();
    standing.version = version;
    standing.balances = values(available);
}

fn feed(history: &mut History) -> &mut Vec<Told> {
    history.feeds.get_mut("one").unwrap()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let (history, record) = clean();
    assert_eq!(check(&history, &record), []);
}

#[test]
fn an_acknowledged_write_that_is_not_there_is_lost() {
    let kinds = found(|history, record| {
        rows(record).pop();
        settle(record, 2, 7);
        feed(history).pop();
        history.reads.clear();
    });
    assert_eq!(kinds, [Kind::LostWrite]);
}

#[test]
fn a_write_is_there_twice_by_its_request_or_by_what_its_caller_calls_it() {
    let again = |request_id: &str, mark: &str, history: &mut History, record: &mut Record| {
        let mut doubled = row(4, 10, 22);
        doubled.request_id = Some(request_id.to_owned());
        doubled.mark = mark.to_owned();
        rows(record).push(doubled);
        settle(record, 4, 22);
        feed(history).push(told(4, 10));
    };
    let by_request = found(|history, record| again("r1", "wish 1", history, record));
    assert_eq!(by_request, [Kind::DoubledWrite]);
    // Who retries under a new id has two requests, of which the caller knows one.
    let by_mark = found(|history, record| again("r9", "wish 1", history, record));
    assert_eq!(by_mark, [Kind::DoubledWrite, Kind::UnaskedWrite]);
    let by_effect = found(|history, record| again("r9", "wish 9", history, record));
    assert_eq!(by_effect, [Kind::DoubledWrite, Kind::UnaskedWrite]);
}

#[test]
fn what_nobody_asked_for_and_what_was_asked_otherwise_is_found() {
    let kinds = found(|history, _| history.calls[1].effect = values(-2));
    // It did what nobody asked; what was asked is not there.
    assert_eq!(kinds, [Kind::DoubledWrite, Kind::WrongEffect]);
    let kinds = found(|history, _| history.calls[1].answers[0].answer = Answer::Took(Some(3)));
    assert_eq!(kinds, [Kind::WrongEffect]);
    let kinds = found(|_, record| {
        let rows = rows(record);
        rows[2].request_id = Some("r7".to_owned());
        settle(record, 3, 12);
    });
    assert_eq!(kinds, [Kind::LostWrite, Kind::UnaskedWrite]);
}

#[test]
fn what_the_ledger_does_by_itself_is_asked_by_nobody() {
    let kinds = found(|history, record| {
        let mut swept = row(4, 0, 12);
        swept.request_id = None;
        swept.entries.clear();
        rows(record).push(swept);
        settle(record, 4, 12);
        let available_changes = BTreeMap::new();
        feed(history).push(Told {
            available_changes,
            ..told(4, 0)
        });
    });
    assert_eq!(kinds, []);
    // It gives and takes nothing by itself.
    for value in [-12, 3] {
        let kinds = found(|history, record| {
            let mut swept = row(4, value, 12 + value);
            swept.request_id = None;
            rows(record).push(swept);
            settle(record, 4, 12 + value);
            feed(history).push(told(4, value));
        });
        assert_eq!(kinds, [Kind::UnaskedWrite], "{value}");
    }
}

#[test]
fn an_outcome_that_never_became_known_is_found_whether_it_took_effect_or_not() {
    assert_eq!(
        found(|history, _| history.calls[1].answers.clear()),
        [Kind::NeverKnown]
    );
    assert_eq!(
        found(|history, _| history.calls[3].answers.clear()),
        [Kind::NeverKnown]
    );
}

#[test]
fn an_acknowledged_refusal_must_not_take_effect_and_must_have_a_reason() {
    let refused = |reason: &str| Answer::Refused(reason.to_owned());
    let kinds = found(|history, _| history.calls[1].answers[0].answer = refused("INSUFFICIENT_BALANCE"));
    assert_eq!(kinds, [Kind::RefusedTookEffect]);
    let kinds = found(|history, _| history.calls[3].answers[0].answer = refused("RECEIPT_ALREADY_USED"));
    assert_eq!(kinds, [Kind::GroundlessRefusal]);
}

#[test]
fn a_request_has_one_outcome() {
    let again = |answer: Answer| {
        move |history: &mut History, _: &mut Record| {
            history.calls[1].answers.push(Answered { at: at(900), answer });
        }
    };
    assert_eq!(found(again(Answer::Took(Some(2)))), []);
    let refused = Answer::Refused("INSUFFICIENT_BALANCE".to_owned());
    assert_eq!(found(again(refused)), [Kind::TwoOutcomes]);
    let other = found(again(Answer::Took(Some(3))));
    assert_eq!(other, [Kind::WrongEffect, Kind::TwoOutcomes]);
    assert_eq!(found(again(Answer::Unsettled)), []);
}

#[test]
fn what_takes_effect_together_is_there_whole_or_not_at_all() {
    let group = |members: &'static [usize]| {
        move |history: &mut History, _: &mut Record| {
            for member in members {
                history.calls[*member].group = Some(1);
            }
        }
    };
    assert_eq!(found(group(&[0, 1])), []);
    assert_eq!(found(group(&[3])), []);
    assert_eq!(found(group(&[0, 3])), [Kind::HalfGroup]);
}

#[test]
fn versions_have_no_gaps() {
    let kinds = found(|history, record| {
        rows(record)[2].version = 4;
        settle(record, 4, 12);
        history.calls[2].answers[0].answer = Answer::Took(Some(4));
        feed(history)[2].version = 4;
        history.reads.clear();
    });
    assert_eq!(kinds, [Kind::VersionGap]);
    assert_eq!(
        found(|_, record| record.standings.get_mut(ALICE).unwrap().version = 4),
        [Kind::VersionGap]
    );
}

#[test]
fn books_that_do_not_add_up_are_found() {
    let kinds = found(|_, record| {
        rows(record)[1].entries[1].value += 1;
        settle(record, 3, 12);
    });
    assert_eq!(kinds, [Kind::Unbalanced]);
    let kinds = found(|_, record| {
        rows(record)[1].entries[0].balance = Some(8);
        settle(record, 3, 12);
    });
    assert_eq!(kinds, [Kind::BalanceNotSum]);
    let kinds = found(|_, record| record.standings.get_mut(ALICE).unwrap().balances = values(13));
    assert_eq!(kinds, [Kind::BalanceNotSum]);
    let kinds = found(|_, record| record.statements.get_mut(ALICE).unwrap()[0].mark.push('!'));
    assert_eq!(kinds, [Kind::WrongStatement]);
}

#[test]
fn nobody_has_less_than_nothing() {
    let kinds = found(|history, record| {
        *rows(record) = vec![row(1, 10, 10), row(2, -13, -3), row(3, 5, 2)];
        settle(record, 3, 2);
        history.calls[1].effect = values(-13);
        feed(history)[1] = told(2, -13);
        history.reads.clear();
    });
    assert_eq!(kinds, [Kind::Negative]);
}

#[test]
fn a_read_is_as_new_as_asked_for() {
    let showing = |asked, invoked, version, available| {
        found(move |history, _| history.reads = vec![read(asked, invoked, version, available)])
    };
    assert_eq!(showing(Asked::AtLeast(3), at(360), 2, 7), [Kind::StaleRead]);
    assert_eq!(showing(Asked::Strong, at(360), 2, 7), [Kind::StaleRead]);
    // The third was answered at 350 ms: who asked before may see it or not.
    assert_eq!(showing(Asked::Strong, at(340), 2, 7), []);
    assert_eq!(showing(Asked::Strong, at(340), 3, 12), []);
    let not_there = found(|history, _| {
        history.reads[1].shown = None;
    });
    assert_eq!(not_there, [Kind::StaleRead]);
}

#[test]
fn a_read_shows_what_the_record_says_of_its_version() {
    let showing = |invoked, version, available| {
        found(move |history, _| history.reads = vec![read(Asked::Eventual, invoked, version, available)])
    };
    assert_eq!(showing(at(360), 2, 7), []);
    assert_eq!(showing(at(360), 2, 10), [Kind::WrongRead]);
    assert_eq!(showing(at(360), 4, 12), [Kind::WrongRead]);
    // Nobody had asked for the third yet.
    assert_eq!(showing(at(100), 3, 12), [Kind::WrongRead]);
}

/// Ten came, four were set aside until 500 ms and came back then, by themselves as the third version.
fn with_an_end(history: &mut History, record: &mut Record) {
    let mut set_aside = row(2, -4, 6);
    set_aside.entries[1].account = "owner_held".to_owned();
    set_aside.entries[1].balance = Some(4);
    let mut back = set_aside.clone();
    (back.version, back.request_id) = (3, None);
    back.transaction_id = "t3".to_owned();
    for (entry, balance) in back.entries.iter_mut().zip([10, 0]) {
        entry.value = -entry.value;
        entry.balance = Some(balance);
    }
    *rows(record) = vec![row(1, 10, 10), set_aside.clone(), back];
    settle(record, 3, 10);
    history.calls.truncate(2);
    history.calls[1].effect = set_aside.effect();
    history.calls[1].ends = Some(at(500));
    *feed(history) = vec![told(1, 10), told(2, -4), told(3, 4)];
    history.reads.clear();
}

#[test]
fn what_is_set_aside_for_a_time_counts_until_its_end_and_not_from_then_on() {
    let showing = |invoked, balances: &[(&str, i64)]| {
        let balances = balances
            .iter()
            .map(|(account, value)| (((*account).to_owned(), "points".to_owned()), *value));
        let balances: Values = balances.collect();
        found(move |history, record| {
            with_an_end(history, record);
            let mut shown = read(Asked::Eventual, invoked, 2, 0);
            shown.shown = Some(Shown { version: 2, balances });
            history.reads.push(shown);
        })
    };
    let (set_aside, back) = ([(AVAILABLE, 6), ("owner_held", 4)], [(AVAILABLE, 10)]);
    assert_eq!(showing(at(400), &set_aside), []);
    assert_eq!(showing(at(400), &back), [Kind::WrongRead]);
    assert_eq!(
        showing(at(490), &set_aside),
        [],
        "it was asked before and answered after"
    );
    assert_eq!(showing(at(490), &back), []);
    assert_eq!(showing(at(600), &set_aside), [Kind::WrongRead]);
    assert_eq!(showing(at(600), &back), []);
}

#[test]
fn nobody_decides_about_what_has_ended_or_is_kept_from_what_has_not() {
    let deciding = |invoked, answer: Answer| {
        found(move |history, record| {
            with_an_end(history, record);
            let mut decision = call(3, 4, Some(answer));
            decision.effect = rows(record)[2].effect();
            decision.hold = Some("r2".to_owned());
            decision.invoked = invoked;
            decision.refusable = &["HOLD_NOT_OPEN"];
            decision.answers[0].at = invoked + at(20);
            if matches!(decision.answers[0].answer, Answer::Took(_)) {
                rows(record)[2].request_id = Some("r3".to_owned());
                rows(record)[2].mark = "wish 3".to_owned();
                settle(record, 3, 10);
            }
            history.calls.push(decision);
        })
    };
    let refused = || Answer::Refused("HOLD_NOT_OPEN".to_owned());
    assert_eq!(deciding(at(400), Answer::Took(Some(3))), []);
    assert_eq!(deciding(at(600), Answer::Took(Some(3))), [Kind::EndedHold]);
    assert_eq!(deciding(at(600), refused()), []);
    assert_eq!(deciding(at(400), refused()), [Kind::GroundlessRefusal]);
}

#[test]
fn events_come_once_in_order_and_as_recorded() {
    assert_eq!(
        found(|history, _| {
            feed(history).remove(1);
        }),
        [Kind::MissingEvent]
    );
    assert_eq!(found(|history, _| feed(history).clear()), [Kind::MissingEvent]);
    assert_eq!(
        found(|history, _| feed(history).push(told(2, -3))),
        [Kind::DoubledEvent]
    );
    assert_eq!(
        found(|history, _| feed(history).swap(1, 2)),
        [Kind::DisorderedEvent]
    );
    assert_eq!(
        found(|history, _| feed(history)[1] = told(2, -4)),
        [Kind::WrongEvent]
    );
    assert_eq!(
        found(|history, _| feed(history).push(told(4, 1))),
        [Kind::WrongEvent]
    );
    assert_eq!(
        found(|history, _| {
            let mut other = told(1, 10);
            other.owner_id = "bob".to_owned();
            feed(history).push(other);
        }),
        [Kind::WrongEvent]
    );
}

#[test]
fn who_waits_in_a_circle_is_told() {
    assert_eq!(found(|_, record| record.deadlocks_count = 1), [Kind::Deadlock]);
}
