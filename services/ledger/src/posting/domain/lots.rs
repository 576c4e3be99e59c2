//! What happens to the lots of one account.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{BudgetCode, LotId, Points, UnitCode};

use super::account::LotChange;
use super::{Lot, Pin};

/// Most lots per owner and unit that are open: have points left, or are claimed by a hold. A posting reads and may write
/// all of them under the owner's lock, so they are bounded; a lot for each day of a year and a half is more than programs
/// have asked for.
///
/// A credit that would open one more merges the two neighbours whose ends lie closest together, into the one that ends
/// later: nobody's points end earlier than promised, and those far from each other keep their ends. Both are of one budget,
/// so that each goes on paying for its own points. A hold's claim moves along. A lot whose end moves with the owner's activity takes no part, since it was promised another end than any
/// other: an account has one of them for each budget, and those that have ended and that a hold still claims.
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
                captured: Points::ZERO,
            });
            movements.push(lot.moved(unit_code, Points::new(-part)));
        }
    }
    (pins, movements)
}

/// Moves the end of the lots that slide and have not ended.
pub(super) fn slide(
    lots: &mut [Lot],
    unit_code: &UnitCode,
    end: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Vec<LotChange> {
    let mut slid = Vec::new();
    for lot in lots.iter_mut().filter(|lot| lot.slides && !lot.has_ended(at)) {
        if lot.expire_time != Some(end) {
            lot.expire_time = Some(end);
            slid.push(LotChange {
                slid: true,
                ..lot.moved(unit_code, Points::ZERO)
            });
        }
    }
    if !slid.is_empty() {
        lots.sort_by_key(Lot::spend_order);
    }
    slid
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
        let Some((place, place_of_later)) = closest_pair(lots) else {
            // All slide, or are of different budgets: as many as there are budgets and claims, which are bounded, too. Or
            // what was credited to each is near the end of all numbers.
            break;
        };
        let mut sooner = lots.remove(place);
        let left = std::mem::take(&mut sooner.value_left);
        let held = std::mem::take(&mut sooner.value_held);
        merged
            .movements
            .push(sooner.moved(unit_code, Points::new(-left.get())));
        let later = &mut lots[place_of_later - 1];
        later.value_held = later.value_held.checked_add(held)?;
        later.value_credited = later.value_credited.checked_add(held)?;
        merged.movements.push(add(later, unit_code, left)?);
        merged.lots.push((sooner.lot_id, later.lot_id));
    }
    Some(merged)
}

/// The places of two neighbours whose ends lie closest together; of equals the last, so that the ends that come soon stay
/// as they were shown.
fn closest_pair(lots: &[Lot]) -> Option<(usize, usize)> {
    // Of each budget, the last one that came by.
    let mut before: HashMap<Option<&BudgetCode>, (usize, &Lot)> = HashMap::new();
    let fixed = lots.iter().enumerate().filter(|(_, lot)| !lot.slides);
    let pairs = fixed.filter_map(|(place, lot)| {
        let neighbour = before.insert(lot.budget_code.as_ref(), (place, lot));
        neighbour.map(|neighbour| (neighbour, (place, lot)))
    });
    // Sums of what was ever credited may be larger than any balance.
    let fit = |sooner: &Lot, later: &Lot| {
        let credited = later.value_credited.checked_add(sooner.value_left);
        credited
            .and_then(|sum| sum.checked_add(sooner.value_held))
            .is_some()
    };
    let pairs = pairs.filter(|((_, sooner), (_, later))| fit(sooner, later));
    let closest = pairs.min_by_key(|((place, sooner), (_, later))| (gap(sooner, later), Reverse(*place)));
    closest.map(|((place, _), (place_of_later, _))| (place, place_of_later))
}

fn gap(sooner: &Lot, later: &Lot) -> TimeDelta {
    match (sooner.expire_time, later.expire_time) {
        (Some(sooner), Some(later)) => later - sooner,
        (None, None) => TimeDelta::zero(),
        // "Never" is farther away than any date.
        _ => TimeDelta::MAX,
    }
}
