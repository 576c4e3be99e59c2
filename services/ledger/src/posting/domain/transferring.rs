//! Transfers: what one owner sends to another.
//!
//! Each of the two has a change of their own, as with a move: between them the points lie in the program's account
//! [`EntryAccount::ProgramMoved`], which is empty after both.

use chrono::{DateTime, Utc};
use fealty_types::Points;

use super::{
    Command, Decision, Draft, EntryAccount, Lot, Moved, NewLotId, OwnerState, Received, Spent, decide,
};
use crate::refusal::Refusal;

/// Sends points from one owner to another, all or none: those that end soonest, with their ends, their age and who paid for them. They
/// pay off what the other owes first, and the rest lies in lots of the same end, in new ones where there are none; what
/// slides lies with what slides there, at the later of both ends. It is no activity of either.
///
/// What has ended must have been swept before, on both sides.
pub fn transfer(
    from: &OwnerState,
    into: &OwnerState,
    spent: &Spent,
    at: DateTime<Utc>,
    new_lot_id: NewLotId<'_>,
) -> Result<Moved, Refusal> {
    let from = decide(from, &Command::Send(spent.clone()), &[], at, &mut *new_lot_id)?;
    let received = Received {
        unit_code: spent.unit_code.clone(),
        lots: from.sent(),
    };
    let into = decide(into, &Command::Receive(received), &[], at, new_lot_id)?;
    Ok(Moved { from, into })
}

impl Decision {
    /// What left which lots, in that order.
    fn sent(&self) -> Vec<Lot> {
        let movements = self.change.lot_movements.iter();
        movements
            .map(|movement| {
                let mut lots = self.lots.iter().map(|(_, lot)| lot);
                let lot = lots.find(|lot| lot.lot_id == movement.lot_id);
                let value = Points::new(-movement.value.get());
                Lot {
                    value_left: value,
                    value_held: Points::ZERO,
                    value_credited: value,
                    ..lot.expect("a lot that something left was changed").clone()
                }
            })
            .collect()
    }
}

impl Draft {
    pub(super) fn send(&mut self, state: &mut OwnerState, spent: &Spent) -> Result<(), Refusal> {
        self.take_to(EntryAccount::ProgramMoved, state, spent)
    }

    pub(super) fn receive(
        &mut self,
        state: &mut OwnerState,
        received: &Received,
        at: DateTime<Utc>,
        new_lot_id: NewLotId<'_>,
    ) -> Result<(), Refusal> {
        let unit = &received.unit_code;
        let account = state.account_mut(unit);
        for lot in &received.lots {
            let arriving = Lot {
                lot_id: new_lot_id(),
                ..lot.clone()
            };
            self.put(unit, account, arriving, at)?;
            self.book.post(
                unit,
                EntryAccount::ProgramMoved,
                -i128::from(lot.value_left.get()),
            );
        }
        Ok(())
    }
}
