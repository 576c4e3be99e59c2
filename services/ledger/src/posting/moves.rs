//! Moves: owners use another account from now on, and what was in theirs goes along, in one commit.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{LotId, OwnerId, Points, ProgramId};
use sqlx::PgConnection;
use tracing::Span;

use super::books::Books;
use super::domain::{self, Decision, OwnerState, Spent, Transaction};
use super::post::Posting;
use super::storage;
use crate::refusal::{LedgerError, Refusal, Unsuitable};

/// What is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    /// Whose account is emptied into which.
    pub(crate) points: Option<(OwnerId, OwnerId)>,
    /// Who has an equal share of what is available first, beside who takes the rest.
    pub(crate) sharing: Vec<OwnerId>,
    /// Who uses another account from now on: each gets a version that says so.
    pub(crate) redirected: Vec<OwnerId>,
    /// Who wants it.
    pub(crate) actor: String,
    /// Why, as statements tell it.
    pub(crate) reason: String,
}

impl Posting {
    /// Moves what is to move between owners that are locked, and writes it. `owner_ids` are all that are concerned, those
    /// among them of whom nothing changes but the time. Answers them as they are afterwards.
    pub(crate) async fn move_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        owner_ids: &[OwnerId],
        what: &Move,
    ) -> Result<HashMap<OwnerId, OwnerState>, LedgerError> {
        let (owners, postgres_now) = storage::find_states_in_tx(&mut *tx, program, owner_ids).await?;
        let at = owners
            .values()
            .map(|owner| owner.last_time)
            .fold(self.now(postgres_now), DateTime::max);
        let mut closed = BTreeMap::new();
        if let Some((from, into)) = what.points {
            let lots = owners
                .get(&from)
                .into_iter()
                .flat_map(|owner| owner.accounts.values());
            let lot_ids: Vec<LotId> = lots.flat_map(|it| &it.lots).map(|lot| lot.lot_id).collect();
            closed = storage::find_closed_lots_in_tx(&mut *tx, program, into, &lot_ids).await?;
        }
        let mut books = Books::open(program, owners);
        books.trace_as(fealty_telemetry::trace_parent(&Span::current()).as_deref());
        write_into(&mut books, what, closed, at)?;
        let mut after = HashMap::with_capacity(owner_ids.len());
        for owner_id in owner_ids {
            let state = books.find(*owner_id);
            let state = state.ok_or_else(|| StorageError::corrupt("owner", "a locked row is gone"))?;
            after.insert(*owner_id, state.clone());
        }
        let closed = books.close();
        storage::write_in_tx(tx, program, &closed.owners, &closed.transactions).await?;
        Ok(after)
    }
}

/// Decides a move. Pure but for the ids that it draws. `closed` are lots of who takes over that were not open before.
fn write_into(
    books: &mut Books,
    what: &Move,
    mut closed: BTreeMap<LotId, Points>,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    if let Some((from, into)) = what.points {
        books.sweep(from, at);
        books.sweep(into, at);
        for owner_id in &what.sharing {
            books.sweep(*owner_id, at);
        }
        let ended = books.closed_lots(into);
        closed.extend(ended.map(|lot| (lot.lot_id, lot.value_credited)));
        if expect(books, from).has_open_holds() {
            return Err(Refusal::OwnerUnsuitable {
                owner_id: from,
                why: Unsuitable::HasHolds,
            });
        }
        share(books, what, (from, at))?;
        let (giver, taker) = (expect(books, from), expect(books, into));
        let moved = domain::move_all(giver, taker, &closed, at, &mut || LotId::generate_at(at))?;
        record(books, what, (from, at), moved.from);
        record(books, what, (into, at), moved.into);
    }
    // Whose last transaction says it already.
    let with_points = |owner_id: &OwnerId| what.points.is_some_and(|(from, _)| from == *owner_id);
    for owner_id in what.redirected.iter().filter(|owner_id| !with_points(owner_id)) {
        let decision = domain::move_nothing(expect(books, *owner_id));
        record(books, what, (*owner_id, at), decision);
    }
    Ok(())
}

/// Gives everybody who has a share the same of what is available of each unit; what cannot be divided stays.
fn share(books: &mut Books, what: &Move, (from, at): (OwnerId, DateTime<Utc>)) -> Result<(), Refusal> {
    let count = i64::try_from(what.sharing.len())
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let accounts = expect(books, from).accounts.iter();
    let parts: Vec<Spent> = accounts
        .map(|(unit_code, account)| Spent {
            unit_code: unit_code.clone(),
            value: Points::new(account.available.get() / count),
        })
        .filter(|part| part.value.is_positive())
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    for into in &what.sharing {
        let (giver, taker) = (expect(books, from), expect(books, *into));
        let moved = domain::move_parts(giver, taker, &parts, at, &mut || LotId::generate_at(at))?;
        record(books, what, (from, at), moved.from);
        record(books, what, (*into, at), moved.into);
    }
    Ok(())
}

fn expect(books: &Books, owner_id: OwnerId) -> &OwnerState {
    books
        .find(owner_id)
        .expect("whoever moves something has read the owners")
}

fn record(books: &mut Books, what: &Move, (owner_id, at): (OwnerId, DateTime<Utc>), decision: Decision) {
    let mut transaction = Transaction {
        actor: what.actor.clone(),
        reason: what.reason.clone(),
        ..Transaction::by_ledger(owner_id, at)
    };
    books.apply(&mut transaction, decision);
    books.push_by_ledger(transaction);
}
