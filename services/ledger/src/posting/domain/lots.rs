//! What happens to the lots of one account.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{LotId, Points, UnitCode};

use super::account::LotChange;
use super::{Lot, Pin};

/// Most lots per owner and unit that are open: have points left, or are claimed by a hold. A posting reads and may write
/// all of them under the owner's lock, so they are bounded; a lot for each day of a year and a half is more than programs
/// have asked for.
///
/// A credit that would open one more merges the two neighbours whose ends lie closest together, into the one that ends
/// later: nobody's points end earlier than promised, and those far from each other keep their ends. A hold's claim moves
/// along.
pub const OPEN_LOTS_MAX: usize = 500;

/// Credits a lot. `None` when a sum does not fit.
pub(super) fn add(lot: &mut Lot, unit_code: &UnitCode, value: Points) -> Option<LotChange> {
    lot.value_left = lot.value_left.checked_add(value)?;
    lot.value_credited = lot.value_credited.checked_add(value)?;
    Some(lot.moved(unit_code, value))
}

/// Takes `value` out of lots that hold at least that much together.
pub(super) fn take(
    lots: &mut Vec<Lot>,
    unit_code: &UnitCode,
    value: Points,
    lots_first: &[LotId],
) -> Vec<LotChange> {
    let mut missing = value.get();
    let mut movements = Vec::new();
    let mut take_from = |lot: &mut Lot| {
        let part = missing.min(lot.value_left.get());
        if part > 0 {
            missing -= part;
            lot.value_left = Points::new(lot.value_left.get() - part);
            movements.push(lot.moved(unit_code, Points::new(-part)));
        }
    };
    for lot_id in lots_first {
        lots.iter_mut()
            .filter(|lot| lot.lot_id == *lot_id)
            .for_each(&mut take_from);
    }
    lots.iter_mut().for_each(&mut take_from);
    lots.retain(Lot::is_open);
    movements
}

/// Claims `value` for a hold, of lots that hold at least that much together. Emptied ones stay, for what may come back.
pub(super) fn pin(lots: &mut [Lot], unit_code: &UnitCode, value: Points) -> (Vec<Pin>, Vec<LotChange>) {
    let mut missing = value.get();
    let (mut pins, mut movements) = (Vec::new(), Vec::new());
    for lot in lots {
        let part = missing.min(lot.value_left.get());
        if part > 0 {
            missing -= part;
            lot.value_left = Points::new(lot.value_left.get() - part);
            // Never above what was credited to the lot, which fits.
            lot.value_held = Points::new(lot.value_held.get() + part);
            pins.push(Pin {
                lot_id: lot.lot_id,
                value: Points::new(part),
            });
            movements.push(lot.moved(unit_code, Points::new(-part)));
        }
    }
    (pins, movements)
}

/// Empties the lots that have ended, but for what holds claim.
pub(super) fn sweep(lots: &mut Vec<Lot>, unit_code: &UnitCode, at: DateTime<Utc>) -> Vec<LotChange> {
    let movements = lots
        .iter_mut()
        .filter(|lot| lot.has_ended(at) && lot.value_left.is_positive())
        .map(|lot| {
            let left = std::mem::take(&mut lot.value_left);
            lot.moved(unit_code, Points::new(-left.get()))
        })
        .collect();
    lots.retain(Lot::is_open);
    movements
}

/// Which lots were merged into which, in that order, and what that did to them.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) lots: Vec<(LotId, LotId)>,
    pub(super) movements: Vec<LotChange>,
}

/// Merges neighbours until the bound holds. `None` when a sum does not fit.
pub(super) fn bound(lots: &mut Vec<Lot>, unit_code: &UnitCode) -> Option<Merged> {
    let mut merged = Merged::default();
    while lots.len() > OPEN_LOTS_MAX {
        let mut sooner = lots.remove(closest_pair(lots)?.0);
        let left = std::mem::take(&mut sooner.value_left);
        let held = std::mem::take(&mut sooner.value_held);
        merged
            .movements
            .push(sooner.moved(unit_code, Points::new(-left.get())));
        let place = lots.partition_point(|lot| lot.spend_order() < sooner.spend_order());
        let later = &mut lots[place];
        later.value_held = later.value_held.checked_add(held)?;
        later.value_credited = later.value_credited.checked_add(held)?;
        merged.movements.push(add(later, unit_code, left)?);
        merged.lots.push((sooner.lot_id, later.lot_id));
    }
    Some(merged)
}

/// The place of the lot whose end lies closest before that of the next lot, and by how much; of equals the last, so
/// that the ends that come soon stay as they were shown.
fn closest_pair(lots: &[Lot]) -> Option<(usize, TimeDelta)> {
    lots.windows(2)
        .enumerate()
        .map(|(place, pair)| (place, gap(&pair[0], &pair[1])))
        .min_by(|(place, gap), (other_place, other_gap)| gap.cmp(other_gap).then(other_place.cmp(place)))
}

fn gap(sooner: &Lot, later: &Lot) -> TimeDelta {
    match (sooner.expire_time, later.expire_time) {
        (Some(sooner), Some(later)) => later - sooner,
        (None, None) => TimeDelta::zero(),
        // "Never" is farther away than any date.
        _ => TimeDelta::MAX,
    }
}
