//! What members allow, held against everything that was ever said.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use fealty_types::MemberId;
use proptest::prelude::*;

use super::*;
use crate::policies::domain::TextHash;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn version(number: i64) -> PolicyVersion {
    PolicyVersion::try_new(number).unwrap()
}

fn policy(accepted: i64, in_force: i64) -> PolicyStanding {
    PolicyStanding {
        accepted: version(accepted),
        in_force: version(in_force),
    }
}

fn party(code: &str) -> Party {
    (!code.is_empty()).then(|| code.parse().unwrap())
}

const MAIL: Item = Item {
    purpose: ConsentPurpose::Marketing,
    channel: Some(Channel::Email),
};

fn word(concerns: Concerns, said_to: &str, granted_under: Option<i64>, minute: i64) -> Word {
    Word {
        item: MAIL,
        concerns,
        said_to: party(said_to),
        granted_under: granted_under.map(version),
        word_time: at(minute),
        receipt_id: Uuid::nil(),
    }
}

fn one(code: &str) -> Concerns {
    Concerns::One(party(code))
}

fn holds(words: &[Word], code: &str) -> Option<(Status, bool)> {
    let standing = standing_of(words, MAIL, &party(code), policy(1, 1))?;
    Some((standing.status, standing.inherited))
}

#[test]
fn b15_a_consent_for_the_group_holds_for_its_other_companies_as_inherited() {
    let words = [word(Concerns::Group, "books", Some(1), 1)];
    assert_eq!(holds(&words, "books"), Some((Status::Granted, false)));
    assert_eq!(holds(&words, "toys"), Some((Status::Granted, true)));
    let words = [word(one("books"), "books", Some(1), 1)];
    assert_eq!(holds(&words, "books"), Some((Status::Granted, false)));
    assert_eq!(holds(&words, "toys"), None);
}

#[test]
fn what_was_said_last_decides_and_of_two_at_once_the_no() {
    let group = |granted, minute| word(Concerns::Group, "books", granted, minute);
    let own = |granted, minute| word(one("toys"), "toys", granted, minute);
    let withdrawn_later = [group(Some(1), 1), own(None, 2)];
    assert_eq!(holds(&withdrawn_later, "toys"), Some((Status::Withdrawn, false)));
    assert_eq!(holds(&withdrawn_later, "books"), Some((Status::Granted, false)));
    let given_again_to_all = [group(Some(1), 3), own(None, 2)];
    assert_eq!(holds(&given_again_to_all, "toys"), Some((Status::Granted, true)));
    let at_once = [group(Some(1), 2), own(None, 2)];
    assert_eq!(holds(&at_once, "toys"), Some((Status::Withdrawn, false)));
}

#[test]
fn b14_a_consent_under_an_older_text_waits_until_the_newer_one_is_accepted() {
    let words = [word(Concerns::Group, "", Some(3), 1)];
    let status = |accepted, in_force| {
        let standing = standing_of(&words, MAIL, &None, policy(accepted, in_force));
        standing.unwrap().status
    };
    assert_eq!(status(1, 3), Status::Granted, "given under the text in force");
    assert_eq!(status(3, 4), Status::NeedsReacceptance);
    assert_eq!(status(4, 4), Status::Granted);
    assert_eq!(status(4, 5), Status::NeedsReacceptance);
}

#[test]
fn a_pick_names_each_purpose_by_each_channel_and_what_has_no_channel_only_among_all() {
    let by_mail = Pick {
        channels: BTreeSet::from([Channel::Email]),
        ..Pick::default()
    };
    assert_eq!(by_mail.items().len(), 6);
    let named = Pick {
        purposes: BTreeSet::from([ConsentPurpose::Protection]),
        channels: BTreeSet::from([Channel::Sms, Channel::Paper]),
    };
    assert_eq!(named.items().len(), 2);
    let everything: Vec<Item> = Item::all().collect();
    assert_eq!(everything.len(), 6 * Channel::ALL.len() + 1);
    assert_eq!(Pick::default().items(), everything);
}

#[test]
fn a_word_has_to_outweigh_both_of_two_that_were_said_under_records_that_were_merged() {
    let of_the_other = word(Concerns::Group, "", None, 2);
    let own = word(Concerns::Group, "", None, 4);
    let heard_of_late = word(Concerns::Group, "", Some(1), 3);
    for said in [[of_the_other.clone(), own.clone()], [own, of_the_other]] {
        assert_eq!(outweighing(&said, vec![heard_of_late.clone()]), []);
        let newest = word(Concerns::Group, "", Some(1), 5);
        assert_eq!(outweighing(&said, vec![newest.clone()]), [newest]);
    }
}

/// An act of the property: whether it is a consent, how long ago it was said, to whom it was said for whom, and of what.
type Act = (bool, i64, usize, bool, usize);

const CODES: [&str; 3] = ["", "books", "toys"];

/// Something that nobody allows by a pick that names advertising.
const TRACKING: Item = Item {
    purpose: ConsentPurpose::DeviceTracking,
    channel: None,
};

/// What acts are about, from the least to everything.
fn picks() -> [Pick; 3] {
    let advertising = BTreeSet::from([ConsentPurpose::Marketing]);
    let by_mail = BTreeSet::from([Channel::Email]);
    [
        Pick {
            purposes: advertising.clone(),
            channels: by_mail,
        },
        Pick {
            purposes: advertising,
            channels: BTreeSet::new(),
        },
        Pick::default(),
    ]
}

fn receipt(act: Act, recorded: i64) -> Receipt {
    let (granted, late, code, for_group, pick) = act;
    let shown = Shown {
        version: version(1),
        text_hash: TextHash::of("The terms."),
    };
    Receipt {
        receipt_id: Uuid::from_u128(u128::try_from(recorded).unwrap()),
        member_id: MemberId::generate_at(at(0)),
        change: if granted {
            Change::Granted
        } else {
            Change::Withdrawn
        },
        items: picks()[pick].items(),
        for_group: Some(for_group),
        said_to: party(CODES[code]),
        origin: Origin {
            giver: Giver::Member,
            guardian_member_id: None,
            source: "web".to_owned(),
        },
        actor: None,
        policy: granted.then_some(shown),
        consent_time: at(recorded - late),
        record_time: at(recorded),
    }
}

/// What everything that was ever said of a thing to a company comes to: None when nobody said anything.
fn told_by(history: &[(Act, DateTime<Utc>)], item: Item, code: usize) -> Option<bool> {
    let concerning = history.iter().filter(|((_, _, said_to, for_group, pick), _)| {
        picks()[*pick].includes(item) && (*for_group || *said_to == code)
    });
    let last = concerning.max_by_key(|((granted, ..), time)| (*time, !granted));
    last.map(|((granted, ..), _)| *granted)
}

proptest! {
    /// The few words that are kept say the same as everything that was ever said, in whatever order it was heard of, and a
    /// withdrawal holds from the moment when it is recorded, of what was never allowed, too.
    #[test]
    fn b19_what_is_kept_says_the_same_as_the_whole_history(
        acts in prop::collection::vec((any::<bool>(), 0_i64..9, 0_usize..3, any::<bool>(), 0_usize..3), 0..16),
    ) {
        let mut kept: Vec<Word> = Vec::new();
        let mut history: Vec<(Act, DateTime<Utc>)> = Vec::new();
        for (place, act) in acts.into_iter().enumerate() {
            let receipt = receipt(act, i64::try_from(place).unwrap() * 3);
            let word_time = match receipt.change {
                Change::Granted => receipt.consent_time,
                _ => withdrawal_time(&kept, receipt.record_time),
            };
            history.push((act, word_time));
            for word in outweighing(&kept, words_of(&receipt, word_time)) {
                kept.retain(|before| before.item != word.item || before.concerns != word.concerns);
                kept.push(word);
            }
            for (code, item) in (0..CODES.len()).flat_map(|code| [(code, MAIL), (code, TRACKING)]) {
                let party = party(CODES[code]);
                let standing = standing_of(&kept, item, &party, policy(1, 1));
                let granted = standing.map(|it| it.status == Status::Granted);
                prop_assert_eq!(granted, told_by(&history, item, code));
                let concerned = receipt.for_group == Some(true) || receipt.said_to == party;
                if receipt.change == Change::Withdrawn && concerned && receipt.items.contains(&item) {
                    prop_assert_eq!(granted, Some(false));
                }
            }
        }
        prop_assert!(kept.len() <= Item::all().count() * (CODES.len() + 1));
    }
}
