//! What members allow, and whether it holds. Pure.
//!
//! A word is a consent or a withdrawal, said to one company or for the whole group. Of all words that concern a company
//! the last one decides, and of two that were said at the same time the no.

mod company;
mod names;
mod proof;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::contacts::domain::Channel;
use crate::policies::domain::PolicyVersion;

pub use company::{COMPANIES_MAX, Company, CompanyCode, CompanyCodeError};
pub(crate) use names::named;
pub use names::{Change, ConsentPurpose, Giver};
pub use proof::{Asked, Origin, Pick, Receipt, Shown, accepted_on_enrolment};

/// One thing that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// What for.
    pub purpose: ConsentPurpose,
    /// How; None for what has no channel.
    pub channel: Option<Channel>,
}

impl Item {
    /// Everything that can be allowed.
    pub fn all() -> impl Iterator<Item = Self> {
        ConsentPurpose::ALL.iter().flat_map(|purpose| {
            let channels: Vec<Option<Channel>> = match purpose {
                ConsentPurpose::DeviceTracking => vec![None],
                _ => Channel::ALL.iter().copied().map(Some).collect(),
            };
            channels.into_iter().map(|channel| Self {
                purpose: *purpose,
                channel,
            })
        })
    }
}

/// A company of the group, or the program itself: None.
pub type Party = Option<CompanyCode>;

/// Whom a word concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concerns {
    /// One company, or the program itself.
    One(Party),
    /// Every company of the group.
    Group,
}

impl Concerns {
    /// Whether it is about a company, too.
    #[must_use]
    pub fn includes(&self, party: &Party) -> bool {
        match self {
            Self::One(one) => one == party,
            Self::Group => true,
        }
    }
}

/// The newest that was said of one thing, to those whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Of what.
    pub item: Item,
    /// Whom it concerns.
    pub concerns: Concerns,
    /// To whom it was said.
    pub said_to: Party,
    /// Under which policy it was allowed; None for a withdrawal.
    pub granted_under: Option<PolicyVersion>,
    /// When it was said.
    pub word_time: DateTime<Utc>,
    /// Its proof.
    pub receipt_id: Uuid,
}

impl Word {
    const fn weight(&self) -> (DateTime<Utc>, bool) {
        (self.word_time, self.granted_under.is_none())
    }

    /// Whether it takes the place of what was said before, to the same and of the same.
    #[must_use]
    pub fn outweighs(&self, before: &Self) -> bool {
        self.weight() >= before.weight()
    }
}

/// Which policy is to be accepted, and which one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyStanding {
    /// The newest that the member has accepted.
    pub accepted: PolicyVersion,
    /// The one in force.
    pub in_force: PolicyVersion,
}

impl PolicyStanding {
    /// Whether the member has accepted the policy in force.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        self.accepted >= self.in_force
    }
}

/// Where a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Granted,
    /// It was withdrawn.
    Withdrawn,
    /// It was given under a policy that is no longer in force.
    NeedsReacceptance,
}

/// A consent as it stands for one company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'a> {
    /// What was said last.
    pub word: &'a Word,
    /// Whether it holds.
    pub status: Status,
    /// It was said to another company, for the whole group.
    pub inherited: bool,
}

/// What holds of one thing for one company; None when nobody ever said anything of it.
#[must_use]
pub fn standing_of<'a>(
    words: &'a [Word],
    item: Item,
    party: &Party,
    policy: PolicyStanding,
) -> Option<Standing<'a>> {
    let concerning = words
        .iter()
        .filter(|word| word.item == item && word.concerns.includes(party));
    let word = concerning.max_by_key(|word| word.weight())?;
    let status = match word.granted_under {
        None => Status::Withdrawn,
        Some(version) if version.max(policy.accepted) >= policy.in_force => Status::Granted,
        Some(_) => Status::NeedsReacceptance,
    };
    Some(Standing {
        word,
        status,
        inherited: word.concerns == Concerns::Group && word.said_to != *party,
    })
}

/// Everything that was ever said and concerns a company, as it stands, by purpose and channel.
#[must_use]
pub fn standings_of<'a>(words: &'a [Word], party: &Party, policy: PolicyStanding) -> Vec<Standing<'a>> {
    Item::all()
        .filter_map(|item| standing_of(words, item, party, policy))
        .collect()
}

/// The words of an act. A withdrawal has one for all that it names, allowed or not: what was allowed before it and is heard
/// of after it is withdrawn all the same.
#[must_use]
pub fn words_of(receipt: &Receipt, word_time: DateTime<Utc>) -> Vec<Word> {
    let granted_under = match receipt.change {
        Change::Granted => receipt.policy.map(|policy| policy.version),
        Change::Withdrawn | Change::PolicyAccepted => None,
    };
    let word = |item: &Item| Word {
        item: *item,
        concerns: match receipt.for_group {
            Some(true) => Concerns::Group,
            _ => Concerns::One(receipt.said_to.clone()),
        },
        said_to: receipt.said_to.clone(),
        granted_under,
        word_time,
        receipt_id: receipt.receipt_id,
    };
    receipt.items.iter().map(word).collect()
}

/// Those of an act's words that take the place of everything that was said before of the same to the same: a consent that
/// is heard of late does not undo what was withdrawn since, be it under a record that was merged into this one.
#[must_use]
pub fn outweighing(said: &[Word], new: Vec<Word>) -> Vec<Word> {
    let outweighs = |word: &Word| {
        let same = |before: &&Word| before.item == word.item && before.concerns == word.concerns;
        said.iter().filter(same).all(|before| word.outweighs(before))
    };
    new.into_iter().filter(outweighs).collect()
}

/// When a withdrawal was said: now, and never before anything else, whatever the clocks of others told. It holds at once.
#[must_use]
pub fn withdrawal_time(words: &[Word], now: DateTime<Utc>) -> DateTime<Utc> {
    words.iter().map(|word| word.word_time).fold(now, DateTime::max)
}

#[cfg(test)]
mod tests;
