use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::people::domain::{IdentifierKind, IdentifierValue};

fn number(text: &str) -> IdentifierValue {
    IdentifierValue::parse(IdentifierKind::CardNumber, text).unwrap()
}

fn some_id() -> IdentifierId {
    IdentifierId::generate_at(DateTime::UNIX_EPOCH)
}

proptest! {
    #[test]
    fn every_number_of_a_range_is_a_card_of_the_same_length_and_there_once(
        body in "[0-9]{7,18}",
        count in 1..200_usize,
    ) {
        let first = number(&card_number_with(&body));
        if let Ok(range) = Range::try_new(&first, count) {
            let numbers: Vec<String> = range.numbers(count).collect();
            prop_assert_eq!(numbers.first().map(String::as_str), Some(first.text().expose()));
            let bodies: Vec<u64> = numbers.iter().map(|text| text[..text.len() - 1].parse().unwrap()).collect();
            prop_assert!(bodies.windows(2).all(|pair| pair[1] == pair[0] + 1));
            for text in &numbers {
                prop_assert_eq!(text.len(), body.len() + 1);
                prop_assert!(IdentifierValue::parse(IdentifierKind::CardNumber, text).is_ok());
            }
        } else {
            let last = body.parse::<u64>().unwrap() + u64::try_from(count).unwrap() - 1;
            prop_assert!(last.to_string().len() > body.len());
        }
    }

    #[test]
    fn every_number_by_chance_is_a_card_with_the_prefix_and_there_once(
        prefix in "[0-9]{0,6}",
        digit_count in 13..20_usize,
        count in 1..100_usize,
        seed in any::<u64>(),
    ) {
        let random = RandomNumbers::try_new(&prefix, digit_count, count).unwrap();
        let mut state = seed;
        let numbers = random.numbers(count, || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        });
        let different: std::collections::HashSet<&String> = numbers.iter().collect();
        prop_assert_eq!((numbers.len(), different.len()), (count, count));
        for text in &numbers {
            prop_assert!(text.len() == digit_count && text.starts_with(&prefix));
            prop_assert!(IdentifierValue::parse(IdentifierKind::CardNumber, text).is_ok());
        }
    }

    #[test]
    fn a_blocked_card_never_finds_anybody_again_whatever_happens_to_it(
        steps in proptest::collection::vec((any::<bool>(), proptest::sample::select(EndReason::ALL.to_vec())), 0..6),
    ) {
        let mut state = CardState::LINKED;
        let mut was_blocked = false;
        for (block, reason) in steps {
            state = if block {
                state.blocked(reason).unwrap_or(state)
            } else {
                state.replaced(reason, some_id()).unwrap_or(state)
            };
            was_blocked |= block;
            let still_theirs = state.end_reason.is_none_or(EndReason::stays_with_member);
            prop_assert_eq!(state.check_finds().is_ok(), !was_blocked && still_theirs);
        }
    }
}

#[test]
fn what_ended_is_replaced_once_and_what_nobody_has_never() {
    let by = some_id();
    let replaced = CardState::LINKED.replaced(EndReason::Lost, by).unwrap();
    assert_eq!(
        replaced.replaced(EndReason::Lost, by),
        Err(Refusal::CardEnded(replaced))
    );
    let blocked = CardState::LINKED.blocked(EndReason::Stolen).unwrap();
    let both = blocked.replaced(EndReason::Damaged, by).unwrap();
    assert_eq!(
        (both.status, both.end_reason),
        (CardStatus::Blocked, Some(EndReason::Stolen))
    );
    assert_eq!(
        both.replaced(EndReason::Damaged, by),
        Err(Refusal::CardEnded(both))
    );
    let issued = CardState {
        status: CardStatus::Issued,
        ..CardState::LINKED
    };
    assert_eq!(issued.replaced(EndReason::Lost, by), Err(Refusal::CardNotLinked));
}

#[test]
fn a_numbering_has_room_for_its_cards() {
    assert!(Range::try_new(&number(&card_number_with("9999990")), 10).is_ok());
    assert_eq!(
        Range::try_new(&number(&card_number_with("9999990")), 11),
        Err(NumberingError::RangeTooShort)
    );
    for (prefix, digit_count, count, expected) in [
        ("", 8, 10_000, Ok(())),
        ("2", 8, 10_000, Err(vec![NumberingError::TooFewNumbers])),
        ("", 7, 1, Err(vec![NumberingError::DigitCount])),
        ("", 20, 1, Err(vec![NumberingError::DigitCount])),
        ("27a", 16, 1, Err(vec![NumberingError::Prefix])),
        (
            "27a",
            99,
            1,
            Err(vec![NumberingError::Prefix, NumberingError::DigitCount]),
        ),
        ("1234567890123456", 19, 1, Err(vec![NumberingError::Prefix])),
        ("123", 8, 10, Ok(())),
        ("123", 8, 11, Err(vec![NumberingError::TooFewNumbers])),
    ] {
        let made = RandomNumbers::try_new(prefix, digit_count, count).map(drop);
        assert_eq!(made, expected, "{prefix} {digit_count} {count}");
    }
}

#[test]
fn every_status_and_reason_reads_back() {
    for status in CardStatus::ALL {
        assert_eq!(CardStatus::from_column(status.as_str()), Some(status));
    }
    for reason in EndReason::ALL {
        assert_eq!(EndReason::from_column(reason.as_str()), Some(reason));
    }
}
