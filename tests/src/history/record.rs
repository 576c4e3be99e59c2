//! What is in the record at the end, as whoever asks is told and as it lies in the tables.

use std::collections::BTreeMap;

use super::{Values, without_zeros};

/// Everything that is recorded about the owners of a run.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Each owner's rows, by version.
    pub rows: BTreeMap<String, Vec<Row>>,
    /// The same as statements tell it.
    pub statements: BTreeMap<String, Vec<Row>>,
    /// Where each owner stands.
    pub standings: BTreeMap<String, Standing>,
    /// How often two transactions waited for each other until the server ended one of them.
    pub deadlocks_count: usize,
}

/// Something that happened to an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The owner's version that it made.
    pub version: i64,
    /// Its id.
    pub transaction_id: String,
    /// Who asked for it; `None` if nobody did.
    pub request_id: Option<String>,
    /// What its caller calls it.
    pub mark: String,
    /// What moved.
    pub entries: Vec<Entry>,
    /// Of what is sent: the transaction on the other side.
    pub counterpart: Option<String>,
}

/// One side of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which account; those of owners begin with `owner_`.
    pub account: String,
    /// What is counted.
    pub unit: String,
    /// What came to it.
    pub value: i64,
    /// What lies in it afterwards, for an owner's.
    pub balance: Option<i64>,
}

/// Where an owner stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The newest version.
    pub version: i64,
    /// What lies where.
    pub balances: Values,
}

impl Entry {
    pub(super) fn is_of_owner(&self) -> bool {
        self.account.starts_with("owner_")
    }
}

impl Row {
    /// What it did to the owner's places.
    pub(super) fn effect(&self) -> Values {
        let mut effect = Values::new();
        self.add_to(&mut effect);
        without_zeros(effect)
    }

    /// What it brought the owner (positive) or took from them, all places together: nothing where it only lies elsewhere.
    pub(super) fn brought(&self) -> Values {
        let mut brought = Values::new();
        for ((_, unit), value) in self.effect() {
            *brought.entry((String::new(), unit)).or_default() += value;
        }
        without_zeros(brought)
    }

    /// Adds what it did.
    pub(super) fn add_to(&self, balances: &mut Values) {
        for entry in self.entries.iter().filter(|entry| entry.is_of_owner()) {
            let place = (entry.account.clone(), entry.unit.clone());
            *balances.entry(place).or_default() += entry.value;
        }
    }
}
