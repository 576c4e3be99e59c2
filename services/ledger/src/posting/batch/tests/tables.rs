//! Tables in memory, which keep what is written and refuse what real ones would.

use std::collections::BTreeMap;

use fealty_postgres::StorageError;
use fealty_types::{HoldId, Points, RequestId, TransactionId, UnitCode, Version};
use sqlx::PgConnection;

use super::calls::{owner_id, program, slides, start};
use crate::budgets::Funds;
use crate::posting::batch::*;
use crate::posting::domain::{Account, ChainHash, Command, Hold, HoldStatus, Link, Lot, TransactionKind};
use crate::spending::domain::Spending;

/// A room whose works are commands.
struct Plain;

impl Room for Plain {
    type Work = Command;
    type Loaded = ();
    type Draft = ();
    type Row = Version;

    async fn load_in_tx(_: &mut PgConnection, _: ProgramId, _: &[&Command]) -> Result<(), StorageError> {
        Ok(())
    }

    fn plan((): &(), work: &Command, moment: &Moment) -> Result<Plan<()>, Refusal> {
        Ok(Plan {
            command: Some(work.clone()),
            slides: slides(work, moment),
            purchase_id: None,
            draft: (),
        })
    }

    fn settle((): &mut (), _work: &Command, (): (), posted: &Posted) -> Version {
        posted.transaction.version
    }

    async fn write_in_tx(_: &mut PgConnection, _: ProgramId, _: Vec<Version>) -> Result<(), StorageError> {
        Ok(())
    }

    fn present(_work: &Command, posted: &Posted, row: &Version) -> Vec<u8> {
        format!("{row} {:?}", posted.balance.balances).into_bytes()
    }
}

/// What the tables hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    pub owners: BTreeMap<OwnerId, (Version, DateTime<Utc>)>,
    chains: BTreeMap<OwnerId, ChainHash>,
    pub accounts: BTreeMap<(OwnerId, UnitCode), Account>,
    lots: BTreeMap<(OwnerId, LotId), (UnitCode, Lot)>,
    pub holds: BTreeMap<HoldId, (OwnerId, Hold)>,
    requests: BTreeMap<RequestId, (Vec<u8>, bool, Vec<u8>)>,
    receipts: BTreeMap<(String, String), TransactionId>,
    pub versions: BTreeMap<(OwnerId, Version), TransactionKind>,
}

impl Tables {
    pub fn with_owners(count: u128) -> Self {
        let owners = (1..=count).map(|number| (owner_id(number), (Version::ZERO, start())));
        Self {
            owners: owners.collect(),
            ..Self::default()
        }
    }

    /// One commit.
    pub fn post(&mut self, now: DateTime<Utc>, calls: &[Call<Command>]) -> Vec<Result<Answer, Refusal>> {
        let ground = Ground::<Plain> {
            program: program(),
            now,
            owners: self
                .owners
                .keys()
                .map(|owner_id| (*owner_id, self.state(*owner_id)))
                .collect(),
            funds: Funds::default(),
            spending: Spending::default(),
            earlier: self.earlier(),
            room: (),
            encode_refusal: told,
        };
        let decided = decide(ground, calls);
        let heads: BTreeMap<_, _> = decided
            .owners
            .iter()
            .map(|owner| (owner.owner_id, owner.chain_head))
            .collect();
        for owner in decided.owners {
            self.write_owner(owner);
        }
        for transaction in decided.transactions {
            self.write_transaction(transaction);
        }
        for (owner_id, head) in heads {
            assert_eq!(
                head,
                self.chains.get(&owner_id).copied(),
                "the owner's chain ends with the newest"
            );
        }
        decided.answers
    }

    fn state(&self, owner_id: OwnerId) -> OwnerState {
        let (version, last_time) = self.owners[&owner_id];
        let mut state = OwnerState {
            version,
            chain_head: self.chains.get(&owner_id).copied(),
            ..OwnerState::opened_at(last_time)
        };
        let accounts = self.accounts.iter().filter(|((owner, _), _)| *owner == owner_id);
        for ((_, unit_code), account) in accounts {
            state.accounts.insert(unit_code.clone(), account.clone());
        }
        let lots = self.lots.iter().filter(|((owner, _), _)| *owner == owner_id);
        for (unit_code, lot) in lots
            .map(|(_, lot)| lot)
            .filter(|(_, lot)| lot.value_left.is_positive() || lot.value_held.is_positive())
        {
            state
                .accounts
                .get_mut(unit_code)
                .expect("an account")
                .lots
                .push(lot.clone());
        }
        let holds = self.holds.values().filter(|(owner, _)| *owner == owner_id);
        for (_, hold) in holds.filter(|(_, hold)| hold.status == HoldStatus::Open) {
            let account = state.accounts.get_mut(&hold.unit_code).expect("an account");
            account.holds.push(hold.clone());
        }
        for account in state.accounts.values_mut() {
            account.holds.sort_by_key(|hold| (hold.expire_time, hold.hold_id));
            account.lots.sort_by_key(|lot| {
                (
                    lot.expire_time.is_none(),
                    lot.expire_time,
                    lot.slides,
                    lot.create_time,
                    lot.lot_id,
                )
            });
        }
        state
    }

    fn earlier(&self) -> Earlier {
        let request = |(id, (hash, accepted, answer)): (&RequestId, &(Vec<u8>, bool, Vec<u8>))| {
            let request = EarlierRequest {
                command_hash: hash.clone(),
                accepted: *accepted,
                answer: answer.clone(),
            };
            (*id, request)
        };
        Earlier {
            requests: self.requests.iter().map(request).collect(),
            receipts: self.receipts.clone().into_iter().collect(),
        }
    }

    fn write_owner(&mut self, owner: OwnerChange) {
        let row = self.owners.get_mut(&owner.owner_id).expect("an owner");
        assert_eq!(row.0, owner.version_before);
        assert!(row.1 <= owner.last_time, "an owner's time never runs backwards");
        *row = (owner.version, owner.last_time);
        for account in owner.accounts {
            let key = (owner.owner_id, account.unit_code.clone());
            assert_eq!(account.is_new, !self.accounts.contains_key(&key));
            self.accounts.insert(key, account.account());
        }
        for (unit_code, lot) in owner.new_lots {
            let before = self.lots.insert((owner.owner_id, lot.lot_id), (unit_code, lot));
            assert_eq!(before, None, "a new lot has no row yet");
        }
        for (unit_code, lot) in owner.lots {
            let before = self.lots.insert((owner.owner_id, lot.lot_id), (unit_code, lot));
            assert!(
                before.is_some_and(|(_, lot)| lot.is_open()),
                "an open lot has a row"
            );
        }
        for (unit_code, lot) in owner.returned_lots {
            self.lots.insert((owner.owner_id, lot.lot_id), (unit_code, lot));
        }
        for hold in owner.holds {
            self.holds.insert(hold.hold_id, (owner.owner_id, hold));
        }
    }

    fn write_transaction(&mut self, new: NewTransaction) {
        self.chain(&new);
        let it = new.transaction;
        if let (Some(request_id), Some(hash), Some(answer)) = (it.request_id, new.command_hash, new.answer) {
            let request = (hash.to_vec(), new.outcome != Outcome::Refused, answer);
            assert!(
                self.requests.insert(request_id, request).is_none(),
                "the net of request ids"
            );
        }
        if new.outcome != Outcome::Posted {
            return;
        }
        if let Some(receipt_id) = it.receipt_id {
            let before = self.receipts.insert((it.source, receipt_id), it.transaction_id);
            assert!(before.is_none(), "the net of receipts");
        }
        assert!(
            self.versions.insert((it.owner_id, it.version), it.kind).is_none(),
            "the net of versions"
        );
    }

    /// Holds a hash to what it says it is of, as it is written.
    fn chain(&mut self, new: &NewTransaction) {
        if new.outcome != Outcome::Posted {
            assert_eq!(new.chain_hash, None);
            return;
        }
        let owner_id = new.transaction.owner_id;
        let before = self.chains.get(&owner_id).copied();
        let expected = before
            .unwrap_or_else(|| ChainHash::root(program(), owner_id))
            .then(&Link {
                program: program(),
                transaction: &new.transaction,
                command_hash: new.command_hash.as_ref().map(<[u8; 32]>::as_slice),
                answer: new.answer.as_deref(),
            });
        assert_eq!(new.chain_hash, Some(expected));
        self.chains.insert(owner_id, expected);
    }

    /// Everything but the ids that are drawn.
    pub fn told(&self) -> String {
        let mut lots: Vec<_> = self
            .lots
            .iter()
            .map(|((owner, _), (unit, lot))| {
                let values = (lot.value_left, lot.value_held, lot.value_credited);
                (owner, unit, lot.expire_time, lot.slides, values)
            })
            .collect();
        lots.sort_unstable();
        let receipts: Vec<_> = self.receipts.keys().collect();
        let holds = self.holds.values().map(|(owner, hold)| {
            let pins: Vec<Points> = hold.pins.iter().map(|pin| pin.value).collect();
            (owner, hold.hold_id, hold.status, hold.captured, pins)
        });
        let holds: Vec<_> = holds.collect();
        format!(
            "{:?} {:?} {lots:?} {holds:?} {:?} {receipts:?} {:?}",
            self.owners, self.accounts, self.requests, self.versions
        )
    }
}

/// A refusal without the ids that are drawn.
pub fn told(refusal: &Refusal) -> Vec<u8> {
    match refusal {
        Refusal::ReceiptAlreadyUsed { receipt_id, .. } => format!("used {receipt_id}"),
        other => format!("{other:?}"),
    }
    .into_bytes()
}
