use super::*;
use crate::surveys::domain::{PurchaseTrigger, Questions, SurveyTerms};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

/// Asks about purchases of 10.00 and more, an hour later, for a day; open since minute 0.
fn survey() -> Survey {
    let terms = SurveyTerms {
        display_name: "After the purchase".to_owned(),
        topic: "nps".parse().unwrap(),
        purchase_trigger: Some(PurchaseTrigger {
            delay_seconds: 3_600,
            amount_minor_min: 1_000,
        }),
        invitation_life_days: 1,
    };
    let questions = Questions {
        score_question: "How likely are you to recommend us?".to_owned(),
        follow_ups: Vec::new(),
    };
    Survey::draft(SurveyId::generate_at(at(0)), terms, at(0)).published(questions, at(0))
}

fn purchase(amount_minor: i64, minute: i64) -> Purchase {
    Purchase {
        purchase_id: PurchaseId::generate_at(at(minute)),
        member_id: MemberId::generate_at(at(0)),
        amount_minor,
        occur_time: at(minute),
    }
}

fn planned() -> Invitation {
    Invitation::plan_for_purchase(&survey(), &purchase(1_000, 10), at(11)).unwrap()
}

#[test]
fn e17_a_purchase_is_asked_about_after_the_delay_and_for_the_life_of_an_invitation() {
    let invitation = planned();
    assert_eq!(
        (
            invitation.due_time,
            invitation.expire_time,
            invitation.decide_after
        ),
        (at(70), at(70 + 24 * 60), Some(at(70)))
    );
    assert_eq!(invitation.status_at(at(11)), InvitationStatus::Planned);
}

#[test]
fn small_purchases_those_before_the_opening_and_those_of_long_ago_ask_nobody() {
    let plan = |survey: &Survey, purchase, now| Invitation::plan_for_purchase(survey, &purchase, now);
    assert!(plan(&survey(), purchase(1_000, 0), at(1)).is_some());
    assert!(plan(&survey(), purchase(999, 0), at(1)).is_none());
    assert!(plan(&survey(), purchase(1_000, -1), at(1)).is_none());
    let last = 60 + 24 * 60;
    assert!(plan(&survey(), purchase(1_000, 0), at(last - 1)).is_some());
    assert!(plan(&survey(), purchase(1_000, 0), at(last)).is_none());
    assert!(plan(&survey().closed(at(1)), purchase(1_000, 0), at(2)).is_none());
    let mut by_hand_only = survey();
    by_hand_only.terms.purchase_trigger = None;
    assert!(plan(&by_hand_only, purchase(1_000, 0), at(1)).is_none());
}

#[test]
fn what_was_not_answered_has_passed_its_end_when_the_time_has_come() {
    for (stored, before, after) in [
        (
            StoredStatus::Planned,
            InvitationStatus::Planned,
            InvitationStatus::Expired,
        ),
        (
            StoredStatus::Due,
            InvitationStatus::Due,
            InvitationStatus::Expired,
        ),
        (
            StoredStatus::Sent,
            InvitationStatus::Sent,
            InvitationStatus::Expired,
        ),
        (
            StoredStatus::Answered,
            InvitationStatus::Answered,
            InvitationStatus::Answered,
        ),
        (
            StoredStatus::Suppressed,
            InvitationStatus::Suppressed,
            InvitationStatus::Suppressed,
        ),
    ] {
        let invitation = Invitation {
            stored_status: stored,
            ..planned()
        };
        let end = invitation.expire_time;
        assert_eq!(invitation.status_at(end - TimeDelta::microseconds(1)), before);
        assert_eq!(invitation.status_at(end), after);
    }
}

#[test]
fn yes_and_no_end_the_planning() {
    for (decision, rule, status) in [
        (ContactDecision::Yes, ContactRule::Allowed, StoredStatus::Due),
        (
            ContactDecision::No,
            ContactRule::TopicOptOut,
            StoredStatus::Suppressed,
        ),
    ] {
        let before = planned();
        let after = before.clone().decided(
            Contact {
                decision,
                rule,
                contact_id: None,
                reserve_until: None,
            },
            at(70),
        );
        assert_eq!((after.stored_status, after.contact_rule), (status, Some(rule)));
        assert_eq!((after.decide_after, after.due_time), (None, before.due_time));
    }
    let called_off = planned().called_off();
    assert_eq!(
        (called_off.stored_status, called_off.contact_rule),
        (StoredStatus::Suppressed, None)
    );
}

#[test]
fn not_yet_moves_the_whole_invitation_to_later() {
    let not_before = |time| Contact {
        decision: ContactDecision::NotBefore(time),
        rule: ContactRule::FrequencyCap,
        contact_id: None,
        reserve_until: None,
    };
    let once = planned().decided(not_before(at(10_000)), at(70));
    assert_eq!(
        (once.due_time, once.expire_time, once.decide_after),
        (at(10_000), at(10_000 + 24 * 60), Some(at(10_000)))
    );
    assert_eq!(once.postponed_count, 1);
    assert_eq!(once.status_at(at(9_000)), InvitationStatus::Planned);

    // A time that has passed already is a short pause, not none.
    let again = once.decided(not_before(at(0)), at(10_000));
    assert_eq!(again.decide_after, Some(at(10_000) + POSTPONE_MIN));
    assert_eq!(again.postponed_count, 2);
}
