//! All that is known of a member for their tiers.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{
    Assessment, Book, Checkpoint, Grant, Held, Known, Ladder, Question, assess, day_of, fixed_day,
    is_too_long, oldest_kept, replay,
};
use super::storage::{self, Head, Row, StoredCheckpoint};
use crate::people::domain::MemberStatus;

/// Who a member is.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// By which clock the program's days go.
    pub(super) zone: Tz,
    pub(super) status: MemberStatus,
    /// Whether anybody is told of them.
    pub(super) is_enrolled: bool,
    /// Their own id, and those of the records that were merged into theirs.
    pub(super) ids: Vec<Uuid>,
}

/// A member as tiers see them.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) who: Who,
    /// All ladders of the program, retired ones among them.
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Row>,
    pub(super) book: Book,
    /// The oldest day that is kept by itself.
    oldest: Option<NaiveDate>,
    pub(super) grants: Vec<Grant>,
}

impl Person {
    /// None when the program has no such member.
    pub(super) async fn find_in_tx(
        tx: &mut PgConnection,
        program_id: ProgramId,
        member_id: MemberId,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, StorageError> {
        let Some(who) = storage::find_who_in_tx(&mut *tx, program_id, member_id).await? else {
            return Ok(None);
        };
        let heads = storage::load_heads_in_tx(&mut *tx, program_id).await?;
        let rows = storage::load_rows_in_tx(&mut *tx, program_id, member_id).await?;
        // What is judged first may lie back as far as the first instant that was missed.
        let since = rows.iter().filter_map(|row| row.due_time).min();
        let since = since.map_or(now, |due| due.min(now));
        let (book, oldest) = storage::load_book_in_tx(&mut *tx, program_id, &who.ids).await?;
        let grants = storage::load_grants_in_tx(tx, program_id, &who.ids, since).await?;
        Ok(Some(Self {
            who,
            heads,
            rows,
            book,
            oldest,
            grants,
        }))
    }

    /// Whether they can have tiers at all.
    pub(super) const fn can_climb(&self) -> bool {
        matches!(self.who.status, MemberStatus::Active | MemberStatus::Suspended)
    }

    pub(super) fn row(&self, head: &Head) -> Option<&Row> {
        self.rows.iter().find(|row| row.ladder_code == head.ladder_code)
    }

    pub(super) const fn question(&self, now: DateTime<Utc>) -> Question {
        Question {
            now,
            zone: self.who.zone,
        }
    }

    /// What is known for a ladder; None where they have no tier of it, whatever they earned.
    pub(super) fn known<'a>(&'a self, head: &'a Head) -> Option<Known<'a>> {
        if !self.can_climb() || head.retire_time.is_some() {
            return None;
        }
        let (versions, from) = self.from(head);
        Some(Known {
            versions,
            book: &self.book,
            grants: &self.grants,
            from,
        })
    }

    /// Where they stand on a ladder at an instant; None where they have no tier of it, whatever they earned.
    pub(super) fn assess(&self, head: &Head, now: DateTime<Utc>) -> Option<Assessment> {
        assess(self.question(now), self.known(head)?)
    }

    /// The versions that they are judged by, and from where on.
    fn from<'a>(&self, head: &'a Head) -> (&'a [Ladder], Option<Checkpoint>) {
        let all = head.versions.as_slice();
        let stored = self.row(head).and_then(|row| row.checkpoint.as_ref());
        let Some(stored) = stored else { return (all, None) };
        let versions = &all[all.partition_point(|version| version.version < stored.version)..];
        let tier = stored.tier_code.as_ref();
        let rank = versions
            .first()
            .zip(tier)
            .and_then(|(version, tier)| version.definition.rank_of(tier));
        let checkpoint = Checkpoint {
            day: stored.day,
            version: stored.version,
            held: Held {
                rank: rank.unwrap_or(0),
                below_since: stored.below_since,
            },
        };
        (versions, Some(checkpoint))
    }

    /// The day before which their days are to be put together, if there are too many.
    pub(super) fn too_long(&self, now: DateTime<Utc>) -> Option<NaiveDate> {
        let today = day_of(now, self.who.zone);
        is_too_long(self.oldest, today).then(|| oldest_kept(today))
    }

    /// Where their history of a ladder is fixed, before days are put together. None where the ladder is younger.
    pub(super) fn fix(&self, ladder: &Head, now: DateTime<Utc>) -> Option<StoredCheckpoint> {
        let day = fixed_day(day_of(now, self.who.zone));
        let (versions, from) = self.from(ladder);
        let versions = &versions[..versions.partition_point(|version| version.start_day <= day)];
        let version = versions.last()?;
        let held = replay(versions, &self.book, from, day);
        Some(StoredCheckpoint {
            day,
            version: version.version,
            tier_code: version.definition.code_at(held.rank).cloned(),
            below_since: held.below_since,
        })
    }
}
