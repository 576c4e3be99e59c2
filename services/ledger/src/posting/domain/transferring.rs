//! Transfers: what one owner sends to another.
//!
//! Each of the two has a change of their own, as with a move: between them the points lie in the program's account
//! [`EntryAccount::ProgramMoved`], which is empty after both.

use chrono::{DateTime, Utc};
use fealty_types::Points;

use super::{
    Command, Decision, Draft, EntryAccount, Lot, Moved, NewLotId, OwnerState, Received, Spent,
    TransactionKind, UnitCode, decide,
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
        lots: from.sent(&spent.unit_code),
    };
    let into = decide(into, &Command::Receive(received), &[], at, new_lot_id)?;
    Ok(Moved { from, into })
}

/// Moves parts of what an owner has available to another who has a share of it: as with a transfer, those that end
/// soonest, with their ends and their age, and nobody's activity.
pub fn move_parts(
    from: &OwnerState,
    into: &OwnerState,
    parts: &[Spent],
    at: DateTime<Utc>,
    new_lot_id: NewLotId<'_>,
) -> Result<Moved, Refusal> {
    let (mut source, mut target) = (from.clone(), into.clone());
    let (mut outgoing, mut incoming) = (Draft::default(), Draft::default());
    for part in parts {
        outgoing.send(&mut source, part)?;
    }
    let from = outgoing.finish(TransactionKind::Move, source);
    for part in parts {
        let received = Received {
            unit_code: part.unit_code.clone(),
            lots: from.sent(&part.unit_code),
        };
        incoming.receive(&mut target, &received, at, &mut *new_lot_id)?;
    }
    Ok(Moved {
        from,
        into: incoming.finish(TransactionKind::Move, target),
    })
}

impl Decision {
    /// What of a unit left which lots, in that order.
    fn sent(&self, unit_code: &UnitCode) -> Vec<Lot> {
        let movements = self.change.lot_movements.iter();
        movements
            .filter(|movement| movement.unit_code == *unit_code)
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
