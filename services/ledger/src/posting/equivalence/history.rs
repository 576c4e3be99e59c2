//! Calls of all rooms, drawn from a seed.

use chrono::TimeDelta;
use chrono_tz::Tz;
use fealty_types::{HoldId, Money, OwnerId, Points, PurchaseId, RequestId, UnitCode};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::start;
use crate::holds::domain::HoldWork;
use crate::posting::call::Call;
use crate::posting::domain::{Begin, TransactionKind};
use crate::posting::rooms::Work;
use crate::purchases::{NewPurchase, NewRefund};
use crate::transactions::domain::{CreditTerms, PointsTerms, PointsWork};

/// Few, so that they meet; of those who are called upon, one more does not exist.
pub(super) const OWNERS: u128 = 4;

const UNITS: [&str; 3] = ["points", "stamps", "miles"];

/// Receipts are few, too.
const RECEIPTS: u32 = 60;

/// A call, as often as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    request: u128,
    owner: u128,
    receipt: Option<u32>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Credit(&'static str, i64, Option<i64>),
    Spend(&'static str, i64),
    Hold(&'static str, i64, i64),
    Capture(u128, Option<i64>),
    Release(u128),
    Purchase(i64),
    Refund(Option<u128>, i64),
}

pub(super) fn owner_id(number: u128) -> OwnerId {
    OwnerId::try_from(Uuid::from_u128(number)).expect("not nil")
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
                let spec = draw(&mut random, request, (&before, committed));
                before.push(spec.clone());
                part.push(spec);
            }
            part
        })
        .collect()
}

/// After what was drawn before, of which so much is committed. A refund finds its purchase's owner before it is posted, so that
/// the two are never in one batch.
fn draw(random: &mut StdRng, request: u128, (before, committed): (&[Spec], usize)) -> Spec {
    if !before.is_empty() && random.random_range(0..10) == 0 {
        // Once more, and now and then with another owner or another command under the same id.
        let mut again = before[random.random_range(0..before.len())].clone();
        match random.random_range(0..4) {
            0 => again.what = What::Spend("points", random.random_range(1..9)),
            1 => again.owner = random.random_range(1..=OWNERS),
            _ => {}
        }
        return again;
    }
    let nobody = u128::from(random.random_range(0..20) == 0);
    let owner = random.random_range(1..=OWNERS + nobody);
    let unit = UNITS[random.random_range(0..UNITS.len())];
    let mut receipt = Some(random.random_range(0..RECEIPTS));
    let mut named = |before: &[Spec], is_it: fn(&What) -> bool| {
        let those: Vec<&Spec> = before.iter().filter(|spec| is_it(&spec.what)).collect();
        let chosen = (!those.is_empty()).then(|| those[random.random_range(0..those.len())]);
        chosen.map(|spec| (spec.request, spec.owner))
    };
    let hold = named(before, |what| matches!(what, What::Hold(..)));
    let purchase = named(&before[..committed], |what| matches!(what, What::Purchase(_)));
    let (owner, what) = match (random.random_range(0..13), hold, purchase) {
        (0..=2, ..) => {
            let days = (random.random_range(0..2) == 0).then(|| random.random_range(1..13));
            (owner, What::Credit(unit, random.random_range(1..60), days))
        }
        (3 | 4, ..) => (owner, What::Spend(unit, random.random_range(1..50))),
        (5 | 6, ..) => {
            let days = random.random_range(1..9);
            (owner, What::Hold(unit, random.random_range(1..30), days))
        }
        (7, Some((hold, owner)), _) => {
            let value = (random.random_range(0..2) == 0).then(|| random.random_range(1..30));
            (owner, What::Capture(hold, value))
        }
        (8, Some((hold, owner)), _) => (owner, What::Release(hold)),
        (9, _, Some((purchase, owner))) => {
            (owner, What::Refund(Some(purchase), random.random_range(1..4_000)))
        }
        (10, ..) => (owner, What::Refund(None, random.random_range(1..4_000))),
        _ => (owner, What::Purchase(random.random_range(0..9_000))),
    };
    // Purchases and refunds always have one, and the rest has some.
    if !matches!(what, What::Purchase(_) | What::Refund(..)) && random.random_range(0..5) != 0 {
        receipt = None;
    }
    Spec {
        request,
        owner,
        receipt,
        what,
    }
}

impl Spec {
    pub(super) fn call(&self) -> Call<Work> {
        let (kind, money, work) = self.what.work();
        let command = Self {
            request: 0,
            ..self.clone()
        };
        Call {
            request_id: RequestId::try_from(Uuid::from_u128(self.request)).expect("not nil"),
            command_hash: Sha256::digest(format!("{command:?}")).into(),
            owner_id: owner_id(self.owner),
            counterpart_id: None,
            on_behalf_of: None,
            kind,
            source: "till".to_owned(),
            receipt_id: self.receipt.map(|receipt| receipt.to_string()),
            money,
            actor: "key:test".to_owned(),
            reason: String::new(),
            occur_time: None,
            trace_parent: None,
            work,
        }
    }
}

impl What {
    fn work(&self) -> (TransactionKind, Option<Money>, Work) {
        let points = |unit_code, value, terms| {
            Work::Points(PointsWork {
                unit_code,
                value: Points::new(value),
                terms,
                zone: Tz::UTC,
            })
        };
        match *self {
            Self::Credit(code, value, days) => {
                let lot_expire_time = days.map(|days| start() + TimeDelta::days(days));
                let terms = PointsTerms::Credit(CreditTerms {
                    lot_expire_time,
                    // Some wait for a time, and some of those come before it.
                    begin: (value % 5 == 0).then(|| Begin::At(start() + TimeDelta::days(value / 10))),
                    ..CreditTerms::default()
                });
                (TransactionKind::Credit, None, points(unit(code), value, terms))
            }
            Self::Spend(code, value) => (
                TransactionKind::Spend,
                None,
                points(unit(code), value, PointsTerms::Spend),
            ),
            Self::Hold(code, value, days) => {
                let hold = HoldWork::Hold {
                    unit_code: unit(code),
                    value: Points::new(value),
                    duration: TimeDelta::days(days),
                    source: "till".to_owned(),
                };
                (TransactionKind::Hold, None, Work::Hold(hold))
            }
            Self::Capture(hold, value) => {
                let capture = HoldWork::Capture {
                    hold_id: hold_id(hold),
                    value: value.map(Points::new),
                    zone: Tz::UTC,
                };
                (TransactionKind::Capture, None, Work::Hold(capture))
            }
            Self::Release(hold) => {
                let release = HoldWork::Release {
                    hold_id: hold_id(hold),
                };
                (TransactionKind::Release, None, Work::Hold(release))
            }
            Self::Purchase(minor) => {
                let purchase = NewPurchase {
                    money: pounds(minor),
                    program_currency: pounds(0).currency,
                    zone: Tz::UTC,
                };
                (
                    TransactionKind::Purchase,
                    Some(pounds(minor)),
                    Work::Purchase(purchase),
                )
            }
            Self::Refund(purchase, minor) => {
                let refund = NewRefund {
                    purchase_id: purchase.map(purchase_id),
                    money: pounds(minor),
                    program_currency: pounds(0).currency,
                };
                (TransactionKind::Refund, Some(pounds(minor)), Work::Refund(refund))
            }
        }
    }
}

fn unit(code: &str) -> UnitCode {
    code.parse().expect("a code")
}

fn hold_id(number: u128) -> HoldId {
    HoldId::try_from(Uuid::from_u128(number)).expect("not nil")
}

fn purchase_id(number: u128) -> PurchaseId {
    PurchaseId::try_from(Uuid::from_u128(number)).expect("not nil")
}

fn pounds(minor: i64) -> Money {
    Money::new("GBP".parse().expect("a currency"), minor)
}
