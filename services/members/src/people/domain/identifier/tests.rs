//! How identifiers are read.

use proptest::prelude::*;

use super::IdentifierKind::{CardNumber, EmailAddress, ExternalId, PhoneNumber};
use super::*;

fn parse(kind: IdentifierKind, text: &str) -> Result<String, IdentifierError> {
    IdentifierValue::parse(kind, text).map(|value| value.text().expose().to_owned())
}

/// The digits with the check digit that belongs behind them.
fn card_of(digits: &str) -> String {
    (0..10)
        .map(|check| format!("{digits}{check}"))
        .find(|card| luhn_sum(card).is_multiple_of(10))
        .expect("one digit of ten fits")
}

#[test]
fn an_external_id_is_taken_as_it_is() {
    for text in ["12346", "ÄÖ/7 b", "顧客-1", &"x".repeat(EXTERNAL_ID_LENGTH_MAX)] {
        assert_eq!(parse(ExternalId, text).as_deref(), Ok(text));
    }
    let long = "x".repeat(EXTERNAL_ID_LENGTH_MAX + 1);
    for text in [
        "",
        " ",
        " 1",
        "1 ",
        "a\tb",
        "a\u{200B}b",
        "a\u{A0}b",
        "a\0",
        &long,
    ] {
        assert_eq!(
            parse(ExternalId, text),
            Err(IdentifierError::ExternalId),
            "{text:?}"
        );
    }
}

#[test]
fn a_card_is_read_without_blanks_and_hyphens() {
    for text in ["4539 1488 0343 6467", "4539-1488-0343-6467", " 4539148803436467 "] {
        assert_eq!(parse(CardNumber, text).as_deref(), Ok("4539148803436467"));
    }
}

#[test]
fn a_wrong_check_digit_is_named_as_such() {
    assert_eq!(
        parse(CardNumber, "4539148803436468"),
        Err(IdentifierError::CardCheckDigit)
    );
    for text in [
        "",
        "1234567",
        "12345678901234567890",
        "4539 1488 0343 646X",
        "４５３９１４８８",
    ] {
        assert_eq!(parse(CardNumber, text), Err(IdentifierError::Card), "{text:?}");
    }
}

#[test]
fn a_phone_number_has_one_form() {
    for text in [
        "+44 20 7946 0018",
        "+44 (20) 7946-0018",
        "+442079460018",
        "+44\u{A0}20 7946‑0018",
    ] {
        assert_eq!(parse(PhoneNumber, text).as_deref(), Ok("+442079460018"));
    }
    for text in [
        "",
        "+",
        "02079460018",
        "0044 20 7946 0018",
        "+0442079460018",
        "+123456",
        "+1234567890123456",
        "+44 20x",
    ] {
        assert_eq!(parse(PhoneNumber, text), Err(IdentifierError::Phone), "{text:?}");
    }
}

#[test]
fn an_address_is_compared_in_lower_case() {
    assert_eq!(
        parse(EmailAddress, " Ana.P@Example.COM ").as_deref(),
        Ok("ana.p@example.com")
    );
    for text in [
        "a@b.co",
        "o'neil+shop@sub.example.org",
        "ана@пример.рф",
        "a@xn--e1afmkfd.xn--p1ai",
    ] {
        assert_eq!(parse(EmailAddress, text).as_deref(), Ok(text));
    }
}

#[test]
fn what_is_no_address_is_refused() {
    let long_local = format!("{}@example.com", "a".repeat(65));
    let long = format!("a@{}.com", vec!["b".repeat(60); 5].join("."));
    for text in [
        "",
        "ana",
        "@example.com",
        "ana@",
        "ana@localhost",
        "a b@example.com",
        "ana@exa mple.com",
        "ana@@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a@-x.com",
        "a@x-.com",
        "a@.com",
        "a@x..com",
        "\"a\"@example.com",
        "a@exam_ple.com",
        "a\n@example.com",
        &long_local,
        &long,
    ] {
        assert_eq!(parse(EmailAddress, text), Err(IdentifierError::Email), "{text:?}");
    }
}

#[test]
fn a_member_has_one_external_id_and_few_others() {
    assert!(check_counts([ExternalId, PhoneNumber].into_iter()).is_ok());
    assert!(check_counts([CardNumber; IDENTIFIERS_MAX].into_iter()).is_ok());
    let refused = check_counts([ExternalId; 2].into_iter());
    assert_eq!(
        refused,
        Err(Refusal::CountExceeded {
            resource: "external_id",
            count_max: 1
        })
    );
    let refused = check_counts([CardNumber; IDENTIFIERS_MAX + 1].into_iter());
    assert_eq!(
        refused,
        Err(Refusal::CountExceeded {
            resource: "identifier",
            count_max: IDENTIFIERS_MAX
        })
    );
}

#[test]
fn a_value_is_not_shown() {
    let shown = format!("{:?}", IdentifierValue::parse(PhoneNumber, "+442079460018"));
    assert!(!shown.contains("2079460018"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_reading_again_changes_nothing(text in "\\PC{0,40}|[0-9 +()-]{0,24}|[a-zA-Z.@ -]{0,30}") {
        for kind in IdentifierKind::ALL {
            if let Ok(read) = parse(kind, &text) {
                prop_assert_eq!(parse(kind, &read), Ok(read.clone()));
            }
        }
    }

    #[test]
    fn every_single_mistyped_digit_of_a_card_is_noticed(
        digits in "[0-9]{7,18}", place: prop::sample::Index, by in 1..10_u8,
    ) {
        let card = card_of(&digits);
        prop_assert_eq!(parse(CardNumber, &card), Ok(card.clone()));
        let mut mistyped = card.into_bytes();
        let place = place.index(mistyped.len());
        mistyped[place] = b'0' + (mistyped[place] - b'0' + by) % 10;
        let mistyped = String::from_utf8(mistyped).unwrap();
        prop_assert_eq!(parse(CardNumber, &mistyped), Err(IdentifierError::CardCheckDigit));
    }

    #[test]
    fn two_neighbours_that_changed_places_are_noticed(digits in "[0-9]{7,18}", place: prop::sample::Index) {
        let card = card_of(&digits);
        let place = place.index(card.len() - 1);
        let mut swapped = card.clone().into_bytes();
        swapped.swap(place, place + 1);
        let pair = (&card.as_bytes()[place], &card.as_bytes()[place + 1]);
        // The one pair that the method cannot tell apart is 0 and 9.
        prop_assume!(pair.0 != pair.1 && !matches!(pair, (b'0', b'9') | (b'9', b'0')));
        let swapped = String::from_utf8(swapped).unwrap();
        prop_assert_eq!(parse(CardNumber, &swapped), Err(IdentifierError::CardCheckDigit));
    }

    #[test]
    fn separators_do_not_matter(digits in "[1-9][0-9]{6,14}", blanks in prop::collection::vec("[ -]{0,2}", 16)) {
        let written: Vec<String> = digits.chars().zip(&blanks).map(|(digit, blank)| format!("{blank}{digit}")).collect();
        prop_assert_eq!(parse(PhoneNumber, &format!("+{}", written.concat())), Ok(format!("+{digits}")));
    }
}
