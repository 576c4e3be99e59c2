//! Who said what, when, where and under which text.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fealty_types::MemberId;
use uuid::Uuid;

use super::{Change, ConsentPurpose, Giver, Item, Party};
use crate::contacts::domain::Channel;
use crate::people::domain::Acceptance;
use crate::policies::domain::{PolicyVersion, TextHash};

/// Who said it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub giver: Giver,
    /// Who answers for the member; for a guardian alone.
    pub guardian_member_id: Option<MemberId>,
    /// Where and how.
    pub source: String,
}

/// The policy version that somebody was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub version: PolicyVersion,
    /// Of its text.
    pub text_hash: TextHash,
}

/// The proof of one act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub receipt_id: Uuid,
    /// Whose.
    pub member_id: MemberId,
    /// What was done.
    pub change: Change,
    /// To what.
    pub items: Vec<Item>,
    /// Whether for every company of the group; None for an acceptance of a policy.
    pub for_group: Option<bool>,
    /// To whom it was said.
    pub said_to: Party,
    /// Who said it, and where.
    pub origin: Origin,
    /// Who brought it; None for what was said on enrolment.
    pub actor: Option<String>,
    /// Under which policy; None for a withdrawal.
    pub policy: Option<Shown>,
    /// When it was said.
    pub consent_time: DateTime<Utc>,
    /// When it was recorded.
    pub record_time: DateTime<Utc>,
}

/// What a caller asks to have recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whose it is.
    pub member_id: MemberId,
    /// What it is about.
    pub pick: Pick,
    /// For every company of the group, or for one.
    pub for_group: bool,
    /// To whom it was said.
    pub said_to: Party,
    /// Who said it, and where.
    pub origin: Origin,
    /// Who brings it.
    pub actor: String,
}

/// Purposes and channels that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pick {
    /// Empty for all.
    pub purposes: BTreeSet<ConsentPurpose>,
    /// Empty for all.
    pub channels: BTreeSet<Channel>,
}

impl Pick {
    /// Whether a thing is among them. What has no channel is among all channels, and among none that is named.
    #[must_use]
    pub fn includes(&self, item: Item) -> bool {
        let purpose = self.purposes.is_empty() || self.purposes.contains(&item.purpose);
        let channel = match item.channel {
            None => self.channels.is_empty(),
            Some(channel) => self.channels.is_empty() || self.channels.contains(&channel),
        };
        purpose && channel
    }

    /// Everything that it names.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        Item::all().filter(|item| self.includes(*item)).collect()
    }
}

/// The proof of what somebody accepted to be enrolled, or a guardian in their stead.
#[must_use]
pub fn accepted_on_enrolment(
    receipt_id: Uuid,
    member_id: MemberId,
    acceptance: &Acceptance,
    accepted_by: Option<MemberId>,
    now: DateTime<Utc>,
) -> Receipt {
    Receipt {
        receipt_id,
        member_id,
        change: Change::PolicyAccepted,
        items: Vec::new(),
        for_group: None,
        said_to: None,
        origin: Origin {
            giver: accepted_by.map_or(Giver::Member, |_| Giver::Guardian),
            guardian_member_id: accepted_by,
            source: acceptance.channel.clone(),
        },
        actor: None,
        policy: Some(Shown {
            version: acceptance.version,
            text_hash: acceptance.text_hash,
        }),
        consent_time: acceptance.accept_time,
        record_time: now,
    }
}
