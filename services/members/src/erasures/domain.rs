//! What an erasure is, and what its receipt says. Pure.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use fealty_types::{MemberId, ProgramId};
use fealty_vault::Signature;
use uuid::Uuid;

/// Records of one person: more than anybody ever merged, and few enough to be erased in one transaction.
pub const RECORDS_MAX: usize = 1_000;

/// The first line of each receipt: what the others mean.
const RECEIPT_FORM: &str = "fealty erasure receipt 1";

/// Why somebody is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// They asked for it.
    MemberRequest,
    /// The time for which their data is kept has passed.
    RetentionEnded,
}

impl Cause {
    /// As it is stored, and as the receipt has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemberRequest => "MEMBER_REQUEST",
            Self::RetentionEnded => "RETENTION_ENDED",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        [Self::MemberRequest, Self::RetentionEnded]
            .into_iter()
            .find(|cause| cause.as_str() == text)
    }
}

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Stored.
    Begun,
    /// The ledger and this service have done their part.
    Destroyed,
    /// Everybody has.
    Complete,
}

impl State {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "BEGUN",
            Self::Destroyed => "DESTROYED",
            Self::Complete => "COMPLETE",
        }
    }

    /// From how it is stored.
    #[must_use]
    pub fn from_column(text: &str) -> Option<Self> {
        [Self::Begun, Self::Destroyed, Self::Complete]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// What a service has done, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub service: String,
    /// When; None while it is waited for.
    pub confirm_time: Option<DateTime<Utc>>,
}

/// The erasing of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The request id that it was asked for with.
    pub erasure_id: Uuid,
    /// The record that had stayed.
    pub member_id: MemberId,
    /// All records of the person.
    pub member_ids: Vec<MemberId>,
    /// Why.
    pub cause: Cause,
    /// Who asked.
    pub actor: String,
    /// How far it is.
    pub state: State,
    /// The other services that have to confirm.
    pub waits_for: Vec<String>,
    /// When it was asked for.
    pub begin_time: DateTime<Utc>,
    /// When the ledger and this service were done.
    pub destroy_time: Option<DateTime<Utc>>,
    /// What the other services said so far.
    pub confirmed: Vec<(String, DateTime<Utc>)>,
    /// Once all have.
    pub receipt: Option<Receipt>,
}

/// The signed proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What is signed.
    pub text: String,
    /// By which key, and how.
    pub signature: Signature,
}

impl Erasure {
    /// What each service has done, by their names.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let own = ["ledger", "members"].map(|service| Part {
            service: service.to_owned(),
            confirm_time: self.destroy_time,
        });
        let others = self.waits_for.iter().map(|service| Part {
            service: service.clone(),
            confirm_time: self.confirmed_by(service),
        });
        let mut parts: Vec<Part> = own.into_iter().chain(others).collect();
        parts.sort_by(|one, other| one.service.cmp(&other.service));
        parts
    }

    fn confirmed_by(&self, service: &str) -> Option<DateTime<Utc>> {
        let found = self.confirmed.iter().find(|(name, _)| name == service);
        found.map(|(_, time)| *time)
    }

    /// Whether everybody is done and nobody has written the receipt.
    #[must_use]
    pub fn is_to_be_completed(&self) -> bool {
        self.state == State::Destroyed && self.parts().iter().all(|part| part.confirm_time.is_some())
    }

    /// What is signed once it is complete: a line for each fact, in this order, each ended by a line feed.
    #[must_use]
    pub fn receipt_text(&self, program_id: ProgramId, complete_time: DateTime<Utc>) -> String {
        let mut text = format!("{RECEIPT_FORM}\nprogram_id: {program_id}\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name}: {value}");
        };
        line("erasure_id", &self.erasure_id.to_string());
        for member_id in &self.member_ids {
            line("member_id", &member_id.to_string());
        }
        line("cause", self.cause.as_str());
        line("begun", &instant(self.begin_time));
        for part in self.parts() {
            let time = part.confirm_time.map(instant).unwrap_or_default();
            line(&format!("erased by {}", part.service), &time);
        }
        line("complete", &instant(complete_time));
        text
    }
}

/// RFC 3339, in microseconds: what the database keeps.
fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasure() -> Erasure {
        let member_id: MemberId = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978".parse().unwrap();
        let time = |seconds: i64| DateTime::from_timestamp(1_700_000_000 + seconds, 5_000).unwrap();
        Erasure {
            erasure_id: "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6979".parse().unwrap(),
            member_id,
            member_ids: vec![member_id],
            cause: Cause::MemberRequest,
            actor: "key/x".to_owned(),
            state: State::Destroyed,
            waits_for: vec!["rewards".to_owned(), "surveys".to_owned()],
            begin_time: time(0),
            destroy_time: Some(time(1)),
            confirmed: vec![("surveys".to_owned(), time(2))],
            receipt: None,
        }
    }

    #[test]
    fn an_erasure_is_complete_when_the_last_service_has_confirmed() {
        let mut erasure = erasure();
        assert!(!erasure.is_to_be_completed());
        erasure.confirmed.push(("rewards".to_owned(), erasure.begin_time));
        assert!(erasure.is_to_be_completed());
        erasure.state = State::Complete;
        assert!(!erasure.is_to_be_completed(), "it has a receipt already");
    }

    #[test]
    fn a_receipt_says_who_did_what_when_and_nobodys_name() {
        let mut erasure = erasure();
        erasure.confirmed.push(("rewards".to_owned(), erasure.begin_time));
        let program_id = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6970".parse().unwrap();
        assert_eq!(
            erasure.receipt_text(program_id, erasure.begin_time),
            "fealty erasure receipt 1\n\
             program_id: 018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6970\n\
             erasure_id: 018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6979\n\
             member_id: 018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978\n\
             cause: MEMBER_REQUEST\n\
             begun: 2023-11-14T22:13:20.000005Z\n\
             erased by ledger: 2023-11-14T22:13:21.000005Z\n\
             erased by members: 2023-11-14T22:13:21.000005Z\n\
             erased by rewards: 2023-11-14T22:13:20.000005Z\n\
             erased by surveys: 2023-11-14T22:13:22.000005Z\n\
             complete: 2023-11-14T22:13:20.000005Z\n"
        );
    }

    #[test]
    fn causes_and_states_read_back() {
        for cause in [Cause::MemberRequest, Cause::RetentionEnded] {
            assert_eq!(Cause::from_column(cause.as_str()), Some(cause));
        }
        for state in [State::Begun, State::Destroyed, State::Complete] {
            assert_eq!(State::from_column(state.as_str()), Some(state));
        }
    }
}
