//! The naive model that the state machine is held to: a list of single points' worth, without accounts, merged lots or
//! any cleverness.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_types::UnitCode;

use super::{Command, TransactionKind};

/// By end, those that never end last: how much is left.
pub type Grains = BTreeMap<(bool, Option<DateTime<Utc>>), i128>;

/// What an owner has, told in the plainest way: grains of one end each, and a number for the debt.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// By unit: what is there.
    pub grains: BTreeMap<UnitCode, Grains>,
    /// By unit: what is owed.
    pub debt: BTreeMap<UnitCode, i128>,
    /// Changes so far.
    pub version: i64,
}

impl Model {
    pub fn available(&self, unit: &UnitCode) -> i128 {
        self.grains.get(unit).map_or(0, |grains| grains.values().sum())
    }

    pub fn debt(&self, unit: &UnitCode) -> i128 {
        self.debt.get(unit).copied().unwrap_or(0)
    }

    /// Everything that ended is gone; it counts as one change, if there was any.
    pub fn sweep(&mut self, at: DateTime<Utc>) -> i128 {
        let mut gone = 0;
        let mut any = false;
        for grains in self.grains.values_mut() {
            grains.retain(|(_, end), left| {
                let ended = end.is_some_and(|end| end <= at);
                if ended {
                    gone += *left;
                    any = true;
                }
                !ended
            });
        }
        self.version += i64::from(any);
        gone
    }

    /// Whether the command is accepted.
    pub fn apply(&mut self, command: &Command) -> bool {
        match command {
            Command::Credit(earned) => self.credit(earned),
            Command::Purchase(all) => all.iter().for_each(|earned| self.credit(earned)),
            Command::Spend(spent) => {
                if self.available(&spent.unit_code) < spent.value.get().into() {
                    return false;
                }
                self.take_soonest(&spent.unit_code, spent.value.get().into());
            }
            Command::Refund(all) => {
                for back in all {
                    let value = i128::from(back.value.get());
                    let from_available = value.min(self.available(&back.unit_code));
                    self.take_soonest(&back.unit_code, from_available);
                    let debt = self.debt.entry(back.unit_code.clone()).or_default();
                    let room = (i128::from(back.debt_max.get()) - *debt).max(0);
                    *debt += (value - from_available).min(room);
                }
            }
        }
        assert_ne!(command.kind(), TransactionKind::Expire);
        self.version += 1;
        true
    }

    fn credit(&mut self, earned: &super::Earned) {
        let value = i128::from(earned.value.get());
        let debt = self.debt.entry(earned.unit_code.clone()).or_default();
        let repaid = value.min(*debt);
        *debt -= repaid;
        if value > repaid {
            let grains = self.grains.entry(earned.unit_code.clone()).or_default();
            *grains
                .entry((earned.expire_time.is_none(), earned.expire_time))
                .or_default() += value - repaid;
        }
    }

    fn take_soonest(&mut self, unit: &UnitCode, mut value: i128) {
        let Some(grains) = self.grains.get_mut(unit) else {
            return;
        };
        for left in grains.values_mut() {
            let part = value.min(*left);
            *left -= part;
            value -= part;
        }
        grains.retain(|_, left| *left > 0);
    }
}
