//! What is wrong, and where.

use std::fmt::{self, Display};

use serde::Serialize;
use uuid::Uuid;

/// Which of the checks found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Versions are 1, 2, 3 .. without gaps, up to the owner's.
    Version,
    /// Each hash follows from the row and the hash before it, and the owner's head is the last.
    Chain,
    /// A row can be read.
    Form,
    /// The entries of each unit sum to zero.
    Sum,
    /// Each balance follows from the one before.
    Balance,
    /// An account is what its entries came to, and slides to where its lots did.
    Account,
    /// A lot is what its movements came to, and what holds claim of it.
    Lot,
    /// A hold agrees with the transactions that made and ended it.
    Hold,
    /// A purchase agrees with its transaction and its refunds.
    Purchase,
    /// A refund agrees with its transaction.
    Refund,
    /// A reversal agrees with what it took back, which is no more than there was.
    Reversal,
    /// What waits of a credit is what it gave, less what was taken back of it.
    Waiting,
    /// Source and receipt come once.
    Receipt,
    /// A request id comes once.
    Request,
    /// An owner's time never runs backwards.
    Time,
    /// What left one owner came to another.
    Moved,
    /// What a budget gave is what it says.
    Budget,
    /// The two sides of a transfer agree, and what its sender sent on the last day is what that day says.
    Transfer,
    /// What belongs to an owner has one.
    Owner,
}

impl Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Version => "version",
            Self::Chain => "chain",
            Self::Form => "form",
            Self::Sum => "sum",
            Self::Balance => "balance",
            Self::Account => "account",
            Self::Lot => "lot",
            Self::Hold => "hold",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
            Self::Waiting => "waiting",
            Self::Receipt => "receipt",
            Self::Request => "request",
            Self::Time => "time",
            Self::Moved => "moved",
            Self::Budget => "budget",
            Self::Transfer => "transfer",
            Self::Owner => "owner",
        };
        f.write_str(name)
    }
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of which program.
    pub program: Uuid,
    /// Of which owner, if it is about one.
    pub owner_id: Option<Uuid>,
    /// Of which of the owner's versions, if it is about one.
    pub version: Option<i64>,
    /// Of which transaction, if it is about one.
    pub transaction_id: Option<Uuid>,
    /// Which check.
    pub check: Check,
    /// About what, such as an account or a lot.
    pub what: String,
    /// What would be right.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Finding {
    /// About a program.
    pub(super) fn of_program(program: Uuid, check: Check, what: impl Into<String>) -> Self {
        Self {
            program,
            owner_id: None,
            version: None,
            transaction_id: None,
            check,
            what: what.into(),
            expected: String::new(),
            found: String::new(),
        }
    }

    /// About an owner.
    pub(super) fn of_owner(program: Uuid, owner_id: Uuid, check: Check, what: impl Into<String>) -> Self {
        Self {
            owner_id: Some(owner_id),
            ..Self::of_program(program, check, what)
        }
    }

    /// What would be right, and what is there.
    pub(super) fn differs(self, expected: impl Display, found: impl Display) -> Self {
        Self {
            expected: expected.to_string(),
            found: found.to_string(),
            ..self
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program {}", self.program)?;
        if let Some(owner_id) = self.owner_id {
            write!(f, " owner {owner_id}")?;
        }
        if let Some(version) = self.version {
            write!(f, " version {version}")?;
        }
        if let Some(transaction_id) = self.transaction_id {
            write!(f, " transaction {transaction_id}")?;
        }
        write!(
            f,
            ": {}: {}: expected {}, found {}",
            self.check, self.what, self.expected, self.found
        )
    }
}

/// Findings: the first ones, and how many there are.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Findings {
    count: u64,
    #[serde(rename = "first")]
    kept: Vec<Finding>,
    #[serde(skip)]
    kept_max: usize,
}

impl Findings {
    /// Keeps no more than that many.
    pub(super) const fn limit(&mut self, kept_max: usize) {
        self.kept_max = kept_max;
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.count += 1;
        if self.kept.len() < self.kept_max {
            self.kept.push(finding);
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.count += other.count;
        let room = self.kept_max.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The first ones.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }
}
