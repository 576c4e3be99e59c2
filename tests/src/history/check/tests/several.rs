//! Violations between several: calls about the same thing, two owners, and what there was while somebody asked.

use super::*;
use crate::history::{Part, Sent};

const BOB: &str = "bob";

#[test]
fn parts_of_something_are_never_more_than_all_of_it_and_refused_only_then() {
    let with = |whole, refused| {
        found(|history, _| {
            history.calls[3].refusable = &["BUDGET_EXHAUSTED"];
            history.calls[3].answers[0].answer = Answer::Refused("BUDGET_EXHAUSTED".to_owned());
            for (number, value) in [(0, 6), (2, 4), (3, refused)] {
                history.calls[number].part = Some(Part {
                    of: "a budget".to_owned(),
                    whole,
                    value,
                    refusal: "BUDGET_EXHAUSTED",
                });
            }
        })
    };
    assert_eq!(with(12, 3), []);
    assert_eq!(with(12, 2), [Kind::GroundlessRefusal]);
    assert_eq!(with(9, 3), [Kind::Overdrawn]);
}

#[test]
fn nobody_is_refused_what_they_had_all_the_while() {
    let asking = |value: i64, invoked: u64, answered: u64| {
        found(move |history, _| {
            let refused = &mut history.calls[3];
            refused.effect = values(-value);
            refused.invoked = at(invoked);
            refused.answers[0].at = at(answered);
        })
    };
    // There were 10 from 150 ms on at the latest, 7 from 250 ms on, and 12 from 350 ms on; each was asked 50 ms before.
    assert_eq!(asking(7, 260, 290), [Kind::GroundlessRefusal]);
    assert_eq!(asking(8, 260, 290), []);
    assert_eq!(asking(8, 260, 900), [], "the third may have come after it");
    assert_eq!(asking(12, 360, 900), [Kind::GroundlessRefusal]);
    assert_eq!(asking(13, 360, 900), []);
    assert_eq!(asking(1, 50, 900), [], "it may have come before the first");
    let together = found(|history, _| {
        history.calls[3].effect = values(-1);
        history.calls[3].group = Some(1);
    });
    assert_eq!(together, [], "what is refused for the sake of others");
}

/// Alice's three went to Bob, as his first version.
fn sent(history: &mut History, record: &mut Record) {
    let (to, effect) = (BOB.to_owned(), values(3));
    history.calls[1].sent = Some(Sent { to, effect });
    let mut came = row(1, 3, 3);
    came.transaction_id = "t2b".to_owned();
    came.request_id = None;
    came.counterpart = Some("t2".to_owned());
    rows(record)[1].counterpart = Some("t2b".to_owned());
    record.statements.clone_from(&record.rows);
    feed(history).push(Told {
        owner_id: BOB.to_owned(),
        transaction_id: "t2b".to_owned(),
        ..told(1, 3)
    });
    record.rows.insert(BOB.to_owned(), vec![came]);
}

fn bobs(record: &mut Record) -> &mut Row {
    &mut record.rows.get_mut(BOB).unwrap()[0]
}

fn found_sending(change: impl FnOnce(&mut History, &mut Record)) -> Vec<Kind> {
    found(|history, record| {
        sent(history, record);
        change(history, record);
    })
}

#[test]
fn what_was_sent_came_once_and_as_it_was_sent() {
    assert_eq!(found_sending(|_, _| {}), []);
    let never_came = found_sending(|history, record| {
        record.rows.remove(BOB);
        feed(history).pop();
    });
    assert_eq!(never_came, [Kind::HalfTransfer]);
    let came_twice = found_sending(|history, record| {
        let mut again = bobs(record).clone();
        again.version = 2;
        again.transaction_id = "t2c".to_owned();
        again.entries[0].balance = Some(6);
        record.rows.get_mut(BOB).unwrap().push(again);
        feed(history).push(Told {
            owner_id: BOB.to_owned(),
            transaction_id: "t2c".to_owned(),
            ..told(2, 3)
        });
    });
    assert_eq!(came_twice, [Kind::HalfTransfer]);
    let came_to_another = found_sending(|history, _| {
        history.calls[1].sent.as_mut().unwrap().to = ALICE.to_owned();
    });
    assert_eq!(came_to_another, [Kind::HalfTransfer]);
    let came_as_more = found_sending(|history, _| {
        history.calls[1].sent.as_mut().unwrap().effect = values(2);
    });
    assert_eq!(came_as_more, [Kind::HalfTransfer]);
    let came_unsent = found_sending(|history, _| history.calls[1].sent = None);
    assert_eq!(came_unsent, [Kind::HalfTransfer]);
    let names_nobody = found_sending(|_, record| bobs(record).counterpart = None);
    assert_eq!(names_nobody, [Kind::UnaskedWrite, Kind::HalfTransfer]);
}

#[test]
fn who_was_answered_that_it_was_sent_sees_that_it_came() {
    let showing = |invoked, version, available| {
        found_sending(move |history, _| {
            let mut read = read(Asked::Strong, invoked, version, available);
            read.owner_id = BOB.to_owned();
            history.reads.push(read);
        })
    };
    assert_eq!(showing(at(260), 1, 3), []);
    assert_eq!(showing(at(260), 0, 0), [Kind::StaleRead]);
    assert_eq!(showing(at(240), 0, 0), []);
}
