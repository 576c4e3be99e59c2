use chrono::DateTime;
use proptest::prelude::*;

use super::super::BirthDate;
use super::*;

fn named(given: &str, family: &str) -> Profile {
    Profile {
        given_name: Some(Personal::new(given)),
        family_name: Some(Personal::new(family)),
        ..Profile::default()
    }
}

fn in_common(one: &Profile, other: &Profile) -> Vec<Trait> {
    let others = traits_of(other, &[]);
    let shared = traits_of(one, &[]).into_iter().filter(|one| others.contains(one));
    shared.map(|(kind, _)| kind).collect()
}

fn emails_meet(one: &str, other: &str) -> bool {
    let value = |text| IdentifierValue::parse(IdentifierKind::EmailAddress, text).unwrap();
    let (one, other) = (value(one), value(other));
    traits_of(&Profile::default(), &[&one]) == traits_of(&Profile::default(), &[&other])
}

#[test]
fn people_are_the_same_by_name_and_birthday_or_place_however_they_were_typed() {
    let today = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let with = |profile: Profile, day, place: &str| Profile {
        birth_date: BirthDate::try_new(1980, 5, day, today).ok(),
        place: Some(Personal::new(place)),
        ..profile
    };
    let ana = with(named("Ana-Maria", "Petrović"), 5, "Novi Sad");
    let typed = with(named("PETROVIĆ", "ana maria"), 5, "novi  sad.");
    assert_eq!(
        in_common(&ana, &typed),
        [Trait::NameAndBirthDate, Trait::NameAndPlace]
    );
    let moved = with(named("Ana Maria", "Petrović"), 5, "Niš");
    assert_eq!(in_common(&ana, &moved), [Trait::NameAndBirthDate]);
    let namesake = with(named("Ana Maria", "Petrović"), 6, "Niš");
    assert_eq!(in_common(&ana, &namesake), []);
    let only_given = Profile {
        family_name: None,
        ..with(named("Ana", ""), 5, "Niš")
    };
    assert_eq!(
        traits_of(&only_given, &[]),
        [],
        "a given name alone is many people's"
    );
}

#[test]
fn companies_are_the_same_by_number() {
    let company = |name: &str, number: &str| Profile {
        party_kind: PartyKind::LegalEntity,
        display_name: Some(Personal::new(name)),
        registration_number: number.parse().ok(),
        ..Profile::default()
    };
    let one = company("Romashka", "hrb 12-345");
    assert_eq!(
        in_common(&one, &company("Lutik", "HRB12345")),
        [Trait::RegistrationNumber]
    );
    assert_eq!(in_common(&one, &company("Romashka", "HRB12346")), []);
}

#[test]
fn dots_and_tags_of_an_address_say_nothing() {
    assert!(emails_meet(
        "ana.petrovic@example.com",
        "anapetrovic+shop@example.com"
    ));
    assert!(!emails_meet("ana@example.com", "ana@example.org"));
    assert!(!emails_meet("ana@example.com", "anna@example.com"));
}

#[test]
fn every_trait_reads_back() {
    for kind in Trait::ALL {
        assert_eq!(Trait::from_column(kind.as_str()), Some(kind));
    }
}

proptest! {
    /// Whatever the pages' sizes are, reading to the end finds the same as reading all at once.
    #[test]
    fn reading_in_steps_finds_what_reading_at_once_does(
        sizes in proptest::collection::vec(1..8_usize, 0..30),
        step in 9..40_usize,
    ) {
        let mut rows = Vec::new();
        for (hash, size) in sizes.iter().enumerate() {
            rows.extend((0..*size).map(|_| {
                (hash, Trait::NameAndPlace, MemberId::generate_at(DateTime::UNIX_EPOCH))
            }));
        }
        let (at_once, _) = candidates(&rows, true);
        let mut in_steps = Vec::new();
        let mut after = None;
        loop {
            let rest: Vec<_> = rows.iter().filter(|row| after.is_none_or(|after| row.0 > after)).copied().collect();
            let seen = &rest[..rest.len().min(step)];
            let (found, next) = candidates(seen, rest.len() < step);
            in_steps.extend(found);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(in_steps, at_once);
    }
}
