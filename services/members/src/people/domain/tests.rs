//! How members are enrolled and change.

use chrono::TimeDelta;
use fealty_types::PolicyId;
use fealty_vault::Personal;

use super::*;
use crate::policies::domain::{NewPolicy, PolicyHead, PolicyVersion};
use crate::refusal::Refusal;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn policy() -> PolicyHead {
    let new = NewPolicy {
        title: "Terms".parse().unwrap(),
        text: "Terms".parse().unwrap(),
        effective_time: None,
    };
    new.publish(PolicyId::generate_at(NOW), None, NOW).unwrap().head
}

fn given(version: i64) -> GivenAcceptance {
    GivenAcceptance {
        version: PolicyVersion::try_new(version).unwrap(),
        channel: "till 4".to_owned(),
        accept_time: None,
    }
}

fn member() -> Member {
    let new = NewMember {
        profile: Profile::default(),
        identifiers: vec![IdentifierValue::parse(IdentifierKind::ExternalId, "1").unwrap()],
        acceptance: Some(given(1)),
        guardian_member_id: None,
        referral: None,
        actor: "key:1".to_owned(),
    };
    let acceptance = accept(new.acceptance.as_ref(), Some(&policy()), NOW).unwrap();
    new.start(MemberId::generate_at(NOW), acceptance, None, NOW)
}

#[test]
fn b16_nobody_is_enrolled_without_consent_to_the_policy_in_force() {
    let policy = policy();
    assert_eq!(accept(Some(&given(1)), None, NOW), Err(Refusal::PolicyMissing));
    assert!(matches!(
        accept(None, Some(&policy), NOW),
        Err(Refusal::ConsentRequired { .. })
    ));
    assert!(matches!(
        accept(Some(&given(2)), Some(&policy), NOW),
        Err(Refusal::PolicyVersionOutdated { .. })
    ));
}

#[test]
fn b14_an_acceptance_proves_the_version_the_text_the_time_and_the_channel() {
    let policy = policy();
    let accepted = accept(Some(&given(1)), Some(&policy), NOW).unwrap();
    assert_eq!(
        (accepted.version, accepted.text_hash),
        (policy.version, policy.text_hash)
    );
    assert_eq!((accepted.accept_time, accepted.channel.as_str()), (NOW, "till 4"));
}

#[test]
fn nobody_accepts_in_the_future() {
    let early = NOW - TimeDelta::days(1);
    for (accept_time, stored) in [(early, early), (NOW + TimeDelta::minutes(2), NOW)] {
        let given = GivenAcceptance {
            accept_time: Some(accept_time),
            ..given(1)
        };
        assert_eq!(
            accept(Some(&given), Some(&policy()), NOW).unwrap().accept_time,
            stored
        );
    }
}

#[test]
fn a_change_counts_and_an_empty_one_does_not() {
    let member = member();
    let change = ProfileChange {
        given_name: Change::Set(Some(Personal::new("Ana"))),
        ..ProfileChange::default()
    };
    let changed = member
        .changed(member.profile.changed(&change), None, NOW + TimeDelta::days(1))
        .unwrap();
    assert_eq!(changed.revision.get(), 1);
    assert_eq!(changed.changed(changed.profile.changed(&change), None, NOW), None);
}

#[test]
fn the_ids_of_identifiers_lie_in_the_order_in_which_they_were_sent() {
    let value = |number: u8| IdentifierValue::parse(IdentifierKind::EmailAddress, &format!("a{number}@b.co"));
    let new = NewMember {
        profile: Profile::default(),
        identifiers: (0..32).map(|number| value(number).unwrap()).collect(),
        acceptance: Some(given(1)),
        guardian_member_id: None,
        referral: None,
        actor: "key:1".to_owned(),
    };
    let acceptance = accept(new.acceptance.as_ref(), Some(&policy()), NOW).unwrap();
    let member = new.start(MemberId::generate_at(NOW), acceptance, None, NOW);
    assert!(
        member
            .identifiers
            .is_sorted_by_key(|identifier| identifier.identifier_id)
    );
    let values = member.identifiers.iter().map(|identifier| &identifier.value);
    assert!(values.eq(&new.identifiers));
}

#[test]
fn identifiers_come_and_go_as_changes() {
    let member = member();
    let known = member.identifiers[0].identifier_id;
    let without = member.without_identifier(known, NOW).unwrap();
    assert_eq!((without.identifiers.len(), without.revision.get()), (0, 1));
    assert_eq!(without.without_identifier(known, NOW), None);
    let with = without
        .with_identifier(member.identifiers[0].clone(), NOW)
        .unwrap();
    assert_eq!((with.identifiers.len(), with.revision.get()), (1, 2));
}
