//! What the feed of access records says. Pure.

use std::collections::HashMap;

use fealty_types::{ProgramId, StaffId};
use uuid::Uuid;

use crate::api_keys::domain::ApiKey;
use crate::programs::domain::Program;

/// Which kind of record has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A program.
    Program,
    /// A key.
    ApiKey,
    /// A staff member.
    Staff,
}

impl RecordKind {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Program => "PROGRAM",
            Self::ApiKey => "API_KEY",
            Self::Staff => "STAFF",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Program, Self::ApiKey, Self::Staff]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// That a record has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeNote {
    /// Grows with each change of the record.
    pub sequence: i64,
    /// Of which kind the record is.
    pub kind: RecordKind,
    /// Its id.
    pub record_id: Uuid,
}

/// A staff member, as far as other services need to know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaffState {
    /// Who.
    pub staff_id: StaffId,
    /// In which program.
    pub program_id: ProgramId,
    /// Whether their keys are taken.
    pub active: bool,
}

/// A record, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessRecord {
    /// A program.
    Program(Program),
    /// A key.
    ApiKey(ApiKey),
    /// A staff member.
    Staff(StaffState),
}

impl AccessRecord {
    fn key(&self) -> (RecordKind, Uuid) {
        match self {
            Self::Program(program) => (RecordKind::Program, program.program_id.as_uuid()),
            Self::ApiKey(key) => (RecordKind::ApiKey, key.api_key_id.as_uuid()),
            Self::Staff(staff) => (RecordKind::Staff, staff.staff_id.as_uuid()),
        }
    }
}

/// A record that has changed, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// Grows with each change of the record.
    pub sequence: i64,
    /// The record.
    pub record: AccessRecord,
}

/// The records in the order of the notes about them; None when one is missing.
#[must_use]
pub fn join(notes: &[ChangeNote], records: Vec<AccessRecord>) -> Option<Vec<AccessChange>> {
    let mut by_key: HashMap<_, _> = records.into_iter().map(|record| (record.key(), record)).collect();
    notes
        .iter()
        .map(|note| {
            Some(AccessChange {
                sequence: note.sequence,
                record: by_key.remove(&(note.kind, note.record_id))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn staff() -> StaffState {
        StaffState {
            staff_id: StaffId::generate_at(DateTime::UNIX_EPOCH),
            program_id: ProgramId::generate_at(DateTime::UNIX_EPOCH),
            active: true,
        }
    }

    fn note(sequence: i64, staff: &StaffState) -> ChangeNote {
        ChangeNote {
            sequence,
            kind: RecordKind::Staff,
            record_id: staff.staff_id.as_uuid(),
        }
    }

    #[test]
    fn records_come_in_the_order_of_the_feed() {
        let (first, second) = (staff(), staff());
        let notes = [note(1, &first), note(2, &second)];
        let records = vec![AccessRecord::Staff(second), AccessRecord::Staff(first)];
        let changes = join(&notes, records).unwrap();
        let sequences: Vec<_> = changes.iter().map(|change| change.sequence).collect();
        assert_eq!(sequences, [1, 2]);
        assert_eq!(changes[0].record, AccessRecord::Staff(first));
    }

    #[test]
    fn a_note_without_its_record_is_noticed() {
        assert_eq!(join(&[note(1, &staff())], vec![]), None);
    }

    #[test]
    fn a_kind_reads_back() {
        for kind in [RecordKind::Program, RecordKind::ApiKey, RecordKind::Staff] {
            assert_eq!(RecordKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RecordKind::parse("program"), None);
    }
}
