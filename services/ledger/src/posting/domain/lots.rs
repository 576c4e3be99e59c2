//! What happens to the lots of one account.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{LotId, Points, UnitCode};

use super::Lot;
use super::account::LotChange;

/// Most open lots per owner and unit. A posting reads and may write all of them under the owner's lock, so they are
/// bounded; a lot for each day of a year and a half is more than programs have asked for.
///
/// A credit that would open one more merges the two neighbours whose ends lie closest together, into the one that ends
/// later: nobody's points end earlier than promised, and those far from each other keep their ends.
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
    lots.retain(|lot| lot.value_left.is_positive());
    movements
}

/// Empties the lots that have ended.
pub(super) fn sweep(lots: &mut Vec<Lot>, unit_code: &UnitCode, at: DateTime<Utc>) -> Vec<LotChange> {
    lots.extract_if(.., |lot| lot.has_ended(at))
        .map(|mut lot| {
            let left = std::mem::take(&mut lot.value_left);
            lot.moved(unit_code, Points::new(-left.get()))
        })
        .collect()
}

/// Merges neighbours until the bound holds. `None` when a sum does not fit.
pub(super) fn bound(lots: &mut Vec<Lot>, unit_code: &UnitCode) -> Option<Vec<LotChange>> {
    let mut movements = Vec::new();
    while lots.len() > OPEN_LOTS_MAX {
        let mut sooner = lots.remove(closest_pair(lots)?.0);
        let value = std::mem::take(&mut sooner.value_left);
        movements.push(sooner.moved(unit_code, Points::new(-value.get())));
        let place = lots.partition_point(|lot| lot.spend_order() < sooner.spend_order());
        movements.push(add(&mut lots[place], unit_code, value)?);
    }
    Some(movements)
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
