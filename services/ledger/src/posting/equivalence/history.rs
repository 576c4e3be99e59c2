//! Calls of all rooms, drawn from a seed.

mod what;

use fealty_types::{OwnerId, RequestId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::posting::call::Call;
use crate::posting::rooms::Work;
use what::{Gift, Start, What};

/// Few, so that they meet; of those who are called upon, one more does not exist.
pub(super) const OWNERS: u128 = 4;

/// Uses the account of the one before.
pub(super) const MEMBER: u128 = OWNERS;

const UNITS: [&str; 3] = ["points", "stamps", "miles"];

/// What pays, and what it counts. The last one does not exist.
const BUDGETS: [(&str, &str); 3] = [("spring", "points"), ("partner", "miles"), ("nobodys", "points")];

/// Receipts are few, too.
const RECEIPTS: u32 = 90;

/// A call, as often as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    request: u128,
    owner: u128,
    receipt: Option<u32>,
    what: What,
}

pub(super) fn owner_id(number: u128) -> OwnerId {
    OwnerId::try_from(Uuid::from_u128(number)).expect("not nil")
}

/// Whose account an owner uses.
pub(super) const fn account_of(owner: u128) -> u128 {
    if owner == MEMBER { MEMBER - 1 } else { owner }
}

/// Parts of a history. Ids are told apart over all of them.
pub(super) fn drawn(seed: u64, parts_count: usize, part_calls: usize) -> Vec<Vec<Spec>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut before: Vec<Spec> = Vec::new();
    (0..parts_count)
        .map(|_| {
            let mut part = Vec::new();
            let committed = before.len();
            for _ in 0..part_calls {
                let request = 1_000 + u128::try_from(before.len()).expect("a few hundred");
                let spec = Draw {
                    random: &mut random,
                    before: &before,
                    committed,
                }
                .spec(request);
                before.push(spec.clone());
                part.push(spec);
            }
            part
        })
        .collect()
}

/// What the next call is drawn by.
struct Draw<'a> {
    random: &'a mut StdRng,
    /// What was drawn before.
    before: &'a [Spec],
    /// So many of it are committed.
    committed: usize,
}

impl Draw<'_> {
    fn one_in(&mut self, count: u32) -> bool {
        self.random.random_range(0..count) == 0
    }

    fn unit(&mut self) -> &'static str {
        UNITS[self.random.random_range(0..UNITS.len())]
    }

    fn owner(&mut self) -> u128 {
        let nobody = u128::from(self.one_in(20));
        self.random.random_range(1..=OWNERS + nobody)
    }

    /// One of those before, if there is any.
    fn named(&mut self, upto: usize, is_it: fn(&What) -> bool) -> Option<(u128, u128)> {
        let those: Vec<&Spec> = self.before[..upto]
            .iter()
            .filter(|spec| is_it(&spec.what))
            .collect();
        let chosen = (!those.is_empty()).then(|| those[self.random.random_range(0..those.len())]);
        chosen.map(|spec| (spec.request, spec.owner))
    }

    fn spec(mut self, request: u128) -> Spec {
        if !self.before.is_empty() && self.one_in(10) {
            return self.again();
        }
        let (owner, what) = match self.random.random_range(0..28) {
            0..=9 => self.moved(),
            10..=13 => self.set_aside(),
            14..=17 => self.bought(),
            18..=20 => self.begun(),
            21..=25 => self.reversed(),
            _ => {
                let value = self.random.random_range(-40..40);
                let value = if value == 0 { 40 } else { value };
                (self.owner(), What::Adjust(self.unit(), value, self.one_in(2)))
            }
        };
        let mut receipt = Some(self.random.random_range(0..RECEIPTS));
        // Purchases and refunds always have one, and the rest has some.
        if !matches!(what, What::Purchase(_) | What::Refund(..)) && !self.one_in(5) {
            receipt = None;
        }
        Spec {
            request,
            owner,
            receipt,
            what,
        }
    }

    /// Once more, and now and then with another owner or another command under the same id.
    fn again(self) -> Spec {
        let mut again = self.before[self.random.random_range(0..self.before.len())].clone();
        match self.random.random_range(0..4) {
            0 => again.what = What::Spend("points", self.random.random_range(1..9)),
            1 => again.owner = self.random.random_range(1..=OWNERS),
            _ => {}
        }
        again
    }

    /// A credit, a spend or a transfer.
    fn moved(&mut self) -> (u128, What) {
        let owner = self.owner();
        let what = match self.random.random_range(0..10) {
            0..=4 => What::Credit(self.gift()),
            5..=7 => What::Spend(self.unit(), self.random.random_range(1..50)),
            _ => {
                // Mostly of what may be sent; also to oneself, and to nobody.
                let unit = if self.one_in(6) { "stamps" } else { "points" };
                let unit = if self.one_in(3) { "miles" } else { unit };
                What::Transfer(self.owner(), unit, self.random.random_range(1..45))
            }
        };
        (owner, what)
    }

    fn gift(&mut self) -> Gift {
        let mut gift = Gift {
            unit: self.unit(),
            value: self.random.random_range(1..60),
            days: self.one_in(2).then(|| self.random.random_range(1..13)),
            begin: None,
            budget: None,
        };
        if self.one_in(3) {
            let (budget, unit) = BUDGETS[self.random.random_range(0..BUDGETS.len())];
            gift.budget = Some(budget);
            gift.unit = if self.one_in(6) { gift.unit } else { unit };
            gift.days = gift.days.or(Some(5));
        }
        if self.one_in(3) {
            let days = self.random.random_range(-1..9);
            gift.begin = Some(if self.one_in(2) {
                Start::OnCall
            } else {
                Start::Days(days)
            });
            gift.days = gift.days.map(|end| end.max(days + 1));
        }
        gift
    }

    /// A hold, or its end.
    fn set_aside(&mut self) -> (u128, What) {
        let earlier = self.named(self.before.len(), |what| matches!(what, What::Hold(..)));
        match (self.random.random_range(0..4), earlier) {
            (2, Some((hold, owner))) => {
                let value = self.one_in(2).then(|| self.random.random_range(1..30));
                (
                    account_of(owner),
                    What::Capture {
                        hold,
                        by: owner,
                        value,
                    },
                )
            }
            (3, Some((hold, by))) => (account_of(by), What::Release { hold, by }),
            _ => {
                let days = self.random.random_range(1..9);
                let value = self.random.random_range(1..30);
                (self.owner(), What::Hold(self.unit(), value, days))
            }
        }
    }

    /// A purchase or a refund. A refund finds its purchase's owner before it is posted, so the two are never in one batch.
    fn bought(&mut self) -> (u128, What) {
        let bought = self.named(self.committed, |what| matches!(what, What::Purchase(_)));
        match (self.random.random_range(0..4), bought) {
            (0, Some((purchase, owner))) => {
                let minor = self.random.random_range(1..4_000);
                (owner, What::Refund(Some(purchase), minor))
            }
            (1, _) => (
                self.owner(),
                What::Refund(None, self.random.random_range(1..4_000)),
            ),
            _ => (self.owner(), What::Purchase(self.random.random_range(0..9_000))),
        }
    }

    /// What waits begins: mostly asked of whoever has it.
    fn begun(&mut self) -> (u128, What) {
        let waits = |what: &What| matches!(what, What::Credit(gift) if gift.begin.is_some());
        let Some((credit, by)) = self.named(self.before.len(), waits) else {
            return self.moved();
        };
        let owner = if self.one_in(8) {
            self.owner()
        } else {
            account_of(by)
        };
        (owner, What::Activate { credit, by })
    }

    /// A reversal, mostly of what can be reversed.
    fn reversed(&mut self) -> (u128, What) {
        let is_it = match self.random.random_range(0..8) {
            0 => |_: &What| true,
            1 | 2 => |what: &What| matches!(what, What::Capture { .. }),
            3 | 4 => |what: &What| matches!(what, What::Spend(..)),
            5 => |what: &What| matches!(what, What::Credit(gift) if gift.begin.is_some()),
            _ => |what: &What| matches!(what, What::Credit(_)),
        };
        let Some((of, by)) = self.named(self.before.len(), is_it) else {
            return self.moved();
        };
        let value = self.one_in(2).then(|| self.random.random_range(1..25));
        (account_of(by), What::Reverse { of, by, value })
    }
}

impl Spec {
    pub(super) fn call(&self) -> Call<Work> {
        let owner_id = owner_id(self.owner);
        let command = Self {
            request: 0,
            ..self.clone()
        };
        let asked = self.what.asked(self.request, owner_id);
        Call {
            request_id: RequestId::try_from(Uuid::from_u128(self.request)).expect("not nil"),
            command_hash: Sha256::digest(format!("{command:?}")).into(),
            owner_id,
            counterpart_id: asked.counterpart_id,
            on_behalf_of: asked.on_behalf_of,
            kind: asked.kind,
            source: "till".to_owned(),
            receipt_id: self.receipt.map(|receipt| receipt.to_string()),
            money: asked.money,
            actor: "key:test".to_owned(),
            reason: String::new(),
            occur_time: None,
            trace_parent: None,
            work: asked.work,
        }
    }
}
