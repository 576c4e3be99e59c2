//! What a history did that can be taken back.

use chrono::TimeDelta;
use fealty_types::{LotId, Points, UnitCode};
use proptest::sample::Index;

use super::super::*;
use super::{Done, History, SLIDING, UNITS, hold_id, transaction_id};

impl History {
    pub(super) fn count_reversed(&mut self, command: &Command) {
        let Command::Reverse(reversal) = command else {
            return;
        };
        let place = usize::try_from(reversal.transaction_id.as_uuid().as_u128()).unwrap() - 1;
        self.done[place].reversed += match &reversal.how {
            Reversing::TakeBack(back) => back.value.get(),
            Reversing::GiveBack(give) => give.parts.iter().map(|part| part.value.get()).sum(),
        };
    }

    /// What the change did that can be taken back.
    pub(super) fn done(decision: &Decision) -> Option<Done> {
        let change = &decision.change;
        let moved = |sign: i64| {
            let moved = change
                .lot_movements
                .iter()
                .map(move |it| (it.lot_id, sign * it.value.get()));
            moved.filter(|(_, value)| *value > 0)
        };
        let portions = |parts: Vec<(LotId, i64)>| {
            let portion = |(lot_id, value)| Portion {
                lot_id,
                value: Points::new(value),
            };
            parts.into_iter().map(portion).collect::<Vec<Portion>>()
        };
        let (account, credited, taken) = match change.kind {
            TransactionKind::Credit => {
                let credited = moved(1).map(|(lot_id, _)| lot_id).collect();
                (EntryAccount::ProgramIssued, credited, Vec::new())
            }
            TransactionKind::Spend => (
                EntryAccount::ProgramRedeemed,
                Vec::new(),
                portions(moved(-1).collect()),
            ),
            TransactionKind::Capture => {
                let hold = decision
                    .holds
                    .iter()
                    .find(|hold| Some(hold.hold_id) == change.hold_id);
                let pins = hold.expect("it was captured").pins.iter();
                let captured = pins.map(|pin| (pin.lot_id, pin.captured.get()));
                let taken = portions(captured.filter(|(_, value)| *value > 0).collect());
                (EntryAccount::ProgramRedeemed, Vec::new(), taken)
            }
            _ => return None,
        };
        let entry = change.entries.iter().find(|entry| entry.account == account)?;
        Some(Done {
            unit_code: entry.unit_code.clone(),
            budget_code: entry.budget_code.clone(),
            value: entry.value.get().abs(),
            reversed: 0,
            credited,
            taken,
        })
    }

    /// Takes back `value` of what was done there, which is left of it.
    pub fn reversal(&self, place: usize, value: i64) -> Command {
        let done = &self.done[place];
        let unit_code = done.unit_code.clone();
        let value = Points::new(value);
        let how = if done.taken.is_empty() {
            Reversing::TakeBack(TakeBack {
                unit_code,
                value,
                lots_first: done.credited.clone(),
                debt_max: Points::new(100),
                budget_code: done.budget_code.clone(),
            })
        } else {
            let coming = portions(&done.taken, Points::new(done.reversed), value);
            let part = |portion: Portion| Part {
                lot: self.lots[&portion.lot_id].clone(),
                value: portion.value,
                is_own: true,
            };
            Reversing::GiveBack(GiveBack {
                ended: self.ended(&unit_code),
                unit_code,
                parts: coming.into_iter().map(part).collect(),
            })
        };
        Command::Reverse(Reversal {
            transaction_id: transaction_id(place),
            how,
        })
    }

    /// Of something of which something is left; refused where there is nothing.
    pub(super) fn some_reversal(&self, of: Index, part: u8) -> Command {
        let left = |done: &Done| done.value - done.reversed;
        let places = (0..self.done.len()).filter(|place| left(&self.done[*place]) > 0);
        let places: Vec<usize> = places.collect();
        if places.is_empty() {
            return Command::Release(hold_id(0));
        }
        let place = *of.get(&places);
        let left = left(&self.done[place]);
        // All of it, now and then.
        let value = if part < 60 {
            left
        } else {
            1 + i64::from(part) % left
        };
        self.reversal(place, value)
    }

    /// Each unit has another policy. Some of the ends that they give have passed.
    fn ended(&self, unit_code: &UnitCode) -> EndedLots {
        let hours = |hours| self.at + TimeDelta::hours(hours);
        let count = i64::try_from(self.done.len()).unwrap();
        match UNITS.iter().position(|unit| unit_code.as_str() == *unit) {
            Some(0) => EndedLots::Gone,
            Some(SLIDING) => EndedLots::EndBy(LotEnd::Sliding(self.activity_end(count))),
            _ => EndedLots::EndBy(LotEnd::Fixed(Some(hours(count % 12 - 2)))),
        }
    }
}
