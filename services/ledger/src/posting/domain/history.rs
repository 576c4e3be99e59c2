//! An owner's history, made of steps that a test chooses or draws.

use std::collections::BTreeMap;

mod reversals;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{BudgetCode, HoldId, LotId, Points, TransactionId, UnitCode};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::*;

pub const UNITS: [&str; 3] = ["points", "stamps", "roubles"];

/// The unit whose points end by activity, unless their credit says another end.
pub const SLIDING: usize = 1;

/// How long they live after the last one.
const SLIDING_LIFE_HOURS: i64 = 20;

/// What happens next.
#[derive(Debug, Clone)]
pub enum Step {
    Wait(i64),
    Credit {
        unit: usize,
        value: i64,
        life_hours: Option<i64>,
    },
    /// Points that wait so many hours, or for a call.
    CreditLater {
        unit: usize,
        value: i64,
        life_hours: Option<i64>,
        wait_hours: Option<i64>,
    },
    /// Of what any change gave.
    Activate {
        change: Index,
    },
    Spend {
        unit: usize,
        value: i64,
    },
    Purchase {
        values: Vec<i64>,
        life_hours: Option<i64>,
    },
    Refund {
        unit: usize,
        value: i64,
        debt_max: i64,
        lots: Vec<Index>,
    },
    Hold {
        unit: usize,
        value: i64,
        life_hours: i64,
    },
    /// Of any hold that was ever made.
    Capture {
        hold: Index,
        value: i64,
    },
    /// The same.
    Release {
        hold: Index,
    },
    Adjust {
        unit: usize,
        /// What there should be more, or less.
        value: i64,
        life_hours: Option<i64>,
        debt_max: i64,
    },
    Send {
        unit: usize,
        value: i64,
    },
    /// Parts with the hours that they still live.
    Receive {
        unit: usize,
        parts: Vec<(i64, Option<i64>)>,
    },
    /// A part of any credit, spend or capture of which something is left.
    Reverse {
        of: Index,
        part: u8,
    },
}

pub fn step() -> impl Strategy<Value = Step> {
    let unit = || 0..UNITS.len();
    // Lives of a few hours among waits of a few hours: every history sees lots end, merge and come again. Negative
    // lives are points of a purchase that was delivered after they had ended.
    let life = || proptest::option::of(-2_i64..40);
    prop_oneof![
        1 => (0_i64..6).prop_map(Step::Wait),
        4 => (unit(), 1_i64..200, life()).prop_map(|(unit, value, life_hours)| Step::Credit { unit, value, life_hours }),
        3 => (unit(), 1_i64..200, life(), proptest::option::of(0_i64..20))
            .prop_map(|(unit, value, life_hours, wait_hours)| {
                Step::CreditLater { unit, value, life_hours, wait_hours }
            }),
        1 => any::<Index>().prop_map(|change| Step::Activate { change }),
        4 => (unit(), 1_i64..400).prop_map(|(unit, value)| Step::Spend { unit, value }),
        3 => (proptest::collection::vec(0_i64..150, 0..=UNITS.len()), life())
            .prop_map(|(values, life_hours)| Step::Purchase { values, life_hours }),
        3 => (unit(), 0_i64..300, 0_i64..250, proptest::collection::vec(any::<Index>(), 0..3))
            .prop_map(|(unit, value, debt_max, lots)| Step::Refund { unit, value, debt_max, lots }),
        // Some holds outlive the lots that they claim, and most of them are still open when somebody decides.
        3 => (unit(), 1_i64..150, 1_i64..30)
            .prop_map(|(unit, value, life_hours)| Step::Hold { unit, value, life_hours }),
        2 => (any::<Index>(), 0_i64..100).prop_map(|(hold, value)| Step::Capture { hold, value }),
        1 => any::<Index>().prop_map(|hold| Step::Release { hold }),
        2 => (unit(), -300_i64..300, life(), 0_i64..250)
            .prop_map(|(unit, value, life_hours, debt_max)| Step::Adjust { unit, value, life_hours, debt_max }),
        1 => (unit(), 1_i64..300).prop_map(|(unit, value)| Step::Send { unit, value }),
        1 => (unit(), proptest::collection::vec((1_i64..100, life()), 1..4))
            .prop_map(|(unit, parts)| Step::Receive { unit, parts }),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(of, part)| Step::Reverse { of, part }),
    ]
}

pub fn unit(place: usize) -> UnitCode {
    UNITS[place].parse().unwrap()
}

/// The transaction of the change in that place.
fn transaction_id(place: usize) -> TransactionId {
    TransactionId::try_from(Uuid::from_u128(place as u128 + 1)).unwrap()
}

/// Which budget pays for a credit follows from its value.
fn budget_of(value: i64) -> Option<BudgetCode> {
    (value % 3 == 0).then(|| "summer".parse().unwrap())
}

fn spent(place: usize, value: i64) -> Spent {
    Spent {
        unit_code: unit(place),
        value: Points::new(value),
    }
}

fn hold_id(number: usize) -> HoldId {
    HoldId::try_from(Uuid::from_u128(number as u128 + 1)).unwrap()
}

/// What a credit, a spend or a capture did, with what was taken back of it.
#[derive(Debug, Clone)]
pub struct Done {
    pub unit_code: UnitCode,
    pub value: i64,
    pub reversed: i64,
    pub budget_code: Option<BudgetCode>,
    pub credited: Vec<LotId>,
    pub taken: Vec<Portion>,
}

/// An owner's history as the ledger would record it.
#[derive(Clone)]
pub struct History {
    pub at: DateTime<Utc>,
    pub state: OwnerState,
    pub changes: Vec<Change>,
    /// The holds, as they were last.
    pub holds: Vec<Hold>,
    /// What can be reversed, whole or in part.
    pub done: Vec<Done>,
    /// All lots, as they were last.
    pub lots: BTreeMap<LotId, Lot>,
    lots_made: u128,
}

impl History {
    pub fn new() -> Self {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        Self {
            at,
            state: OwnerState::opened_at(at),
            changes: Vec::new(),
            holds: Vec::new(),
            done: Vec::new(),
            lots: BTreeMap::new(),
            lots_made: 0,
        }
    }

    pub fn sweep(&mut self) {
        while let Some(swept) = sweep(&self.state, self.at) {
            self.keep(swept);
        }
    }

    pub fn decide(&mut self, command: &Command) -> Result<(), Refusal> {
        let slides = self.slides(command);
        let lots_made = &mut self.lots_made;
        let mut new_lot_id = || {
            *lots_made += 1;
            LotId::try_from(Uuid::from_u128(*lots_made)).unwrap()
        };
        let decision = decide(&self.state, command, &slides, self.at, &mut new_lot_id)?;
        self.count_reversed(command);
        self.keep(decision);
        Ok(())
    }

    pub fn keep(&mut self, decision: Decision) {
        self.done.extend(Self::done(&decision));
        let lots = decision.lots.iter().map(|(_, lot)| (lot.lot_id, lot.clone()));
        self.lots.extend(lots);
        self.state = decision.state;
        self.changes.push(decision.change);
        for hold in decision.holds {
            match self.holds.iter_mut().find(|known| known.hold_id == hold.hold_id) {
                Some(known) => *known = hold,
                None => self.holds.push(hold),
            }
        }
    }

    /// What a command slides as an activity: as the rooms would say.
    pub fn slides(&self, command: &Command) -> Vec<Slide> {
        let slid = unit(SLIDING);
        let value = match command {
            Command::Credit(earned) if earned.unit_code == slid => earned.value,
            Command::Spend(spent) if spent.unit_code == slid => spent.value,
            Command::Purchase(all) => Points::new(all.iter().map(|earned| earned.value.get()).sum()),
            Command::Capture(captured) => {
                let hold = self.holds.iter().find(|hold| hold.hold_id == captured.hold_id);
                if hold.is_none_or(|hold| hold.unit_code != slid) {
                    return Vec::new();
                }
                captured.value
            }
            _ => return Vec::new(),
        };
        vec![Slide {
            unit_code: slid,
            end: self.activity_end(value.get()),
        }]
    }

    /// To where an activity moves the end. Some of them are told late, and some so late that it has passed: which ones
    /// follows from their values, so that a history is the same each time.
    pub fn activity_end(&self, value: i64) -> DateTime<Utc> {
        self.at + TimeDelta::hours(SLIDING_LIFE_HOURS - value % 25)
    }

    /// One of the holds that were made; one that never was while there is none.
    fn hold(&self, hold: Index) -> HoldId {
        if self.holds.is_empty() {
            return hold_id(0);
        }
        hold.get(&self.holds).hold_id
    }

    /// As another owner had it.
    fn lot(&self, earned: &Earned) -> Lot {
        earned.lot(
            LotId::try_from(Uuid::max()).unwrap(),
            self.at - TimeDelta::hours(1),
        )
    }

    fn earned(&self, place: usize, value: i64, hours: Option<i64>) -> Earned {
        Earned {
            unit_code: unit(place),
            value: Points::new(value),
            end: match hours {
                None if place == SLIDING => LotEnd::Sliding(self.activity_end(value)),
                hours => LotEnd::Fixed(hours.map(|hours| self.at + TimeDelta::hours(hours))),
            },
            budget_code: budget_of(value),
            wait: None,
        }
    }

    fn adjust(&self, place: usize, value: i64, life_hours: Option<i64>, debt_max: i64) -> Command {
        Command::Adjust(if value < 0 {
            Adjusted::Down {
                less: spent(place, -value),
                debt_max: Points::new(debt_max),
            }
        } else {
            Adjusted::Up(self.earned(place, value, life_hours))
        })
    }

    /// The same, once they have waited so many hours or somebody calls.
    fn later(&self, earned: Earned, wait_hours: Option<i64>) -> Earned {
        let begin = wait_hours.map_or(Begin::OnCall, |hours| {
            Begin::At(self.at + TimeDelta::hours(hours))
        });
        Earned {
            wait: Some(Wait {
                begin,
                credited_by: transaction_id(self.changes.len()),
            }),
            ..earned
        }
    }

    /// Some of the lots that are there are named.
    fn refund(&self, place: usize, value: i64, debt_max: i64, lots: &[Index]) -> Command {
        let account = self.state.accounts.get(&unit(place));
        let open: Vec<&Lot> = account
            .iter()
            .flat_map(|account| account.lots.iter().chain(&account.pending_lots))
            .collect();
        let named = lots.iter().filter(|_| !open.is_empty());
        Command::Refund(vec![TakeBack {
            unit_code: unit(place),
            value: Points::new(value),
            lots_first: named.map(|lot| lot.get(&open).lot_id).collect(),
            debt_max: Points::new(debt_max),
            budget_code: budget_of(value),
        }])
    }

    fn new_hold(&self, place: usize, value: i64, life_hours: i64) -> Command {
        Command::Hold(NewHold {
            hold_id: hold_id(self.holds.len() + 1),
            unit_code: unit(place),
            value: Points::new(value),
            expire_time: self.at + TimeDelta::hours(life_hours),
            source: "till".to_owned(),
            on_behalf_of: "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978"
                .parse()
                .ok()
                .filter(|_| value % 2 == 0),
        })
    }

    pub fn command(&self, step: &Step) -> Option<Command> {
        let earned = |place, value, hours| self.earned(place, value, hours);
        Some(match step {
            Step::Wait(_) => return None,
            Step::Credit {
                unit,
                value,
                life_hours,
            } => Command::Credit(earned(*unit, *value, *life_hours)),
            Step::CreditLater {
                unit,
                value,
                life_hours,
                wait_hours,
            } => {
                let earned = earned(*unit, *value, *life_hours);
                Command::Credit(self.later(earned, *wait_hours))
            }
            Step::Activate { change } => Command::Activate(Activated {
                credited_by: transaction_id(change.index(self.changes.len() + 1)),
                ends: vec![
                    (unit(0), LotEnd::Fixed(Some(self.at + TimeDelta::hours(9)))),
                    (unit(SLIDING), LotEnd::Sliding(self.activity_end(3))),
                ],
            }),
            Step::Spend { unit: place, value } => Command::Spend(spent(*place, *value)),
            Step::Purchase { values, life_hours } => Command::Purchase(
                values
                    .iter()
                    .enumerate()
                    .map(|(place, value)| earned(place, *value, *life_hours))
                    .collect(),
            ),
            Step::Refund {
                unit: place,
                value,
                debt_max,
                lots,
            } => self.refund(*place, *value, *debt_max, lots),
            Step::Hold {
                unit: place,
                value,
                life_hours,
            } => self.new_hold(*place, *value, *life_hours),
            Step::Capture { hold, value } => Command::Capture(Captured {
                hold_id: self.hold(*hold),
                value: Points::new(*value),
            }),
            Step::Release { hold } => Command::Release(self.hold(*hold)),
            Step::Adjust {
                unit,
                value,
                life_hours,
                debt_max,
            } => self.adjust(*unit, *value, *life_hours, *debt_max),
            Step::Send { unit: place, value } => Command::Send(spent(*place, *value)),
            Step::Receive { unit: place, parts } => Command::Receive(Received {
                unit_code: unit(*place),
                lots: parts
                    .iter()
                    .map(|(value, life_hours)| self.lot(&self.earned(*place, *value, *life_hours)))
                    .collect(),
            }),
            Step::Reverse { of, part } => self.some_reversal(*of, *part),
        })
    }
}
