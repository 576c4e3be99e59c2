//! What profiles take.

use proptest::prelude::*;

use super::*;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

fn birth_date(year: i32, month: i32, day: i32) -> Result<BirthDate, BirthDateError> {
    BirthDate::try_new(year, month, day, today())
}

fn named(given: &str, family: &str, display: &str) -> Profile {
    let personal = |text: &str| Some(Personal::new(text)).filter(|text| !text.expose().is_empty());
    Profile {
        given_name: personal(given),
        family_name: personal(family),
        display_name: personal(display),
        ..Profile::default()
    }
}

fn address(profile: &Profile) -> String {
    profile
        .address()
        .map(|name| name.expose().to_owned())
        .unwrap_or_default()
}

#[test]
fn people_are_addressed_as_they_said_or_by_their_names() {
    assert_eq!(address(&named("Ana", "Petrović", "Dr. Petrović")), "Dr. Petrović");
    assert_eq!(address(&named("Ana", "Petrović", "")), "Ana Petrović");
    assert_eq!(address(&named("", "Petrović", "")), "Petrović");
    assert_eq!(address(&named("Ana", "", "")), "Ana");
    assert_eq!(address(&named("", "", "")), "");
}

#[test]
fn a_display_name_that_was_read_and_sent_back_follows_a_later_name() {
    let sent_back = named("Ana", "Petrović", "Ana Petrović").tidied();
    let change = ProfileChange {
        family_name: Change::Set(Some(Personal::new("Jović"))),
        ..ProfileChange::default()
    };
    assert_eq!(address(&sent_back.changed(&change)), "Ana Jović");
}

#[test]
fn a_change_touches_what_it_names() {
    let old = named("Ana", "Petrović", "Ana P.");
    let change = ProfileChange {
        display_name: Change::Set(None),
        ..ProfileChange::default()
    };
    assert_eq!(old.changed(&change), named("Ana", "Petrović", ""));
    assert_eq!(old.changed(&ProfileChange::default()), old);
}

#[test]
fn the_29th_of_february_needs_a_leap_year_or_none() {
    assert!(birth_date(2000, 2, 29).is_ok() && birth_date(0, 2, 29).is_ok());
    for year in [1900, 2023] {
        assert_eq!(birth_date(year, 2, 29), Err(BirthDateError::NoSuchDay));
    }
}

#[test]
fn a_birthday_is_a_day_of_the_calendar_between_1900_and_today() {
    assert!(birth_date(1900, 1, 1).is_ok() && birth_date(2026, 11, 22).is_ok());
    assert_eq!(birth_date(1899, 12, 31), Err(BirthDateError::TooEarly));
    assert_eq!(birth_date(2026, 11, 23), Err(BirthDateError::Future));
    for (year, month, day) in [
        (2000, 0, 1),
        (2000, 13, 1),
        (2000, 4, 31),
        (2000, 1, 0),
        (-1, 1, 1),
        (10_000, 1, 1),
        (0, 2, 30),
        (0, 0, 0),
    ] {
        assert_eq!(birth_date(year, month, day), Err(BirthDateError::NoSuchDay));
    }
}

#[test]
fn a_language_tag_is_written_as_advised() {
    for (text, written) in [
        ("en", "en"),
        ("EN-gb", "en-GB"),
        ("sr-latn-rs", "sr-Latn-RS"),
        ("es-419", "es-419"),
        ("zh-cmn-Hans-CN", "zh-cmn-Hans-CN"),
        ("de-CH-1996", "de-CH-1996"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("en-u-CA-gregory", "en-u-ca-gregory"),
        ("de-x-shop", "de-x-shop"),
    ] {
        let tag: LanguageTag = text.parse().unwrap();
        assert_eq!(tag.as_personal().expose(), written);
    }
}

#[test]
fn what_is_no_language_tag_is_refused() {
    for text in [
        "",
        "e",
        "en_GB",
        "english language",
        "en-",
        "-en",
        "en--GB",
        "12",
        "en-GB-GB",
        "en-x",
        "en-u-x-a1",
        "en-GB-Latn",
        "abcdefghi",
        "ру",
    ] {
        assert!(text.parse::<LanguageTag>().is_err(), "{text:?}");
    }
}

#[test]
fn a_profile_is_not_shown() {
    let profile = Profile {
        birth_date: birth_date(1987, 2, 28).ok(),
        language: "sr-Latn".parse().ok(),
        ..named("Ana", "Petrović", "")
    };
    let shown = format!("{profile:?}");
    for secret in ["Ana", "Petrović", "1987", "sr-Latn"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn a_birthday_reads_back_as_it_was_sealed(year in 0..2027, month in 0..14, day in 0..33) {
        if let Ok(date) = birth_date(year, month, day) {
            prop_assert_eq!(BirthDate::from_personal(&date.to_personal()), Some(date));
        }
    }

    #[test]
    fn any_text_is_a_tag_or_none_and_reading_again_changes_nothing(text in "\\PC{0,12}|[a-zA-Z0-9]{1,9}(-[a-zA-Z0-9]{1,8}){0,4}") {
        if let Ok(tag) = text.parse::<LanguageTag>() {
            let again: LanguageTag = tag.as_personal().expose().parse().unwrap();
            prop_assert_eq!(again, tag);
        }
    }
}
