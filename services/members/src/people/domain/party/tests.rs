use fealty_vault::Personal;
use proptest::option;
use proptest::prelude::*;

use super::super::{BirthDate, Change, ProfileChange};
use super::*;

fn fields(profile: &Profile) -> Vec<&'static str> {
    let problems = party_problems(profile);
    problems.into_iter().map(|problem| problem.field).collect()
}

prop_compose! {
    fn profiles()(
        kind in proptest::sample::select(PartyKind::ALL.to_vec()),
        given_name in option::of("[A-Z][a-z]{1,8}"),
        family_name in option::of("[A-Z][a-z]{1,8}"),
        year in option::of(1900..2000),
        number in option::of("[0-9]{8}"),
    ) -> Profile {
        let today = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        Profile {
            party_kind: kind,
            given_name: given_name.map(Personal::new),
            family_name: family_name.map(Personal::new),
            birth_date: year.map(|year| BirthDate::try_new(year, 2, 3, today).expect("a birthday")),
            registration_number: number.map(|number| number.parse().expect("a number")),
            ..Profile::default()
        }
    }
}

proptest! {
    #[test]
    fn b17_clearing_what_is_wrong_and_giving_what_is_missing_makes_any_profile_right(profile in profiles()) {
        let mut right = profile.clone();
        for problem in party_problems(&profile) {
            match problem.field {
                "given_name" => right.given_name = None,
                "family_name" => right.family_name = match profile.party_kind {
                    PartyKind::LegalEntity => None,
                    _ => Some(Personal::new("Petrova")),
                },
                "birth_date" => right.birth_date = None,
                _ => right.registration_number = match profile.party_kind {
                    PartyKind::LegalEntity => Some("12345678".parse().expect("a number")),
                    _ => None,
                },
            }
        }
        prop_assert_eq!(fields(&right), Vec::<&str>::new());
        prop_assert_eq!(right.party_kind, profile.party_kind);
    }

    #[test]
    fn b17_only_who_trades_has_a_registration_number_and_only_people_a_birthday(profile in profiles()) {
        if party_problems(&profile).is_empty() {
            let of_person = profile.given_name.is_some() || profile.birth_date.is_some();
            match profile.party_kind {
                PartyKind::NaturalPerson => prop_assert!(profile.registration_number.is_none()),
                PartyKind::LegalEntity => prop_assert!(profile.registration_number.is_some() && !of_person),
                PartyKind::SoleProprietor => prop_assert!(profile.address().is_some()),
            }
        }
    }
}

#[test]
fn b17_a_person_becomes_a_company_only_when_everything_of_a_person_goes_at_once() {
    let person = Profile {
        given_name: Some(Personal::new("Ana")),
        family_name: Some(Personal::new("Petrova")),
        ..Profile::default()
    };
    let company = ProfileChange {
        party_kind: Change::Set(Some(PartyKind::LegalEntity)),
        ..ProfileChange::default()
    };
    let changed = person.changed(&company);
    assert_eq!(
        fields(&changed),
        ["given_name", "family_name", "registration_number"]
    );
    let whole = ProfileChange {
        given_name: Change::Set(None),
        family_name: Change::Set(None),
        registration_number: Change::Set("HRB 12-34/5".parse().ok()),
        ..company
    };
    assert_eq!(fields(&person.changed(&whole)), Vec::<&str>::new());
}

#[test]
fn a_kind_reads_back_and_a_registration_number_has_something_at_both_ends() {
    for kind in PartyKind::ALL {
        assert_eq!(PartyKind::from_column(kind.as_str()), Some(kind));
    }
    let longest = "1".repeat(REGISTRATION_NUMBER_LENGTH_MAX);
    for text in ["1", "HRB 12-34/5.6", "ОГРН 1027700132195", longest.as_str()] {
        assert!(text.parse::<RegistrationNumber>().is_ok(), "{text}");
    }
    let too_long = "1".repeat(REGISTRATION_NUMBER_LENGTH_MAX + 1);
    for text in ["", " 1", "1 ", "-1", "1\n2", "1_2", too_long.as_str()] {
        assert!(text.parse::<RegistrationNumber>().is_err(), "{text}");
    }
}
