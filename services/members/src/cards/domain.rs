//! What becomes of cards, and how they are numbered. Pure.

mod numbering;

use fealty_types::IdentifierId;

use crate::people::domain::IdentifierKind;
use crate::refusal::Refusal;

pub(in crate::cards) use numbering::as_identifier;
pub use numbering::{CARD_COUNT_MAX, Numbering, NumberingError, RandomNumbers, Range, card_number_with};

/// What has become of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardStatus {
    /// Nobody has it yet.
    Issued,
    /// A member has it.
    Linked,
    /// It finds nobody, and is never given to anybody again.
    Blocked,
    /// The member has another one in its stead.
    Replaced,
}

impl CardStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Issued, Self::Linked, Self::Blocked, Self::Replaced];

    /// As it is stored, and as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Linked => "LINKED",
            Self::Blocked => "BLOCKED",
            Self::Replaced => "REPLACED",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Why a card ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Nobody knows where it is.
    Lost,
    /// Somebody else has it.
    Stolen,
    /// It cannot be read well any more.
    Damaged,
    /// It was used as it must not be.
    Misused,
    /// The member has got a better one.
    Upgraded,
    /// Something else.
    Other,
}

impl EndReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Lost,
        Self::Stolen,
        Self::Damaged,
        Self::Misused,
        Self::Upgraded,
        Self::Other,
    ];

    /// As it is stored, and as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Stolen => "STOLEN",
            Self::Damaged => "DAMAGED",
            Self::Misused => "MISUSED",
            Self::Upgraded => "UPGRADED",
            Self::Other => "OTHER",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether whoever shows such a card, once it was replaced, is still the member: it was theirs to the end, and they
    /// may have left the new one at home.
    #[must_use]
    pub const fn stays_with_member(self) -> bool {
        matches!(self, Self::Damaged | Self::Upgraded)
    }
}

/// What has become of a card, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardState {
    /// What has become of it.
    pub status: CardStatus,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// What replaced it.
    pub replaced_by_identifier_id: Option<IdentifierId>,
}

impl CardState {
    /// Of a card that somebody has.
    pub const LINKED: Self = Self {
        status: CardStatus::Linked,
        end_reason: None,
        replaced_by_identifier_id: None,
    };

    /// Of an identifier that somebody gets; None for what is no card.
    #[must_use]
    pub fn of_new(kind: IdentifierKind) -> Option<Self> {
        (kind == IdentifierKind::CardNumber).then_some(Self::LINKED)
    }

    /// Refuses to find anybody by a card that has ended.
    pub fn check_finds(&self) -> Result<(), Refusal> {
        let stays = self.end_reason.is_some_and(EndReason::stays_with_member);
        match self.status {
            CardStatus::Issued | CardStatus::Linked => Ok(()),
            CardStatus::Replaced if stays => Ok(()),
            CardStatus::Replaced | CardStatus::Blocked => Err(Refusal::CardEnded(*self)),
        }
    }

    /// The card once it is blocked; None when it is already: the first reason stays.
    #[must_use]
    pub const fn blocked(self, reason: EndReason) -> Option<Self> {
        match self.status {
            CardStatus::Blocked => None,
            CardStatus::Issued | CardStatus::Linked | CardStatus::Replaced => Some(Self {
                status: CardStatus::Blocked,
                end_reason: Some(reason),
                replaced_by_identifier_id: self.replaced_by_identifier_id,
            }),
        }
    }

    /// The card once another has taken its place. A blocked one stays so, for the reason for which it was blocked.
    pub fn replaced(self, reason: EndReason, by: IdentifierId) -> Result<Self, Refusal> {
        let by = Some(by);
        match (self.status, self.replaced_by_identifier_id) {
            (CardStatus::Issued, _) => Err(Refusal::CardNotLinked),
            (CardStatus::Replaced, _) | (CardStatus::Blocked, Some(_)) => Err(Refusal::CardEnded(self)),
            (CardStatus::Blocked, None) => Ok(Self {
                replaced_by_identifier_id: by,
                ..self
            }),
            (CardStatus::Linked, _) => Ok(Self {
                status: CardStatus::Replaced,
                end_reason: Some(reason),
                replaced_by_identifier_id: by,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
