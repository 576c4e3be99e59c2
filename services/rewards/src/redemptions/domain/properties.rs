//! Whatever crashes, and whoever goes on: a redemption comes to exactly one end, and what was set aside agrees with it.
//!
//! The world around the pure machine is a model: a ledger that remembers what it did for a request, a stock, and workers
//! who stop before or after any effect, or before it is written down.

use fealty_types::{Points, UnitCode};
use proptest::prelude::*;

use super::*;
use crate::catalogue::domain::{CodeSource, NewReward, RewardStatus, Terms as RewardTerms};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeldPoints {
    Never,
    Open(HoldId),
    Spent,
    Free,
}

/// What surrounds a redemption.
#[derive(Debug)]
struct Model {
    funds: bool,
    stock_left: u32,
    counted: u32,
    points: HeldPoints,
    /// The hold ends by itself before it can be captured.
    hold_ends: bool,
    vouchers: u32,
    stored: Redemption,
}

/// What befalls a worker on its way through one piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luck {
    /// It goes well.
    Done,
    /// It crashes before the effect.
    CrashBefore,
    /// It crashes after a call took effect, before that is written down.
    CrashBetween,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        3 => Just(Luck::Done),
        1 => Just(Luck::CrashBefore),
        1 => Just(Luck::CrashBetween),
    ]
}

fn reward(priced: bool) -> Reward {
    let unit_code: UnitCode = "points".parse().unwrap();
    NewReward {
        terms: RewardTerms {
            display_name: "Coffee".to_owned(),
            description: String::new(),
            price: priced.then(|| Price {
                unit_code,
                value: Points::new(100),
            }),
            status: RewardStatus::Active,
            start_time: None,
            end_time: None,
            tier_codes: Vec::new(),
            per_member_count_max: 1,
            voucher_life_days: 0,
        },
        code_source: CodeSource::Generated,
        stock_unlimited: false,
        stock_count: 1,
    }
    .start(RewardId::generate_at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH)
}

impl Model {
    fn new(priced: bool, funds: bool, stock_left: u32, hold_ends: bool) -> Self {
        let now = DateTime::UNIX_EPOCH;
        let member_id = MemberId::generate_at(now);
        Self {
            funds,
            stock_left,
            counted: 1,
            points: HeldPoints::Never,
            hold_ends,
            vouchers: 0,
            stored: Redemption::begin(RedemptionId::generate_at(now), member_id, &reward(priced), now),
        }
    }

    /// The ledger's answer to the hold: the same every time.
    fn hold(&mut self) -> Option<HoldId> {
        if self.points == HeldPoints::Never && self.funds {
            self.points = HeldPoints::Open(HoldId::generate_at(DateTime::UNIX_EPOCH));
        }
        match self.points {
            HeldPoints::Open(hold_id) => Some(hold_id),
            _ => None,
        }
    }

    fn capture(&mut self) -> bool {
        if self.hold_ends && matches!(self.points, HeldPoints::Open(_)) {
            self.points = HeldPoints::Free;
        }
        if matches!(self.points, HeldPoints::Open(_)) {
            self.points = HeldPoints::Spent;
        }
        self.points == HeldPoints::Spent
    }

    fn turn_back(&mut self, from: Redemption, why: &str) {
        self.stock_left += u32::from(from.reserved);
        self.counted -= 1;
        self.stored = from.turned_back(Failure::new(why, []));
    }

    /// One worker's attempt at the next piece of work.
    fn attempt(&mut self, luck: Luck) {
        let now = DateTime::UNIX_EPOCH;
        let from = self.stored.clone();
        let Some(work) = from.next_work() else { return };
        if luck == Luck::CrashBefore {
            return;
        }
        let lost = luck == Luck::CrashBetween;
        match work {
            Work::Hold(_) => match self.hold() {
                _ if lost => {}
                Some(hold_id) => self.stored = from.held(hold_id),
                None => self.turn_back(from.without_hold(), "INSUFFICIENT_BALANCE"),
            },
            // What is written in one transaction is written whole or not at all.
            _ if lost && !matches!(work, Work::Capture(_) | Work::Release(_) | Work::LearnHold(_)) => {}
            Work::Reserve if self.stock_left > 0 => {
                self.stock_left -= 1;
                self.stored = from.reserved();
            }
            Work::Reserve => self.turn_back(from, "OUT_OF_STOCK"),
            Work::BeginCapture => self.stored = from.capturing(),
            Work::Capture(_) => match self.capture() {
                _ if lost => {}
                true => self.stored = from.captured(),
                false => self.turn_back(from, "HOLD_NOT_OPEN"),
            },
            Work::Issue => {
                self.vouchers += 1;
                self.stored = from.redeemed(VoucherId::generate_at(now), now);
            }
            Work::LearnHold(_) => match self.hold() {
                _ if lost => {}
                Some(hold_id) => self.stored = from.with_hold(hold_id),
                None => self.stored = from.undone(now),
            },
            Work::Release(_) => {
                assert_ne!(
                    self.points,
                    HeldPoints::Spent,
                    "what is spent is never given back"
                );
                self.points = HeldPoints::Free;
                if !lost {
                    self.stored = from.undone(now);
                }
            }
            Work::EndUndone => self.stored = from.undone(now),
        }
    }

    /// What the job does when it takes a redemption over.
    fn take_over(&mut self) {
        if self.stored.step.is_before_capture() {
            let from = self.stored.clone();
            self.turn_back(from, "REDEMPTION_ABANDONED");
        }
    }
}

proptest! {
    #[test]
    fn every_redemption_comes_to_one_end_and_the_books_agree(
        priced: bool,
        funds: bool,
        stock in 0..2_u32,
        hold_ends: bool,
        lucks in prop::collection::vec((luck(), any::<bool>()), 0..30),
    ) {
        let mut model = Model::new(priced, funds, stock, hold_ends);
        let mut was_capturing = false;
        for (luck, taken_over) in lucks {
            if taken_over && luck != Luck::Done {
                model.take_over();
            }
            model.attempt(luck);
            was_capturing |= model.stored.step == Step::Captured;
            prop_assert!(
                !was_capturing || matches!(model.stored.step, Step::Captured | Step::Redeemed),
                "nothing leads back from CAPTURED"
            );
        }
        // Whoever comes last has better luck.
        for _ in 0..8 {
            model.attempt(Luck::Done);
        }
        let redeemed = model.stored.step == Step::Redeemed;
        prop_assert!(model.stored.step.is_end());
        prop_assert_eq!(model.vouchers, u32::from(redeemed));
        prop_assert_eq!(model.stock_left, stock - u32::from(redeemed));
        prop_assert_eq!(model.counted, u32::from(redeemed));
        prop_assert_eq!(model.points == HeldPoints::Spent, redeemed && priced);
        prop_assert!(!matches!(model.points, HeldPoints::Open(_)), "nothing stays set aside");
        prop_assert_eq!(model.stored.failure.is_some(), !redeemed);
    }
}
