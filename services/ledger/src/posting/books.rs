//! What a posting makes of owners, until it is written.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, LotId, OwnerId, ProgramId, TransactionId, UnitCode, Version};

use super::domain::{
    self, ChainHash, Change, Decision, Expiring, Hold, Link, Lot, OwnerState, Transaction, TransactionKind,
};
use super::room::Seen;
use super::storage::{AccountChange, NewTransaction, Outcome, OwnerChange};
use crate::balances::domain::OwnerBalance;

/// Who acts when time does.
const ACTOR_LEDGER: &str = "ledger";

/// Owners as they were read, and what was decided about them since.
pub(super) struct Books {
    program: ProgramId,
    owners: HashMap<OwnerId, OwnerState>,
    transactions: Vec<NewTransaction>,
    touched: BTreeMap<OwnerId, Touched>,
    /// Lots that nobody has written yet.
    opened: HashSet<LotId>,
    trace_parent: Option<String>,
}

/// What was done to an owner so far.
struct Touched {
    before: OwnerState,
    lots: BTreeMap<LotId, (UnitCode, Lot)>,
    holds: BTreeMap<HoldId, Hold>,
}

/// What is to be written, and what can be shown once it is.
pub(super) struct Closed {
    /// To record or remember, in the order of decision.
    pub(super) transactions: Vec<NewTransaction>,
    /// Owners that changed, by id.
    pub(super) owners: Vec<OwnerChange>,
    /// The newest balances of the owners that changed.
    pub(super) balances: Vec<OwnerBalance>,
    /// All owners as they are then.
    pub(super) states: HashMap<OwnerId, OwnerState>,
}

impl Books {
    /// Of owners as they were read under their locks.
    pub(super) fn open(program: ProgramId, owners: HashMap<OwnerId, OwnerState>) -> Self {
        Self {
            program,
            owners,
            transactions: Vec::new(),
            touched: BTreeMap::new(),
            opened: HashSet::new(),
            trace_parent: None,
        }
    }

    /// What is kept from now on belongs to that place in a trace.
    pub(super) fn trace_as(&mut self, trace_parent: Option<&str>) {
        self.trace_parent = trace_parent.map(str::to_owned);
    }

    /// Lots of these ids are new: what was decided has just drawn them.
    pub(super) fn opened(&mut self, lot_ids: Vec<LotId>) {
        self.opened.extend(lot_ids);
    }

    /// An owner as they are by now; `None` if there is none.
    pub(super) fn find(&self, owner_id: OwnerId) -> Option<&OwnerState> {
        self.owners.get(&owner_id)
    }

    /// Writes off what has ended by `at`, in transactions of their own.
    pub(super) fn sweep(&mut self, owner_id: OwnerId, at: DateTime<Utc>) {
        self.sweep_each(owner_id, at, |_| {});
    }

    /// The same; each is shown before it is taken over.
    pub(super) fn sweep_each(
        &mut self,
        owner_id: OwnerId,
        at: DateTime<Utc>,
        mut see: impl FnMut(&Seen<'_>),
    ) {
        while let Some(decision) = domain::sweep(&self.owners[&owner_id], at) {
            let mut transaction = Transaction {
                occur_time: swept_time(&decision.change, &decision.holds).unwrap_or(at),
                on_behalf_of: swept_for(&decision),
                ..Transaction::by_ledger(owner_id, at)
            };
            see(&Seen {
                transaction_id: transaction.transaction_id,
                owner_id,
                decision: &decision,
            });
            self.apply(&mut transaction, decision);
            self.push_by_ledger(transaction);
        }
    }

    /// The lots that were decided about since and are not open any more, as they were left.
    pub(super) fn closed_lots(&self, owner_id: OwnerId) -> impl Iterator<Item = &Lot> {
        let touched = self.touched.get(&owner_id).into_iter();
        let lots = touched.flat_map(|touched| touched.lots.values());
        lots.map(|(_, lot)| lot).filter(|lot| !lot.is_open())
    }

    /// Tells of what ends soon, in a transaction of its own.
    pub(super) fn tell(
        &mut self,
        owner_id: OwnerId,
        at: DateTime<Utc>,
        expiring: &Expiring,
    ) -> TransactionId {
        let decision = domain::notice(&self.owners[&owner_id], expiring);
        let mut transaction = Transaction::by_ledger(owner_id, at);
        let transaction_id = transaction.transaction_id;
        self.apply(&mut transaction, decision);
        self.push_by_ledger(transaction);
        transaction_id
    }

    /// Takes a decision over into the owner's state, and into its transaction.
    pub(super) fn apply(&mut self, transaction: &mut Transaction, decision: Decision) {
        let Decision {
            change,
            mut state,
            lots,
            holds,
        } = decision;
        state.last_time = transaction.record_time;
        transaction.version = change.version;
        transaction.kind = change.kind;
        transaction.entries = change.entries;
        transaction.lot_movements = change.lot_movements;
        transaction.reversed_transaction_id = change.reversed_transaction_id;
        transaction.hold_id = change.hold_id;
        let before = self.owners.insert(transaction.owner_id, state);
        let before = before.expect("a decision is about an owner that was read");
        let touched = self.touched.entry(transaction.owner_id);
        let touched = touched.or_insert_with(|| Touched {
            before,
            lots: BTreeMap::new(),
            holds: BTreeMap::new(),
        });
        touched
            .holds
            .extend(holds.into_iter().map(|hold| (hold.hold_id, hold)));
        touched
            .lots
            .extend(lots.into_iter().map(|(unit, lot)| (lot.lot_id, (unit, lot))));
    }

    /// Keeps what was decided for the writes. What happened is from here on final, and the next link of its owner's
    /// chain.
    pub(super) fn push(&mut self, mut new: NewTransaction) {
        new.trace_parent.clone_from(&self.trace_parent);
        if new.outcome == Outcome::Posted {
            new.chain_hash = Some(self.chain(&new));
        }
        self.transactions.push(new);
    }

    fn chain(&mut self, new: &NewTransaction) -> ChainHash {
        let (program, owner_id) = (self.program, new.transaction.owner_id);
        let owner = self.owners.get_mut(&owner_id);
        let owner = owner.expect("what happened is about an owner that was read");
        let head = owner
            .chain_head
            .unwrap_or_else(|| ChainHash::root(program, owner_id));
        let head = head.then(&Link {
            program,
            transaction: &new.transaction,
            command_hash: new.command_hash.as_ref().map(<[u8; 32]>::as_slice),
            answer: new.answer.as_deref(),
        });
        owner.chain_head = Some(head);
        head
    }

    /// Keeps what no request is remembered by.
    pub(super) fn push_by_ledger(&mut self, transaction: Transaction) {
        self.push(NewTransaction {
            transaction,
            outcome: Outcome::Posted,
            command_hash: None,
            answer: None,
            trace_parent: None,
            chain_hash: None,
        });
    }

    /// All of it.
    pub(super) fn close(self) -> Closed {
        let mut owners = Vec::with_capacity(self.touched.len());
        let mut balances = Vec::with_capacity(self.touched.len());
        for (owner_id, Touched { before, lots, holds }) in self.touched {
            let after = &self.owners[&owner_id];
            balances.push(OwnerBalance::of(owner_id, after, after.last_time));
            let were_open = open_lot_ids(&before);
            let (new_lots, lots): (Vec<_>, Vec<_>) = lots
                .into_values()
                .partition(|(_, lot)| self.opened.contains(&lot.lot_id));
            let (lots, returned_lots) = lots
                .into_iter()
                .partition(|(_, lot)| were_open.contains(&lot.lot_id));
            let changed = after
                .accounts
                .iter()
                .filter(|(unit, account)| before.accounts.get(*unit) != Some(account));
            owners.push(OwnerChange {
                owner_id,
                version_before: before.version,
                version: after.version,
                last_time: after.last_time,
                chain_head: after.chain_head,
                accounts: changed
                    .map(|(unit, account)| AccountChange::new(unit, account, before.accounts.get(unit)))
                    .collect(),
                lots,
                new_lots,
                returned_lots,
                holds: holds.into_values().collect(),
            });
        }
        Closed {
            transactions: self.transactions,
            owners,
            balances,
            states: self.owners,
        }
    }
}

fn open_lot_ids(owner: &OwnerState) -> HashSet<LotId> {
    let accounts = owner.accounts.values();
    let lots = accounts.flat_map(|account| account.lots.iter().chain(&account.pending_lots));
    lots.map(|lot| lot.lot_id).collect()
}

impl Transaction {
    /// What nobody sent a request for: it says itself what happened.
    pub(super) fn by_ledger(owner_id: OwnerId, at: DateTime<Utc>) -> Self {
        Self {
            transaction_id: TransactionId::generate_at(at),
            owner_id,
            on_behalf_of: None,
            version: Version::ZERO,
            kind: TransactionKind::Expire,
            entries: Vec::new(),
            lot_movements: Vec::new(),
            source: String::new(),
            receipt_id: None,
            purchase_id: None,
            money: None,
            actor: ACTOR_LEDGER.to_owned(),
            reason: String::new(),
            request_id: None,
            occur_time: at,
            record_time: at,
            counterpart: None,
            reversed_transaction_id: None,
            hold_id: None,
        }
    }
}

/// For whom what has ended was set aside. What begins or ends at one time may have been given to several.
fn swept_for(decision: &Decision) -> Option<OwnerId> {
    let ended = decision.holds.iter();
    let mut ended = ended.filter(|hold| Some(hold.hold_id) == decision.change.hold_id);
    ended.next()?.on_behalf_of
}

/// When what time did by itself happened. The ends of lots may differ: each movement names its own, and the transaction
/// the last.
fn swept_time(change: &Change, holds: &[Hold]) -> Option<DateTime<Utc>> {
    let movements = change.lot_movements.iter();
    match change.kind {
        TransactionKind::Release => return holds.first().map(|hold| hold.expire_time),
        TransactionKind::Activate => {
            return movements.filter_map(|movement| movement.begin?.time()).max();
        }
        _ => {}
    }
    movements.filter_map(|movement| movement.expire_time).max()
}
