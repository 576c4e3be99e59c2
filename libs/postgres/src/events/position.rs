//! A place in the feed, and its token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fealty_types::ProgramId;
use uuid::Uuid;

use crate::feed::FeedTokenError;
use crate::timeline::DatabaseTimeline;

/// The layout of a token, so that another one can be told apart; positions of other feeds have 1.
const TOKEN_LAYOUT: u8 = 2;

/// Layout; system identifier, database, timeline; `feed_xid`, program, subject, version; checksum.
const TOKEN_LEN: usize = 1 + (8 + 4 + 4) + (8 + 16 + 16 + 8) + 4;

/// Of those, the checksum.
const CHECKSUM_LEN: usize = 4;

/// How far a reader has come: the last event it read, or that there is nothing before.
///
/// Ordered as the feed is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPosition {
    /// Decides when the event may be read, as bigint (`feed_xid::text::bigint`).
    pub feed_xid: i64,
    /// The event's program.
    pub program: Uuid,
    /// Whom it is about.
    pub subject_id: Uuid,
    /// Its number among the subject's events.
    pub version: i64,
}

impl EventPosition {
    /// Before the first event.
    pub const START: Self = Self::before(0);

    /// Before every event whose `feed_xid` is that or more: with a horizon, before all that is yet to come.
    #[must_use]
    pub const fn before(feed_xid: i64) -> Self {
        Self {
            feed_xid,
            program: Uuid::nil(),
            subject_id: Uuid::nil(),
            version: 0,
        }
    }

    /// The same place among the events of one program alone.
    #[must_use]
    pub fn within(self, program: ProgramId) -> Self {
        let own = program.as_uuid();
        match self.program.cmp(&own) {
            std::cmp::Ordering::Equal => self,
            // That program's events with this number are all still to come.
            std::cmp::Ordering::Less => Self {
                program: own,
                ..Self::before(self.feed_xid)
            },
            // They are all past.
            std::cmp::Ordering::Greater => Self {
                feed_xid: self.feed_xid,
                program: own,
                subject_id: Uuid::max(),
                version: i64::MAX,
            },
        }
    }

    /// An opaque token to resume from, bound to the database's timeline.
    #[must_use]
    pub fn encode(self, timeline: DatabaseTimeline) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_LEN);
        bytes.push(TOKEN_LAYOUT);
        bytes.extend(timeline.system_identifier.to_be_bytes());
        bytes.extend(timeline.database_oid.to_be_bytes());
        bytes.extend(timeline.timeline_id.to_be_bytes());
        bytes.extend(self.feed_xid.to_be_bytes());
        bytes.extend(self.program.as_bytes());
        bytes.extend(self.subject_id.as_bytes());
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a token, if it is whole and belongs to this timeline.
    pub fn decode(token: &str, timeline: DatabaseTimeline) -> Result<Self, FeedTokenError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| FeedTokenError::Malformed)?;
        let bytes: [u8; TOKEN_LEN] = bytes.try_into().map_err(|_| FeedTokenError::Malformed)?;
        let (content, checksum) = bytes.split_at(TOKEN_LEN - CHECKSUM_LEN);
        if crc32fast::hash(content).to_be_bytes() != checksum {
            return Err(FeedTokenError::Malformed);
        }
        let mut fields = Fields(content);
        if fields.take() != [TOKEN_LAYOUT] {
            return Err(FeedTokenError::Malformed);
        }
        let made_in = DatabaseTimeline {
            system_identifier: u64::from_be_bytes(fields.take()),
            database_oid: u32::from_be_bytes(fields.take()),
            timeline_id: u32::from_be_bytes(fields.take()),
        };
        let position = Self {
            feed_xid: i64::from_be_bytes(fields.take()),
            program: Uuid::from_bytes(fields.take()),
            subject_id: Uuid::from_bytes(fields.take()),
            version: i64::from_be_bytes(fields.take()),
        };
        if position.feed_xid < 0 || position.version < 0 {
            return Err(FeedTokenError::Malformed);
        }
        if made_in != timeline {
            return Err(FeedTokenError::OtherTimeline);
        }
        Ok(position)
    }
}

/// Takes fields off the front of a token whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("the token's length is the sum of its fields");
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: DatabaseTimeline = DatabaseTimeline {
        system_identifier: u64::MAX - 1,
        database_oid: 16_384,
        timeline_id: 1,
    };

    fn position() -> EventPosition {
        EventPosition {
            feed_xid: 748,
            program: Uuid::from_u128(5),
            subject_id: Uuid::from_u128(u128::MAX - 7),
            version: i64::MAX,
        }
    }

    #[test]
    fn a_token_resumes_where_it_was_given() {
        let token = position().encode(TIMELINE);
        assert_eq!(EventPosition::decode(&token, TIMELINE), Ok(position()));
    }

    #[test]
    fn a_token_of_another_history_is_refused() {
        let token = position().encode(TIMELINE);
        for other in [
            DatabaseTimeline {
                timeline_id: 2,
                ..TIMELINE
            },
            DatabaseTimeline {
                database_oid: 16_385,
                ..TIMELINE
            },
            DatabaseTimeline {
                system_identifier: 7,
                ..TIMELINE
            },
        ] {
            assert_eq!(
                EventPosition::decode(&token, other),
                Err(FeedTokenError::OtherTimeline)
            );
        }
    }

    #[test]
    fn a_token_with_any_letter_changed_is_refused() {
        let token = position().encode(TIMELINE);
        for place in 0..token.len() {
            let mut letters = token.clone().into_bytes();
            letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(letters).unwrap();
            assert_eq!(
                EventPosition::decode(&damaged, TIMELINE),
                Err(FeedTokenError::Malformed),
                "letter {place}"
            );
        }
        for damaged in ["A", "!", &token[1..], &format!("{token}A")] {
            assert_eq!(
                EventPosition::decode(damaged, TIMELINE),
                Err(FeedTokenError::Malformed)
            );
        }
    }

    #[test]
    fn a_place_among_all_is_the_same_place_within_a_program() {
        let id = |number: u128| ProgramId::try_from(Uuid::from_u128(number)).unwrap();
        let at = position();
        assert_eq!(at.within(id(5)), at);
        let event_of = |program: u128| EventPosition {
            program: Uuid::from_u128(program),
            subject_id: Uuid::from_u128(9),
            version: 1,
            ..at
        };
        for program in [4, 6] {
            let within = at.within(id(program));
            assert_eq!(within.program, Uuid::from_u128(program));
            assert_eq!(within < event_of(program), at < event_of(program));
        }
    }
}
