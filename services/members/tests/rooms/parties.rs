//! Kinds of party: what each has, and what it must not have.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::PartyKind;
use fealty_proto::r#type::v1::Date;

use crate::harness::assert_invalid;
use crate::shop::{Shop, enrolment, external_id};

pub fn company() -> pb::Profile {
    pb::Profile {
        party_kind: PartyKind::LegalEntity.into(),
        display_name: "Romashka Ltd".to_owned(),
        registration_number: "OGRN 1027700132195".to_owned(),
        language_code: "ru".to_owned(),
        place: "Tver".to_owned(),
        ..Default::default()
    }
}

fn trader() -> pb::Profile {
    pb::Profile {
        party_kind: PartyKind::SoleProprietor.into(),
        given_name: "Ivan".to_owned(),
        family_name: "Petrov".to_owned(),
        birth_date: Some(born(1980)),
        registration_number: "304500116000157".to_owned(),
        ..Default::default()
    }
}

const fn born(year: i32) -> Date {
    Date {
        year,
        month: 2,
        day: 28,
    }
}

pub fn as_profile(profile: pb::Profile, key: &str) -> pb::EnrolMemberRequest {
    pb::EnrolMemberRequest {
        profile: Some(profile),
        ..enrolment(&[external_id(key)])
    }
}

pub async fn enrol(shop: &Shop, profile: pb::Profile, key: &str) -> pb::Member {
    let enrolled = shop.try_enrol(as_profile(profile, key)).await.expect("enrolled");
    enrolled.into_inner().member.expect("a member")
}

fn profile_of(member: &pb::Member, profile: pb::Profile) -> pb::Member {
    pb::Member {
        member_id: member.member_id.clone(),
        profile: Some(profile),
        ..Default::default()
    }
}

#[tokio::test]
async fn b17_persons_companies_and_sole_proprietors_join_and_are_read_as_what_they_are() {
    let shop = Shop::open().await;
    let firm = enrol(&shop, company(), "firm").await;
    assert_eq!(firm.profile, Some(company()));
    let ivan = enrol(&shop, trader(), "ivan").await;
    let expected = pb::Profile {
        display_name: "Ivan Petrov".to_owned(),
        ..trader()
    };
    assert_eq!(ivan.profile, Some(expected));
    // Who says nothing is a person.
    let ana = shop.enrol(&[external_id("ana")]).await;
    assert_eq!(
        ana.profile.as_ref().unwrap().party_kind(),
        PartyKind::NaturalPerson
    );
    for member in [firm, ivan, ana] {
        assert_eq!(shop.get(&member.member_id).await.unwrap(), member);
    }
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default();
        let told = rows.contains("1027700132195") || rows.contains("304500116000157");
        assert!(!told, "{table} tells a registration number");
    }
}

#[tokio::test]
async fn b17_a_legal_entity_needs_a_registration_number_and_has_nothing_of_a_person() {
    let shop = Shop::open().await;
    let before = shop.world.contents().await;
    let nameless = pb::Profile {
        given_name: String::new(),
        family_name: String::new(),
        ..trader()
    };
    let person_with_number = pb::Profile {
        party_kind: PartyKind::NaturalPerson.into(),
        ..trader()
    };
    let of_a_person = pb::Profile {
        party_kind: PartyKind::LegalEntity.into(),
        registration_number: String::new(),
        ..trader()
    };
    let strange = pb::Profile {
        party_kind: 17,
        registration_number: "?".to_owned(),
        ..Default::default()
    };
    for (label, profile, fields) in [
        (
            "a company with names and a birthday, and without a number",
            of_a_person,
            vec![
                "profile.given_name",
                "profile.family_name",
                "profile.birth_date",
                "profile.registration_number",
            ],
        ),
        ("a trader without a name", nameless, vec!["profile.family_name"]),
        (
            "a person with a number",
            person_with_number,
            vec!["profile.registration_number"],
        ),
        (
            "no kind and no number",
            strange,
            vec!["profile.party_kind", "profile.registration_number"],
        ),
    ] {
        let refused = shop.try_enrol(as_profile(profile, "1")).await;
        assert_invalid(label, refused, &fields);
    }
    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn b17_a_kind_is_changed_by_mask_together_with_what_goes_with_it() {
    let shop = Shop::open().await;
    let ivan = enrol(&shop, trader(), "ivan").await;
    let before = shop.world.contents().await;
    let to_company = |profile| profile_of(&ivan, profile);
    let kind_alone = shop
        .update(
            to_company(company()),
            &["profile.party_kind", "profile.registration_number"],
        )
        .await;
    assert_invalid(
        "what is a person's stays",
        kind_alone,
        &[
            "member.profile.given_name",
            "member.profile.family_name",
            "member.profile.birth_date",
        ],
    );
    let to_person = shop
        .update(to_company(pb::Profile::default()), &["profile.party_kind"])
        .await;
    assert_invalid(
        "a number stays",
        to_person,
        &["member.profile.registration_number"],
    );
    assert_eq!(shop.world.contents().await, before);

    let firm = shop.update(to_company(company()), &["profile"]).await.unwrap();
    assert_eq!(firm.profile, Some(company()));
    let birthday = pb::Profile {
        birth_date: Some(born(1980)),
        ..Default::default()
    };
    let refused = shop
        .update(profile_of(&firm, birthday), &["profile.birth_date"])
        .await;
    assert_invalid(
        "a company has no birthday",
        refused,
        &["member.profile.birth_date"],
    );
    let numberless = profile_of(&firm, pb::Profile::default());
    let refused = shop.update(numberless, &["profile.registration_number"]).await;
    assert_invalid("no number", refused, &["member.profile.registration_number"]);
    assert_eq!(shop.get(&firm.member_id).await.unwrap(), firm);
}
