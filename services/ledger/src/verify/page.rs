//! Pages of owners: what is read in one snapshot.

use std::collections::{BTreeMap, BTreeSet};

use fealty_postgres::StorageError;
use futures::TryStreamExt as _;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::days::Days;
use super::finding::{Check, Finding, Findings};
use super::history::History;
use super::lots::{Claims, LotSums, Part};
use super::rows::{Account, Owner, SentDay};
use super::standing::{LotRows, Standing};
use super::storage::{self, Mark};
use super::{Limits, Outcome, add_all};

/// The owners of a program after one and up to another, those included who have no row and should have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) program: Uuid,
    pub(super) after: Uuid,
    pub(super) upto: Uuid,
    /// How often it is walked, for a part of the lots each.
    pub(super) parts_count: u128,
}

/// The next pages after an owner. The last page of a program ends with the greatest id there can be.
pub(super) async fn plan(
    pool: &PgPool,
    limits: Limits,
    program: Uuid,
    after: Uuid,
) -> Result<Vec<Page>, StorageError> {
    let owners = storage::find_versions(pool, program, after, limits.owners_per_page).await?;
    Ok(cut(limits, program, after, &owners))
}

fn cut(limits: Limits, program: Uuid, after: Uuid, owners: &[(Uuid, i64)]) -> Vec<Page> {
    let mut pages = Vec::new();
    let mut page = Page {
        program,
        after,
        upto: after,
        parts_count: 1,
    };
    let mut versions = 0;
    for (owner_id, version) in owners {
        if versions > 0 && versions + version > limits.versions_per_page {
            pages.push(page);
            page = Page {
                after: page.upto,
                parts_count: 1,
                ..page
            };
            versions = 0;
        }
        versions += version;
        page.upto = *owner_id;
        // A transaction opens a few lots at the most, nearly all of them one or none.
        let parts_count = u128::try_from(version / limits.lots_at_a_time).unwrap_or_default() + 1;
        page.parts_count = page.parts_count.max(parts_count);
    }
    if i64::try_from(owners.len()) != Ok(limits.owners_per_page) {
        page.upto = Uuid::max();
    }
    pages.push(page);
    pages
}

/// Recomputes a page.
pub(super) async fn check_in_tx(
    tx: &mut PgConnection,
    page: &Page,
    mark: Mark,
    outcome: &mut Outcome,
) -> Result<(), StorageError> {
    let owners = storage::find_owners_in_tx(&mut *tx, page).await?;
    let accounts = storage::find_accounts_in_tx(&mut *tx, page).await?;
    let days = storage::find_sent_days_in_tx(&mut *tx, page).await?;
    let mut histories = BTreeMap::new();
    let mut lots = BTreeMap::new();
    for part in Part::all(page.parts_count) {
        // What is not about lots is checked once.
        let mut nowhere = Findings::default();
        let findings = if part.is_first() {
            &mut outcome.findings
        } else {
            &mut nowhere
        };
        let mut walked = walk_in_tx(&mut *tx, (page, &days), mark, part, findings).await?;
        lots = check_lots_in_tx(&mut *tx, page, &mut walked, &mut outcome.findings).await?;
        if part.is_first() {
            histories = walked;
        }
    }
    outcome.owners += owners.len() as u64;
    for history in histories.values() {
        outcome.unchained += history.unchained;
        add_all(&mut outcome.moved, &history.moved);
        add_all(&mut outcome.funded, &history.funded);
    }
    outcome.transactions += owners
        .iter()
        .map(|owner| u64::try_from(owner.version).unwrap_or_default())
        .sum::<u64>();
    check_standings(
        page,
        (&owners, &accounts, &days),
        (&histories, &lots),
        &mut outcome.findings,
    );
    Ok(())
}

/// Walks all transactions of a page.
async fn walk_in_tx(
    tx: &mut PgConnection,
    (page, days): (&Page, &[SentDay]),
    mark: Mark,
    part: Part,
    findings: &mut Findings,
) -> Result<BTreeMap<Uuid, History>, StorageError> {
    let mut histories = BTreeMap::new();
    let mut rows = storage::stream_transactions_in_tx(tx, page);
    let mut current: Option<History> = None;
    while let Some(row) = rows.try_next().await? {
        let history = match current.take() {
            Some(history) if history.owner_id == row.owner_id => current.insert(history),
            finished => {
                histories.extend(finished.map(|history| (history.owner_id, history)));
                let days = Days::of(days_of(days, row.owner_id));
                let lots = LotSums::of(part);
                current.insert(History::new(page.program, row.owner_id, lots, days))
            }
        };
        history.add(&row, mark.is_after(row.feed_xid), findings);
    }
    histories.extend(current.map(|history| (history.owner_id, history)));
    Ok(histories)
}

/// Holds the rows of lots to what was walked.
async fn check_lots_in_tx(
    tx: &mut PgConnection,
    page: &Page,
    histories: &mut BTreeMap<Uuid, History>,
    findings: &mut Findings,
) -> Result<BTreeMap<Uuid, LotRows>, StorageError> {
    let mut lots: BTreeMap<Uuid, LotRows> = BTreeMap::new();
    let mut rows = storage::stream_lots_in_tx(tx, page);
    while let Some(row) = rows.try_next().await? {
        lots.entry(row.owner_id).or_default().add(&row);
        let place = Finding::of_owner(page.program, row.owner_id, Check::Lot, "");
        let Some(history) = histories.get_mut(&row.owner_id) else {
            let missing = Finding {
                what: format!("transaction of lot {}", row.lot_id),
                ..place
            };
            findings.push(missing.differs("one", "none"));
            continue;
        };
        let claims = Claims {
            pinned: &history.holds.pinned,
            repinned: &history.holds.repinned,
        };
        history.lots.check(&row, &place, claims, findings);
    }
    for history in histories.values() {
        let place = Finding::of_owner(page.program, history.owner_id, Check::Lot, "");
        history.lots.check_rest(&place, findings);
    }
    Ok(lots)
}

fn check_standings(
    page: &Page,
    (owners, accounts, days): (&[Owner], &[Account], &[SentDay]),
    (histories, lots): (&BTreeMap<Uuid, History>, &BTreeMap<Uuid, LotRows>),
    findings: &mut Findings,
) {
    let owners: BTreeMap<Uuid, &Owner> = owners.iter().map(|owner| (owner.owner_id, owner)).collect();
    let all: BTreeSet<Uuid> = owners
        .keys()
        .chain(histories.keys())
        .chain(lots.keys())
        .copied()
        .chain(accounts.iter().map(|account| account.owner_id))
        .chain(days.iter().map(|day| day.owner_id))
        .collect();
    for owner_id in all {
        // Accounts come by owner.
        let begin = accounts.partition_point(|account| account.owner_id < owner_id);
        let end = accounts.partition_point(|account| account.owner_id <= owner_id);
        let standing = Standing {
            program: page.program,
            owner_id,
            owner: owners.get(&owner_id).copied(),
            accounts: &accounts[begin..end],
            lots: lots.get(&owner_id),
            days: days_of(days, owner_id),
            history: histories.get(&owner_id),
        };
        standing.check(findings);
    }
}

/// They come by owner.
fn days_of(days: &[SentDay], owner_id: Uuid) -> &[SentDay] {
    let begin = days.partition_point(|day| day.owner_id < owner_id);
    let end = days.partition_point(|day| day.owner_id <= owner_id);
    &days[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(versions: &[i64]) -> Vec<(Uuid, i64)> {
        let ids = (1_u128..).map(Uuid::from_u128);
        ids.zip(versions.iter().copied()).collect()
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_to_the_end() {
        let limits = Limits::default();
        let (many, lots) = (limits.versions_per_page, limits.lots_at_a_time);
        let owners = owners(&[5, many, 7, 8, 3 * lots, 1]);
        let pages = cut(limits, Uuid::nil(), Uuid::nil(), &owners);
        let ends: Vec<(Uuid, Uuid)> = pages.iter().map(|page| (page.after, page.upto)).collect();
        let id = Uuid::from_u128;
        assert_eq!(
            ends,
            [
                (id(0), id(1)),
                (id(1), id(2)),
                (id(2), id(4)),
                (id(4), id(5)),
                (id(5), Uuid::max())
            ]
        );
        let parts: Vec<u128> = pages.iter().map(|page| page.parts_count).collect();
        assert_eq!(parts, [1, 1, 1, 4, 1]);
    }

    #[test]
    fn a_program_without_owners_is_one_page() {
        let pages = cut(Limits::default(), Uuid::nil(), Uuid::nil(), &[]);
        assert_eq!(pages.len(), 1);
        assert_eq!(pages[0].upto, Uuid::max());
    }
}
