//! The naive model that the state machine is held to: a list of single points' worth, without accounts, merged lots or
//! any cleverness.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, UnitCode};

use super::{
    Activated, Adjusted, Begin, Captured, Command, EndedLots, GiveBack, LotEnd, Reversing, Slide, TakeBack,
    TransactionKind, Wait,
};

/// Whether it is never, when, and whether it moves with activity.
pub type End = (bool, Option<DateTime<Utc>>, bool);

/// By end, those that never end last: how much is left.
pub type Grains = BTreeMap<End, i128>;

/// Grains that were put into a drawer.
#[derive(Debug, Clone)]
pub struct Drawer {
    pub hold_id: HoldId,
    pub unit: UnitCode,
    pub end: DateTime<Utc>,
    pub grains: Grains,
}

/// Grains that wait.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub unit: UnitCode,
    pub wait: Wait,
    pub end: End,
    pub value: i128,
}

/// What an owner has, told in the plainest way: grains of one end each, a number for the debt, and drawers.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// By unit: what is there.
    pub grains: BTreeMap<UnitCode, Grains>,
    /// By unit: what is owed.
    pub debt: BTreeMap<UnitCode, i128>,
    /// What is set aside.
    pub drawers: Vec<Drawer>,
    /// What waits, in the order in which it was given.
    pub waiting: Vec<Waiting>,
    /// By unit: where what slides ends.
    pub ends: BTreeMap<UnitCode, DateTime<Utc>>,
    /// What was ever captured.
    pub captured: i128,
    /// Changes so far.
    pub version: i64,
}

impl Model {
    pub fn available(&self, unit: &UnitCode) -> i128 {
        self.grains.get(unit).map_or(0, |grains| grains.values().sum())
    }

    pub fn debt(&self, unit: &UnitCode) -> i128 {
        self.debt.get(unit).copied().unwrap_or(0)
    }

    pub fn held(&self, unit: &UnitCode) -> i128 {
        let drawers = self.drawers.iter().filter(|drawer| drawer.unit == *unit);
        drawers.map(|drawer| drawer.grains.values().sum::<i128>()).sum()
    }

    pub fn pending(&self, unit: &UnitCode) -> i128 {
        let waiting = self.waiting.iter().filter(|it| it.unit == *unit);
        waiting.map(|it| it.value).sum()
    }

    /// Drawers are emptied one by one, each at its own time and as one change; so does what begins at one time begin as
    /// one. Then everything that ended is gone; it counts as one change, if there was any.
    pub fn sweep(&mut self, at: DateTime<Utc>) {
        loop {
            let drawer = self.drawers.iter().map(|drawer| drawer.end).min();
            let begin = self.waiting.iter().filter_map(|it| it.wait.begin.time()).min();
            let Some(next) = drawer.into_iter().chain(begin).min().filter(|next| *next <= at) else {
                break;
            };
            if let Some(drawer) = self.next_ended(next) {
                self.give_back(drawer, next);
            } else {
                let is_next = |it: &Waiting| it.wait.begin.time() == Some(next);
                let mut all: Vec<Waiting> = self.waiting.extract_if(.., |it| is_next(it)).collect();
                // What ends soonest pays off debt first.
                all.sort_by_key(|it| it.end);
                for it in all {
                    self.begin(&it, it.end, next);
                }
            }
            self.version += 1;
        }
        let before = self.waiting.len();
        self.waiting.retain(|it| it.end.1.is_none_or(|end| end > at));
        let mut any = self.waiting.len() < before;
        for grains in self.grains.values_mut() {
            grains.retain(|(_, end, _), _| {
                let ended = end.is_some_and(|end| end <= at);
                any |= ended;
                !ended
            });
        }
        self.version += i64::from(any);
    }

    /// What waited is there, at the end that it has by then.
    fn begin(&mut self, it: &Waiting, end: End, at: DateTime<Utc>) {
        let end = match end {
            (_, Some(time), true) => {
                self.slide(
                    &Slide {
                        unit_code: it.unit.clone(),
                        end: time,
                    },
                    at,
                );
                (false, self.ends.get(&it.unit).copied(), true)
            }
            end => end,
        };
        self.add(&it.unit, end, it.value);
    }

    fn activate(&mut self, activated: &Activated, at: DateTime<Utc>) -> bool {
        let asked = |it: &Waiting| it.wait.credited_by == activated.credited_by;
        let all: Vec<Waiting> = self.waiting.extract_if(.., |it| asked(it)).collect();
        for it in &all {
            let mut end = it.end;
            if it.wait.begin == Begin::OnCall && end == (true, None, false) {
                let by_unit = activated.ends.iter().find(|(unit, _)| *unit == it.unit);
                match by_unit {
                    Some((_, LotEnd::Fixed(time))) => end = (time.is_none(), *time, false),
                    Some((_, LotEnd::Sliding(time))) => end = (false, Some(*time), true),
                    None => {}
                }
            }
            self.begin(it, end, at);
        }
        !all.is_empty()
    }

    fn next_ended(&mut self, at: DateTime<Utc>) -> Option<Drawer> {
        let ended = self.drawers.iter().filter(|drawer| drawer.end <= at);
        let next = ended.min_by_key(|drawer| (drawer.end, drawer.hold_id))?.hold_id;
        self.pull(next)
    }

    fn pull(&mut self, hold_id: HoldId) -> Option<Drawer> {
        let place = self.drawers.iter().position(|drawer| drawer.hold_id == hold_id)?;
        Some(self.drawers.remove(place))
    }

    /// What has ended is gone, debt comes first, and the rest lies where it lay before.
    fn give_back(&mut self, drawer: Drawer, at: DateTime<Utc>) {
        for ((never, end, slides), value) in drawer.grains {
            if end.is_none_or(|end| end > at) {
                self.add(&drawer.unit, (never, end, slides), value);
            }
        }
    }

    /// Grain by grain, wherever it lies: what slides and is still there gets the new end, if it is a later one.
    fn slide(&mut self, slide: &Slide, at: DateTime<Utc>) {
        let unit = &slide.unit_code;
        let end = self
            .ends
            .get(unit)
            .map_or(slide.end, |known| slide.end.max(*known));
        self.ends.insert(unit.clone(), end);
        let drawers = self.drawers.iter_mut().filter(|drawer| drawer.unit == *unit);
        let drawers = drawers.map(|drawer| &mut drawer.grains);
        for grains in self.grains.get_mut(unit).into_iter().chain(drawers) {
            let mut moved = Grains::new();
            for ((never, old, slides), value) in std::mem::take(grains) {
                let is_there = old.is_none_or(|old| old > at);
                let new = if slides && is_there { Some(end) } else { old };
                *moved.entry((never, new, slides)).or_default() += value;
            }
            *grains = moved;
        }
    }

    /// Whether there was ever anything in that unit.
    fn knows(&self, unit: &UnitCode) -> bool {
        self.debt.contains_key(unit)
    }

    /// Whether the command is accepted; if so, what it slides has slid before.
    pub fn apply(&mut self, command: &Command, slides: &[Slide], at: DateTime<Utc>) -> bool {
        let before = self.clone();
        for slide in slides {
            if self.knows(&slide.unit_code) || command.credits(&slide.unit_code) {
                self.slide(slide, at);
            }
        }
        let accepted = self.accept(command, at);
        if !accepted {
            *self = before;
        }
        accepted
    }

    fn accept(&mut self, command: &Command, at: DateTime<Utc>) -> bool {
        match command {
            Command::Credit(earned) | Command::Adjust(Adjusted::Up(earned)) => self.credit(earned, at),
            Command::Activate(activated) => {
                if !self.activate(activated, at) {
                    return false;
                }
            }
            Command::Purchase(all) => all.iter().for_each(|earned| self.credit(earned, at)),
            Command::Spend(spent) => {
                if self.available(&spent.unit_code) < spent.value.get().into() {
                    return false;
                }
                self.take_soonest(&spent.unit_code, spent.value.get().into());
            }
            Command::Refund(all) => {
                for back in all {
                    self.take_back(back);
                }
            }
            Command::Reverse(reversal) => match &reversal.how {
                Reversing::TakeBack(back) => self.take_back(back),
                Reversing::GiveBack(give) => self.return_parts(give, at),
            },
            Command::Hold(new) => {
                if self.available(&new.unit_code) < new.value.get().into() {
                    return false;
                }
                let grains = self.take_soonest(&new.unit_code, new.value.get().into());
                self.drawers.push(Drawer {
                    hold_id: new.hold_id,
                    unit: new.unit_code.clone(),
                    end: new.expire_time,
                    grains,
                });
            }
            Command::Capture(captured) => {
                if !self.capture(captured, at) {
                    return false;
                }
            }
            Command::Release(hold_id) => {
                let Some(drawer) = self.pull(*hold_id) else {
                    return false;
                };
                self.give_back(drawer, at);
            }
            Command::Adjust(Adjusted::Down { less, debt_max }) => {
                let value = less.value.get().into();
                if !self.take_or_owe(&less.unit_code, value, debt_max.get().into()) {
                    return false;
                }
            }
            Command::Send(spent) => {
                if self.send(&spent.unit_code, spent.value.get().into()).is_none() {
                    return false;
                }
            }
            Command::Receive(received) => {
                for lot in &received.lots {
                    let end = (lot.expire_time.is_none(), lot.expire_time, lot.slides);
                    self.receive(&received.unit_code, (end, lot.value_left.get().into()), at);
                }
            }
        }
        assert_ne!(command.kind(), TransactionKind::Expire);
        self.version += 1;
        true
    }

    fn capture(&mut self, captured: &Captured, at: DateTime<Utc>) -> bool {
        let drawer = self.drawers.iter().find(|it| it.hold_id == captured.hold_id);
        let held = drawer.map_or(-1, |drawer| drawer.grains.values().sum::<i128>());
        if held < captured.value.get().into() {
            return false;
        }
        let mut drawer = self.pull(captured.hold_id).expect("just seen");
        take(&mut drawer.grains, captured.value.get().into());
        self.captured += i128::from(captured.value.get());
        self.give_back(drawer, at);
        true
    }

    /// What is not there is owed, if all of it may be.
    fn take_or_owe(&mut self, unit: &UnitCode, value: i128, debt_max: i128) -> bool {
        let there = value.min(self.available(unit));
        let owed = self.debt(unit) + value - there;
        if value > there && owed > debt_max {
            return false;
        }
        self.take_soonest(unit, there);
        self.debt.insert(unit.clone(), owed);
        true
    }

    /// Takes out what is to go to another, if there is so much.
    pub fn send(&mut self, unit: &UnitCode, value: i128) -> Option<Grains> {
        (self.available(unit) >= value).then(|| self.take_soonest(unit, value))
    }

    /// What comes from another keeps its end; what slides goes on with the rest.
    pub fn receive(
        &mut self,
        unit: &UnitCode,
        ((never, end, slides), value): (End, i128),
        at: DateTime<Utc>,
    ) {
        let mut own = end;
        if let Some(end) = end.filter(|_| slides) {
            let unit_code = unit.clone();
            self.slide(&Slide { unit_code, end }, at);
            own = self.ends.get(unit).copied();
        }
        self.add(unit, (never, own, slides), value);
    }

    fn take_back(&mut self, back: &TakeBack) {
        let value = i128::from(back.value.get());
        let from_available = value.min(self.available(&back.unit_code));
        self.take_soonest(&back.unit_code, from_available);
        let debt = self.debt.entry(back.unit_code.clone()).or_default();
        let room = (i128::from(back.debt_max.get()) - *debt).max(0);
        *debt += (value - from_available).min(room);
    }

    /// What has ended is gone or gets the end that it is given; the rest lies where it lay before, what slides at the end
    /// that it would have by now.
    fn return_parts(&mut self, give: &GiveBack, at: DateTime<Utc>) {
        let unit = &give.unit_code;
        for part in &give.parts {
            let value = i128::from(part.value.get());
            let known = self.ends.get(unit).copied();
            let slides = part.lot.slides;
            let own = if slides { known } else { part.lot.expire_time };
            if own.is_none_or(|end| end > at) {
                self.add(unit, (own.is_none(), own, slides), value);
                continue;
            }
            let anew = match give.ended {
                EndedLots::Gone => continue,
                EndedLots::EndBy(LotEnd::Fixed(end)) => (end, false),
                EndedLots::EndBy(LotEnd::Sliding(end)) => {
                    (Some(known.filter(|known| *known > at).unwrap_or(end)), true)
                }
            };
            if let (Some(end), is_sliding) = anew
                && end > at
            {
                if is_sliding {
                    self.ends.insert(unit.clone(), end);
                }
                self.add(unit, (false, Some(end), is_sliding), value);
            }
        }
    }

    fn credit(&mut self, earned: &super::Earned, at: DateTime<Utc>) {
        if earned.value.is_zero() {
            return;
        }
        let unit = &earned.unit_code;
        if let Some(wait) = earned.wait {
            self.debt.entry(unit.clone()).or_default();
            self.waiting.push(Waiting {
                unit: unit.clone(),
                wait,
                end: match earned.end {
                    LotEnd::Fixed(end) => (end.is_none(), end, false),
                    LotEnd::Sliding(end) => (false, Some(end), true),
                },
                value: earned.value.get().into(),
            });
            return;
        }
        let end = match earned.end {
            LotEnd::Fixed(end) => (end.is_none(), end, false),
            LotEnd::Sliding(end) => {
                let unit_code = unit.clone();
                self.slide(&Slide { unit_code, end }, at);
                (false, self.ends.get(unit).copied(), true)
            }
        };
        self.add(unit, end, earned.value.get().into());
    }

    fn add(&mut self, unit: &UnitCode, end: End, value: i128) {
        let debt = self.debt.entry(unit.clone()).or_default();
        let repaid = value.min(*debt);
        *debt -= repaid;
        if value > repaid {
            let grains = self.grains.entry(unit.clone()).or_default();
            *grains.entry(end).or_default() += value - repaid;
        }
    }

    fn take_soonest(&mut self, unit: &UnitCode, value: i128) -> Grains {
        self.grains
            .get_mut(unit)
            .map(|grains| take(grains, value))
            .unwrap_or_default()
    }
}

/// Takes from the soonest end, and gives what was taken.
fn take(grains: &mut Grains, mut value: i128) -> Grains {
    let mut taken = Grains::new();
    for (end, left) in grains.iter_mut() {
        let part = value.min(*left);
        if part > 0 {
            *left -= part;
            value -= part;
            taken.insert(*end, part);
        }
    }
    grains.retain(|_, left| *left > 0);
    taken
}
