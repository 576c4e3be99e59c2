//! Decisions, each by the rule that must make it.

use chrono::TimeDelta;
use chrono_tz::Europe;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::consents::domain::{Concerns, PolicyStanding, Word};
use crate::people::domain::MemberStatus;
use crate::policies::domain::PolicyVersion;

/// Noon in Belgrade, in the winter.
const NOON: i64 = 1_767_265_200;

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOON, 0).unwrap() + TimeDelta::days(day)
}

fn version(number: i64) -> PolicyVersion {
    PolicyVersion::try_new(number).unwrap()
}

fn word(purpose: ConsentPurpose, channel: Channel, granted: bool) -> Word {
    Word {
        item: Item {
            purpose,
            channel: Some(channel),
        },
        concerns: Concerns::Group,
        said_to: None,
        granted_under: granted.then(|| version(1)),
        word_time: at(-100),
        receipt_id: Uuid::nil(),
    }
}

/// Somebody who allows everything, can be reached by everything, and was never contacted.
fn open_to_all() -> Facts {
    let items = Item::all().filter_map(|item| item.channel.map(|channel| (item.purpose, channel)));
    Facts {
        status: MemberStatus::Active,
        opt_out_time: None,
        words: items
            .map(|(purpose, channel)| word(purpose, channel, true))
            .collect(),
        policy: PolicyStanding {
            accepted: version(1),
            in_force: version(1),
        },
        reached: Reached {
            wanted: Vec::new(),
            addressed: Channel::ALL.to_vec(),
            has_email: true,
            has_phone: true,
            time_zone: None,
        },
        history: History::default(),
        settings: Settings::DEFAULT,
        program_zone: Europe::Belgrade,
        now: at(0),
    }
}

fn judge(channel: Option<Channel>, purpose: Purpose, facts: &Facts) -> Decision {
    let judged = Judged {
        channel,
        purpose,
        party: &None,
    };
    decide(&judged, facts).decision
}

fn by_sms(purpose: Purpose, facts: &Facts) -> (Rule, Option<DateTime<Utc>>) {
    let decision = judge(Some(Channel::Sms), purpose, facts);
    (decision.rule, decision.not_before_time)
}

#[test]
fn b6_a_fourth_commercial_contact_waits_until_the_first_of_three_no_longer_counts() {
    let mut facts = open_to_all();
    facts.history.counted = vec![at(6), at(5)];
    assert_eq!(by_sms(Purpose::Marketing, &facts), (Rule::Allowed, None));
    facts.history.counted.push(at(2));
    for purpose in [Purpose::Marketing, Purpose::NewProducts, Purpose::PersonalOffers] {
        assert_eq!(
            by_sms(purpose, &facts),
            (Rule::FrequencyCap, Some(at(2))),
            "{purpose:?}"
        );
    }
    for purpose in [
        Purpose::TariffChanges,
        Purpose::Protection,
        Purpose::ServiceMessage,
    ] {
        assert_eq!(by_sms(purpose, &facts), (Rule::Allowed, None), "{purpose:?}");
    }
    assert_eq!(
        by_sms(Purpose::ServiceQuality, &facts),
        (Rule::FrequencyCap, Some(at(6)))
    );
}

#[test]
fn b6_after_so_many_commercial_contacts_in_a_row_something_else_comes_first() {
    let mut facts = open_to_all();
    facts.history.commercial_run = (1..=5).map(|day| at(30 - day * 4)).collect();
    assert_eq!(by_sms(Purpose::Marketing, &facts), (Rule::Allowed, None));
    facts.history.commercial_run.push(at(6));
    assert_eq!(by_sms(Purpose::Marketing, &facts), (Rule::Mix, Some(at(6))));
    assert_eq!(by_sms(Purpose::Protection, &facts), (Rule::Allowed, None));
}

#[test]
fn b5_the_best_channel_by_which_a_member_allows_it_and_is_reached_is_taken() {
    let mut facts = open_to_all();
    assert_eq!(judge(None, Purpose::Marketing, &facts).channel, Channel::Email);
    facts.reached.wanted = vec![Channel::Viber, Channel::Paper, Channel::Email];
    assert_eq!(judge(None, Purpose::Marketing, &facts).channel, Channel::Viber);
    facts.reached.has_phone = false;
    assert_eq!(judge(None, Purpose::Marketing, &facts).channel, Channel::Paper);
    facts
        .words
        .retain(|word| word.item.channel != Some(Channel::Paper));
    assert_eq!(judge(None, Purpose::Marketing, &facts).channel, Channel::Email);
    facts.reached.has_email = false;
    let nowhere = judge(None, Purpose::Marketing, &facts);
    assert_eq!(
        (nowhere.rule, nowhere.channel),
        (Rule::AddressMissing, Channel::Viber)
    );
    let unwanted = judge(Some(Channel::Fax), Purpose::Marketing, &facts);
    assert_eq!(unwanted.rule, Rule::ChannelNotWanted);
    let needed = judge(Some(Channel::Fax), Purpose::ServiceMessage, &facts);
    assert_eq!(
        needed.rule,
        Rule::Allowed,
        "what is needed is not held back by what is liked"
    );
    facts.reached.has_phone = true;
    facts.reached.addressed.clear();
    facts.reached.wanted = vec![Channel::Push];
    let needed = judge(None, Purpose::ServiceMessage, &facts);
    assert_eq!(
        (needed.rule, needed.channel),
        (Rule::Allowed, Channel::Sms),
        "whatever reaches them"
    );
    assert_eq!(judge(None, Purpose::Marketing, &facts).rule, Rule::AddressMissing);
}

#[test]
fn b18_what_was_withdrawn_is_not_sent_and_service_messages_are() {
    let mut facts = open_to_all();
    facts
        .words
        .retain(|word| word.item.purpose != ConsentPurpose::Marketing);
    assert_eq!(by_sms(Purpose::Marketing, &facts).0, Rule::NoConsent);
    facts
        .words
        .push(word(ConsentPurpose::Marketing, Channel::Sms, false));
    assert_eq!(by_sms(Purpose::Marketing, &facts).0, Rule::NoConsent);
    assert_eq!(by_sms(Purpose::NewProducts, &facts).0, Rule::Allowed);
    facts.words.clear();
    for purpose in Purpose::ALL {
        let expected = if *purpose == Purpose::ServiceMessage {
            Rule::Allowed
        } else {
            Rule::NoConsent
        };
        assert_eq!(by_sms(*purpose, &facts).0, expected, "{purpose:?}");
    }
}

#[test]
fn quiet_hours_hold_back_what_rings_by_the_members_own_clock() {
    let mut facts = open_to_all();
    facts.now = at(0) + TimeDelta::hours(11);
    let morning = at(0) + TimeDelta::hours(20);
    assert_eq!(
        by_sms(Purpose::Marketing, &facts),
        (Rule::QuietHours, Some(morning))
    );
    assert_eq!(
        judge(Some(Channel::Email), Purpose::Marketing, &facts).rule,
        Rule::Allowed
    );
    assert_eq!(by_sms(Purpose::ServiceMessage, &facts).0, Rule::Allowed);
    facts.reached.time_zone = Some(chrono_tz::America::New_York);
    assert_eq!(by_sms(Purpose::Marketing, &facts).0, Rule::Allowed);
}

#[test]
fn every_rule_is_told_in_order_with_what_it_was_decided_by() {
    let mut facts = open_to_all();
    facts.status = MemberStatus::Suspended;
    facts.history.counted = vec![at(6), at(5), at(4)];
    let judged = Judged {
        channel: None,
        purpose: Purpose::Marketing,
        party: &None,
    };
    let verdict = decide(&judged, &facts);
    let rules: Vec<Rule> = verdict.checks.iter().map(|check| check.rule).collect();
    assert_eq!(rules, Rule::ALL[1..]);
    let against: Vec<Rule> = verdict
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| check.rule)
        .collect();
    assert_eq!(against, [Rule::MemberNotActive, Rule::FrequencyCap]);
    assert_eq!(verdict.decision.rule, Rule::MemberNotActive);
    let counted = &verdict.checks[6].facts;
    assert!(counted.contains(&("counted", "3".to_owned())), "{counted:?}");
}

#[test]
fn numbers_that_are_set_take_the_place_of_the_defaults() {
    let change = SettingsChange {
        commercial_count_max: Some(1),
        ..SettingsChange::default()
    };
    let settings = Settings::DEFAULT.changed(&change).unwrap();
    assert_eq!((settings.commercial_count_max, settings.revision.get()), (1, 1));
    assert_eq!(settings.changed(&change), None);
    let mut facts = open_to_all();
    facts.settings = settings;
    facts.history.counted = vec![at(6)];
    assert_eq!(
        by_sms(Purpose::Marketing, &facts),
        (Rule::FrequencyCap, Some(at(6)))
    );
    facts.settings.commercial_count_max = 0;
    facts.history.counted.clear();
    assert_eq!(
        by_sms(Purpose::Marketing, &facts),
        (Rule::FrequencyCap, Some(at(7)))
    );
}

#[test]
fn a_topic_is_of_small_letters_digits_and_two_signs() {
    let longest = "x".repeat(TOPIC_LENGTH_MAX);
    for text in ["mothers_day", "9-may", longest.as_str()] {
        assert_eq!(
            text.parse::<Topic>().map(|topic| topic.to_string()),
            Ok(text.to_owned())
        );
    }
    let too_long = "x".repeat(TOPIC_LENGTH_MAX + 1);
    for text in ["", "Mothers", "mothers day", "день", too_long.as_str()] {
        assert_eq!(text.parse::<Topic>(), Err(TopicError), "{text}");
    }
}

proptest! {
    /// Nobody waits for longer than the longest window, nobody is told a time that has passed, and the first rule that
    /// speaks against a contact decides.
    #[test]
    fn b6_waiting_is_bounded_and_the_first_rule_against_decides(
        purpose in prop::sample::select(Purpose::ALL),
        channel in prop::option::of(prop::sample::select(Channel::ALL)),
        opted_out in any::<bool>(),
        granted in any::<bool>(),
        has_phone in any::<bool>(),
        minutes in prop::collection::vec(1_i64..43_200, 0..8),
        hour in 0_i64..24,
    ) {
        let mut facts = open_to_all();
        facts.now = at(0) + TimeDelta::hours(hour);
        facts.opt_out_time = opted_out.then_some(at(-9));
        facts.reached.has_phone = has_phone;
        if !granted {
            facts.words.clear();
        }
        let mut times: Vec<DateTime<Utc>> =
            minutes.iter().map(|minutes| facts.now - TimeDelta::minutes(*minutes)).collect();
        times.sort_unstable_by(|one, other| other.cmp(one));
        let within = |window: TimeDelta| {
            times.iter().map(|time| *time + window).filter(|end| *end > facts.now).collect()
        };
        let settings = facts.settings;
        let window = if purpose.is_commercial() {
            settings.commercial_window()
        } else {
            settings.service_quality_window()
        };
        facts.history = History { counted: within(window), commercial_run: within(settings.commercial_run_window()) };
        facts.history.counted.truncate(3);
        facts.history.commercial_run.truncate(6);
        let judged = Judged { channel, purpose, party: &None };
        let verdict = decide(&judged, &facts);
        let first = verdict.checks.iter().find(|check| !check.passed).map(|check| check.rule);
        prop_assert_eq!(verdict.decision.rule, first.unwrap_or(Rule::Allowed));
        prop_assert_eq!(verdict.decision.rule.passes(), verdict.decision.not_before_time.is_some());
        for check in &verdict.checks {
            if let Some(time) = check.not_before_time {
                prop_assert!(!check.passed && time > facts.now);
                prop_assert!(time - facts.now <= TimeDelta::days(30));
            }
        }
    }
}
