//! What takes back what a transaction did. A credit is taken from the owner like a refund; the points of a spend lie in the
//! lots again from which they were taken, with the ends that those have.
//!
//! A spend takes from one lot after another, those that end soonest first. Parts of it come back in the opposite order, so
//! that at any time the owner has what they would have if so much less had been spent; and one part after another comes to
//! the same as all at once.

use chrono::{DateTime, Utc};
use fealty_types::{LotId, Points, TransactionId, UnitCode};

use super::account::{Credited, LotChange};
use super::{
    Account, Draft, EntryAccount, GivenBack, Lot, LotEnd, NewLotId, OwnerState, TakeBack, lots, overflow,
};
use crate::refusal::Refusal;

/// A transaction to take back, all or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// Which.
    pub transaction_id: TransactionId,
    /// What that comes to.
    pub how: Reversing,
}

/// How a transaction is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reversing {
    /// Of a credit: the owner has the points no more.
    TakeBack(TakeBack),
    /// Of a spend: the owner has the points again.
    GiveBack(GiveBack),
}

/// Points of one unit to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveBack {
    /// What is counted.
    pub unit_code: UnitCode,
    /// From which lots they were taken, in the order in which they come back. A lot comes once.
    pub parts: Vec<Part>,
    /// What becomes of those that have ended.
    pub ended: EndedLots,
}

/// Points that come back to one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The lot as it was last. Only used for what the account does not have open.
    pub lot: Lot,
    /// How many. Above zero.
    pub value: Points,
    /// Whether they were taken from this very account; otherwise its owner was led to this one since, and what comes back
    /// counts as credited.
    pub is_own: bool,
}

/// What becomes of points that come back to a lot whose end has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedLots {
    /// They are written off at once.
    Gone,
    /// They have this end, as if they were credited now. If it has passed, too, they are gone.
    EndBy(LotEnd),
}

/// A number of a lot's points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// Which lot.
    pub lot_id: LotId,
    /// How many. Above zero.
    pub value: Points,
}

/// Which lots' points come back if `value` of what was taken does, and `before` of it came back earlier: what was taken last
/// comes back first.
#[must_use]
pub fn portions(taken: &[Portion], before: Points, value: Points) -> Vec<Portion> {
    let (mut skipped, mut missing) = (before.get(), value.get());
    let mut coming = Vec::new();
    for portion in taken.iter().rev() {
        let earlier = skipped.min(portion.value.get());
        skipped -= earlier;
        let part = missing.min(portion.value.get() - earlier);
        if part > 0 {
            missing -= part;
            coming.push(Portion {
                value: Points::new(part),
                ..*portion
            });
        }
    }
    coming
}

impl Draft {
    pub(super) fn reverse(
        &mut self,
        state: &mut OwnerState,
        reversal: &Reversal,
        at: DateTime<Utc>,
        new_lot_id: NewLotId<'_>,
    ) -> Result<(), Refusal> {
        self.reversed_transaction_id = Some(reversal.transaction_id);
        match &reversal.how {
            Reversing::TakeBack(take_back) => self.take_back(state, take_back),
            Reversing::GiveBack(give_back) => self.give_back(state, give_back, at, new_lot_id),
        }
    }

    /// What has ended is gone or begins anew, debt is paid off before anything is available, and the rest lies where it lay
    /// before.
    fn give_back(
        &mut self,
        state: &mut OwnerState,
        give_back: &GiveBack,
        at: DateTime<Utc>,
        new_lot_id: NewLotId<'_>,
    ) -> Result<(), Refusal> {
        let unit = &give_back.unit_code;
        let account = state.account_mut(unit);
        let (mut to_lots, mut debt_repaid, mut ended) = (0_i128, 0_i128, 0_i128);
        for part in &give_back.parts {
            let Some(place) = account.place(&part.lot, give_back.ended, at) else {
                ended += i128::from(part.value.get());
                continue;
            };
            let repaid = account.repay(part.value);
            let rest = Points::new(part.value.get() - repaid.get());
            debt_repaid += i128::from(repaid.get());
            to_lots += i128::from(rest.get());
            if rest.is_positive() {
                let returned = account.give_back(unit, (part, rest), place, (at, &mut *new_lot_id));
                let returned = returned.ok_or_else(|| overflow(unit))?;
                self.lot_changes.extend(returned.lots);
                self.holds.extend(returned.holds);
            }
        }
        let book = &mut self.book;
        book.post(unit, EntryAccount::OwnerAvailable, to_lots);
        book.post(unit, EntryAccount::OwnerDebt, debt_repaid);
        book.post(unit, EntryAccount::ProgramExpired, ended);
        book.post(
            unit,
            EntryAccount::ProgramRedeemed,
            -(to_lots + debt_repaid + ended),
        );
        let points = |value: i128| i64::try_from(value).map(Points::new);
        let fits = "the parts are of one value, which fits";
        self.given_back = Some(GivenBack {
            unit_code: unit.clone(),
            to_lots: points(to_lots).expect(fits),
            debt_repaid: points(debt_repaid).expect(fits),
            ended: points(ended).expect(fits),
        });
        Ok(())
    }
}

/// Where points lie that come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where they lay before, with the end that it has.
    Own(LotEnd),
    /// In a lot of this end.
    Anew(LotEnd),
}

impl Account {
    /// Where points of a lot lie if they come back at `at`; `None` if they are gone.
    fn place(&self, lot: &Lot, ended: EndedLots, at: DateTime<Utc>) -> Option<Place> {
        let own = self.end_now(lot.end());
        if !has_ended(own, at) {
            return Some(Place::Own(own));
        }
        let EndedLots::EndBy(anew) = ended else {
            return None;
        };
        let anew = match anew {
            // What slides ends together; only where all of it has ended it begins anew.
            LotEnd::Sliding(end) => {
                LotEnd::Sliding(self.sliding_end.filter(|known| *known > at).unwrap_or(end))
            }
            fixed @ LotEnd::Fixed(_) => fixed,
        };
        (!has_ended(anew, at)).then_some(Place::Anew(anew))
    }

    /// What slides has the account's own end, unless its own is a later one: from before its owner left another account.
    fn end_now(&self, end: LotEnd) -> LotEnd {
        match end {
            LotEnd::Sliding(end) => LotEnd::Sliding(self.sliding_end.map_or(end, |known| known.max(end))),
            fixed @ LotEnd::Fixed(_) => fixed,
        }
    }

    /// Puts `value` of a part into its place. `None` when a sum does not fit; the account is then not to be used any more.
    fn give_back(
        &mut self,
        unit_code: &UnitCode,
        (part, value): (&Part, Points),
        place: Place,
        (at, new_lot_id): (DateTime<Utc>, NewLotId<'_>),
    ) -> Option<Credited> {
        let (Place::Own(end) | Place::Anew(end)) = place;
        let mut slid = Vec::new();
        if let LotEnd::Sliding(end) = end
            && self.sliding_end != Some(end)
        {
            // All that slid has ended, or nothing ever did: no lot's end moves by it.
            slid = self.slide(unit_code, end, at);
        }
        let mut returned = match place {
            Place::Own(end) => self.give_back_own(unit_code, (part, value), end, (at, new_lot_id))?,
            Place::Anew(end) => self.put(unit_code, part.anew(value, end, (at, new_lot_id)))?,
        };
        slid.append(&mut returned.lots);
        returned.lots = slid;
        Some(returned)
    }

    /// Into the lot itself if it is open, else into an open one of its terms, else the lot is opened again.
    fn give_back_own(
        &mut self,
        unit_code: &UnitCode,
        (part, value): (&Part, Points),
        end: LotEnd,
        (at, new_lot_id): (DateTime<Utc>, NewLotId<'_>),
    ) -> Option<Credited> {
        let lot_id = part.lot.lot_id;
        let has_id = |lot: &Lot| lot.lot_id == lot_id;
        if let Some(place) = self.lots.iter().position(|lot| has_id(lot) && lot.end() == end) {
            self.make_room(value)?;
            let known = &mut self.lots[place];
            let change = if part.is_own {
                return_to(known, unit_code, value)?
            } else {
                lots::add(known, unit_code, value)?
            };
            return Some(Credited {
                lots: vec![change],
                ..Credited::default()
            });
        }
        let credited = part.lot.value_credited;
        let again = Lot {
            value_left: value,
            value_held: Points::ZERO,
            value_credited: if part.is_own {
                credited.max(value)
            } else {
                credited.checked_add(value)?
            },
            wait: None,
            ..part.lot.clone()
        };
        let again = again.ending(end);
        let mut open = self.lots.iter();
        if open.any(|lot| has_id(lot) || lot.has_terms_of(&again)) {
            return self.put(unit_code, part.anew(value, end, (at, new_lot_id)));
        }
        self.make_room(value)?;
        self.open(unit_code, again)
    }

    /// Counts what comes to lots.
    fn make_room(&mut self, value: Points) -> Option<()> {
        self.available = self.available.checked_add(value)?;
        self.require_room()
    }
}

impl Part {
    /// A lot of its own terms and another end, for what does not lie where it lay.
    fn anew(&self, value: Points, end: LotEnd, (at, new_lot_id): (DateTime<Utc>, NewLotId<'_>)) -> Lot {
        let lot = Lot {
            lot_id: new_lot_id(),
            value_left: value,
            value_held: Points::ZERO,
            value_credited: value,
            expire_time: None,
            slides: false,
            create_time: at,
            budget_code: self.lot.budget_code.clone(),
            wait: None,
        };
        lot.ending(end)
    }
}

/// Puts back what was taken from the lot. It was credited before.
fn return_to(lot: &mut Lot, unit_code: &UnitCode, value: Points) -> Option<LotChange> {
    lot.value_left = lot.value_left.checked_add(value)?;
    let in_lot = lot.value_left.checked_add(lot.value_held)?;
    lot.value_credited = lot.value_credited.max(in_lot);
    Some(lot.moved(unit_code, value))
}

const fn terms(end: LotEnd) -> (Option<DateTime<Utc>>, bool) {
    match end {
        LotEnd::Fixed(end) => (end, false),
        LotEnd::Sliding(end) => (Some(end), true),
    }
}

fn has_ended(end: LotEnd, at: DateTime<Utc>) -> bool {
    terms(end).0.is_some_and(|end| end <= at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portion(number: u128, value: i64) -> Portion {
        Portion {
            lot_id: LotId::try_from(uuid::Uuid::from_u128(number)).unwrap(),
            value: Points::new(value),
        }
    }

    #[test]
    fn what_was_taken_last_comes_back_first() {
        let taken = [portion(1, 10), portion(2, 5), portion(3, 20)];
        let coming = |before, value| portions(&taken, Points::new(before), Points::new(value));
        assert_eq!(coming(0, 20), [portion(3, 20)]);
        assert_eq!(coming(15, 8), [portion(3, 5), portion(2, 3)]);
        assert_eq!(coming(25, 10), [portion(1, 10)]);
        assert_eq!(coming(0, 35), [portion(3, 20), portion(2, 5), portion(1, 10)]);
        assert_eq!(coming(35, 1), []);
    }
}
