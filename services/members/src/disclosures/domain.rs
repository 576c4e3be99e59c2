//! What was disclosed to somebody outside. Pure.

use chrono::{DateTime, Utc};
use fealty_types::MemberId;
use fealty_vault::Personal;
use uuid::Uuid;

/// The case of the secrecy clause that allows a disclosure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Case a.
    A,
    /// Case b.
    B,
    /// Case c.
    C,
    /// Case d: a public authority demanded it in writing.
    D,
    /// Case e.
    E,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.as_str() == text)
    }

    /// Whether the other side of the contract has to be told at once.
    #[must_use]
    pub const fn is_to_be_told(self) -> bool {
        matches!(self, Self::D)
    }
}

/// That something was disclosed.
#[derive(Debug, Clone)]
pub struct Disclosure {
    /// Its id.
    pub disclosure_id: Uuid,
    /// About whom.
    pub member_id: MemberId,
    /// On what basis.
    pub basis: Basis,
    /// To whom; None once the member was erased.
    pub recipient: Option<Personal>,
    /// What; None once the member was erased.
    pub content: Option<Personal>,
    /// When.
    pub disclose_time: DateTime<Utc>,
    /// Who recorded it.
    pub actor: String,
    /// When it was recorded.
    pub create_time: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b21_only_an_authoritys_demand_is_told_to_the_other_side() {
        let told: Vec<Basis> = Basis::ALL
            .into_iter()
            .filter(|basis| basis.is_to_be_told())
            .collect();
        assert_eq!(told, [Basis::D]);
        for basis in Basis::ALL {
            assert_eq!(Basis::from_column(basis.as_str()), Some(basis));
        }
    }
}
