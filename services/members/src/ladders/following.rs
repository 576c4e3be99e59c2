//! Counts what the ledger posts.

use chrono::{DateTime, NaiveDate, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::append_in_tx;
use sqlx::PgConnection;

use super::domain::{
    Counted, LIFETIME_DAY, Posting, Source, Trigger, What, counted, day_of, keep_day, take_back,
};
use super::settling::settle_in_tx;
use super::storage::{self, Counting};

/// Counts a transaction, once, for whoever bought or earned, and tells what it changes of their tiers. One of an owner who
/// is no member counts for nobody.
pub(crate) async fn count_in_tx(
    tx: &mut PgConnection,
    posting: &Posting,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (program_id, member_id) = (posting.program_id, posting.member_id);
    let Some(counting) = storage::lock_counting_in_tx(&mut *tx, program_id, member_id).await? else {
        return Ok(());
    };
    let member_id = counting.member_id;
    let behind = storage::find_behind_in_tx(&mut *tx, program_id, member_id, now).await?;
    let mut events = Vec::new();
    if behind.is_behind {
        events = settle_in_tx(&mut *tx, program_id, member_id, Trigger::Time, now).await?;
    }
    let counts = count_days_in_tx(&mut *tx, posting, counting, now).await?;
    // Without a ladder it counts for one that is published later.
    if counts && behind.has_ladders {
        events.extend(settle_in_tx(&mut *tx, program_id, member_id, Trigger::Posting, now).await?);
    }
    append_in_tx(tx, program_id, &events).await
}

/// False when it has been counted before, or nothing of it counts.
async fn count_days_in_tx(
    tx: &mut PgConnection,
    posting: &Posting,
    Counting { zone, .. }: Counting,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let program_id = posting.program_id;
    let day = keep_day(day_of(posting.occur_time, zone), day_of(now, zone));
    let (source, sums) = match posting.what {
        What::Purchase { .. } | What::Earning => counted(posting, day),
        // Nobody knows what it was: it is taken from the day on which it was given back.
        What::Refund {
            purchase_id: None, ..
        } => take_back_of_unknown(posting, day),
        What::Refund {
            purchase_id: Some(purchase_id),
            ..
        } => {
            let from = storage::find_purchase_in_tx(&mut *tx, program_id, purchase_id).await?;
            take_back_in_tx(&mut *tx, posting, from).await?
        }
        What::Reversal { transaction_id } => {
            let from = storage::find_transaction_in_tx(&mut *tx, program_id, transaction_id).await?;
            take_back_in_tx(&mut *tx, posting, from).await?
        }
    };
    if !storage::insert_source_in_tx(&mut *tx, program_id, &source, now).await? {
        return Ok(false);
    }
    // What happened on a day that is too old by now was put together with others meanwhile.
    let day = keep_day(source.day, day_of(now, zone));
    storage::add_in_tx(tx, program_id, (posting.member_id, day), &sums).await?;
    Ok(!sums.is_empty())
}

/// Takes back of what another transaction gave. What is not known any more lies under the oldest day.
async fn take_back_in_tx(
    tx: &mut PgConnection,
    posting: &Posting,
    from: Option<Source>,
) -> Result<(Source, Vec<Counted>), StorageError> {
    let Some(from) = from else {
        return Ok(take_back_of_unknown(posting, LIFETIME_DAY));
    };
    let known = storage::find_transaction_in_tx(&mut *tx, posting.program_id, posting.transaction_id).await?;
    let (left, sums) = take_back(posting, &from);
    if known.is_none() {
        storage::set_left_in_tx(tx, posting.program_id, &left).await?;
    }
    Ok((own_source(posting, from.day), sums))
}

/// Takes back what a refund or a reversal says, of a day.
fn take_back_of_unknown(posting: &Posting, day: NaiveDate) -> (Source, Vec<Counted>) {
    let own = own_source(posting, day);
    let all = match posting.what {
        What::Refund { money, .. } => Some(money.minor.saturating_abs()),
        _ => None,
    };
    let unknown = Source {
        left_minor: all,
        ..own.clone()
    };
    (own, take_back(posting, &unknown).1)
}

/// What is remembered of what takes something back: that it did.
fn own_source(posting: &Posting, day: NaiveDate) -> Source {
    Source {
        transaction_id: posting.transaction_id,
        purchase_id: None,
        day,
        left_minor: None,
        left_earned: Vec::new(),
    }
}
