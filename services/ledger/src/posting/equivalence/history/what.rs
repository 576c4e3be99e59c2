//! What is asked for, and what it is for its room.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fealty_types::{HoldId, Money, OwnerId, Points, PurchaseId, TransactionId, UnitCode};
use uuid::Uuid;

use super::super::start;
use super::{BUDGETS, account_of, owner_id};
use crate::holds::domain::HoldWork;
use crate::posting::domain::{Begin, TransactionKind};
use crate::posting::rooms::Work;
use crate::purchases::{NewPurchase, NewRefund};
use crate::transactions::ActivatingWork;
use crate::transactions::domain::{
    AdjustTerms, CreditTerms, PointsTerms, PointsWork, ReversalWork, TransferWork,
};

/// Those that are named are the requests that made them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Credit(Gift),
    Spend(&'static str, i64),
    /// By how much, and whether what is not there may be owed.
    Adjust(&'static str, i64, bool),
    /// To whom.
    Transfer(u128, &'static str, i64),
    Hold(&'static str, i64, i64),
    /// Which hold, and who was named by it.
    Capture {
        hold: u128,
        by: u128,
        value: Option<i64>,
    },
    /// The same.
    Release {
        hold: u128,
        by: u128,
    },
    Purchase(i64),
    Refund(Option<u128>, i64),
    /// Which credit, and who was named by it.
    Activate {
        credit: u128,
        by: u128,
    },
    /// What, and who was named by it.
    Reverse {
        of: u128,
        by: u128,
        value: Option<i64>,
    },
}

/// Points to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gift {
    pub(super) unit: &'static str,
    pub(super) value: i64,
    /// When they end; by the unit's rule if there is none.
    pub(super) days: Option<i64>,
    pub(super) begin: Option<Start>,
    pub(super) budget: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Some of those have passed.
    Days(i64),
    OnCall,
}

/// What a call says that depends on what it asks for.
pub(super) struct Asked {
    pub(super) kind: TransactionKind,
    pub(super) money: Option<Money>,
    pub(super) counterpart_id: Option<OwnerId>,
    pub(super) on_behalf_of: Option<OwnerId>,
    pub(super) work: Work,
}

impl Asked {
    fn new(kind: TransactionKind, work: impl Into<Work>) -> Self {
        Self {
            kind,
            money: None,
            counterpart_id: None,
            on_behalf_of: None,
            work: work.into(),
        }
    }

    /// For whom did what it is about.
    fn on_behalf_of(self, by: u128) -> Self {
        Self {
            on_behalf_of: (account_of(by) != by).then(|| owner_id(by)),
            ..self
        }
    }
}

impl What {
    /// As the request of that number asks it of that owner.
    pub(super) fn asked(&self, request: u128, asked_of: OwnerId) -> Asked {
        match *self {
            Self::Credit(ref gift) => gift.asked(request),
            Self::Spend(code, value) => points(TransactionKind::Spend, code, value, PointsTerms::Spend),
            Self::Adjust(code, value, allow_debt) => {
                let terms = AdjustTerms {
                    lot_expire_time: None,
                    allow_debt,
                };
                points(TransactionKind::Adjust, code, value, PointsTerms::Adjust(terms))
            }
            Self::Transfer(to, code, value) => {
                let work = TransferWork {
                    owner_id: asked_of,
                    unit_code: unit(code),
                    value: Points::new(value),
                    zone: Tz::UTC,
                };
                Asked {
                    counterpart_id: Some(owner_id(to)),
                    ..Asked::new(TransactionKind::Transfer, work)
                }
            }
            Self::Hold(code, value, days) => {
                let hold = HoldWork::Hold {
                    unit_code: unit(code),
                    value: Points::new(value),
                    duration: TimeDelta::days(days),
                    source: "till".to_owned(),
                };
                Asked::new(TransactionKind::Hold, hold)
            }
            Self::Capture { hold, by, value } => {
                let capture = HoldWork::Capture {
                    hold_id: hold_id(hold),
                    value: value.map(Points::new),
                    zone: Tz::UTC,
                };
                Asked::new(TransactionKind::Capture, capture).on_behalf_of(by)
            }
            Self::Release { hold, by } => {
                let hold_id = hold_id(hold);
                Asked::new(TransactionKind::Release, HoldWork::Release { hold_id }).on_behalf_of(by)
            }
            Self::Purchase(minor) => bought(minor),
            Self::Refund(purchase, minor) => refunded(purchase, minor),
            Self::Activate { credit, by } => {
                let work = ActivatingWork {
                    credited_by: transaction_id(credit),
                    zone: Tz::UTC,
                };
                Asked::new(TransactionKind::Activate, work).on_behalf_of(by)
            }
            Self::Reverse { of, by, value } => {
                let work = ReversalWork {
                    transaction_id: transaction_id(of),
                    value: value.map(Points::new),
                    zone: Tz::UTC,
                };
                Asked::new(TransactionKind::Reverse, work).on_behalf_of(by)
            }
        }
    }
}

impl Gift {
    /// Where lots come in the order of their ids, which are drawn, histories differ. So what is not one lot has ends or
    /// beginnings of its own, by some microseconds.
    fn asked(&self, request: u128) -> Asked {
        let own = TimeDelta::microseconds(i64::try_from(request).expect("a small number"));
        let begin = self.begin.map(|begin| match begin {
            Start::Days(days) => Begin::At(day(days) + own),
            Start::OnCall => Begin::OnCall,
        });
        let budget = BUDGETS.iter().position(|(code, _)| Some(*code) == self.budget);
        let of_budget = budget.map_or(0, |place| 1 + i64::try_from(place).expect("a small number"));
        let apart = match begin {
            Some(_) => own,
            None => TimeDelta::microseconds(of_budget),
        };
        let terms = CreditTerms {
            lot_expire_time: self.days.map(|days| day(days) + apart),
            begin,
            budget_code: self.budget.map(|code| code.parse().expect("a code")),
        };
        points(
            TransactionKind::Credit,
            self.unit,
            self.value,
            PointsTerms::Credit(terms),
        )
    }
}

fn day(days: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(days)
}

fn points(kind: TransactionKind, code: &str, value: i64, terms: PointsTerms) -> Asked {
    let work = PointsWork {
        unit_code: unit(code),
        value: Points::new(value),
        terms,
        zone: Tz::UTC,
    };
    Asked::new(kind, work)
}

fn bought(minor: i64) -> Asked {
    let purchase = NewPurchase {
        money: pounds(minor),
        program_currency: pounds(0).currency,
        zone: Tz::UTC,
    };
    Asked {
        money: Some(pounds(minor)),
        ..Asked::new(TransactionKind::Purchase, Work::Purchase(purchase))
    }
}

fn refunded(purchase: Option<u128>, minor: i64) -> Asked {
    let refund = NewRefund {
        purchase_id: purchase.map(purchase_id),
        money: pounds(minor),
        program_currency: pounds(0).currency,
    };
    Asked {
        money: Some(pounds(minor)),
        ..Asked::new(TransactionKind::Refund, Work::Refund(refund))
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

fn transaction_id(number: u128) -> TransactionId {
    TransactionId::try_from(Uuid::from_u128(number)).expect("not nil")
}

fn pounds(minor: i64) -> Money {
    Money::new("GBP".parse().expect("a currency"), minor)
}
