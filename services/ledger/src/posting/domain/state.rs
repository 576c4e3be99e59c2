//! An owner as postings see it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, Points, UnitCode, Version};

use super::{Account, ChainHash, EntryAccount, Hold, Standing, sweep};
use crate::spending::domain::SpendingLimits;

/// An owner's accounts, of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerState {
    /// Number of the newest change; zero before the first.
    pub version: Version,
    /// When the newest change was recorded, or the owner was opened: time never runs backwards for an owner.
    pub last_time: DateTime<Utc>,
    /// Where the owner's chain stands; `None` before the first transaction that is in it.
    pub chain_head: Option<ChainHash>,
    /// What the owner may do, and whose account they use.
    pub standing: Standing,
    /// What the owner may spend of another's account; `None` for as much as there is.
    pub limits: Option<Arc<SpendingLimits>>,
    /// One per unit that the owner ever held.
    pub accounts: BTreeMap<UnitCode, Account>,
}

impl OwnerState {
    /// An owner who was just opened.
    #[must_use]
    pub const fn opened_at(time: DateTime<Utc>) -> Self {
        Self {
            version: Version::ZERO,
            last_time: time,
            chain_head: None,
            standing: Standing::NEW,
            limits: None,
            accounts: BTreeMap::new(),
        }
    }

    /// What lies in the lots of a unit, ended or not.
    #[must_use]
    pub fn available(&self, unit_code: &UnitCode) -> Points {
        self.accounts
            .get(unit_code)
            .map_or(Points::ZERO, |account| account.available)
    }

    /// The balance of one of the owner's accounts; `None` for the program's.
    #[must_use]
    pub fn balance(&self, unit_code: &UnitCode, account: EntryAccount) -> Option<Points> {
        let held = self.accounts.get(unit_code);
        match account {
            EntryAccount::OwnerAvailable => Some(held.map_or(Points::ZERO, |held| held.available)),
            EntryAccount::OwnerDebt => Some(held.map_or(Points::ZERO, |held| Points::new(-held.debt.get()))),
            EntryAccount::OwnerHeld => Some(held.map_or(Points::ZERO, |held| held.held)),
            EntryAccount::OwnerPending => Some(held.map_or(Points::ZERO, |held| held.pending)),
            EntryAccount::ProgramIssued
            | EntryAccount::ProgramRedeemed
            | EntryAccount::ProgramExpired
            | EntryAccount::ProgramWaived
            | EntryAccount::ProgramMoved
            | EntryAccount::ProgramAdjusted => None,
        }
    }

    /// What it is at `at` if nobody does anything: what time does by itself counts from its instant on, written down or
    /// not. Of the same version, because nothing was written down.
    #[must_use]
    pub fn as_of(&self, at: DateTime<Utc>) -> Cow<'_, Self> {
        let mut state = Cow::Borrowed(self);
        while let Some(swept) = sweep(&state, at) {
            state = Cow::Owned(Self {
                version: self.version,
                ..swept.state
            });
        }
        state
    }

    /// An open hold, or one whose end was not written down yet.
    pub(crate) fn hold(&self, hold_id: HoldId) -> Option<&Hold> {
        self.holds().find(|hold| hold.hold_id == hold_id)
    }

    pub(super) fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.accounts.values().flat_map(|account| &account.holds)
    }

    pub(super) fn account_mut(&mut self, unit_code: &UnitCode) -> &mut Account {
        self.accounts.entry(unit_code.clone()).or_default()
    }
}
