//! What the movements of an owner came to, lot by lot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::finding::{Check, Finding, Findings};
use super::history::Read;
use super::reversals;
use super::rows::{Begin, Lot, Movement, Transaction};

/// Sums of an owner's lots, or of a part of them.
#[derive(Debug)]
pub(super) struct LotSums {
    part: Part,
    sums: HashMap<Uuid, LotSum>,
}

/// Which of an owner's lots are summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) place: u128,
    pub(super) count: u128,
}

/// What a lot's movements came to.
#[derive(Debug)]
struct LotSum {
    unit: String,
    /// As of the last of them: it moves where it slides.
    end: Option<DateTime<Utc>>,
    slides: bool,
    budget: Option<String>,
    /// What it waits for; none once it counts.
    begin: Option<Begin>,
    /// Of what waits: what gave it, unless it came along from another owner.
    credited_by: Option<Uuid>,
    left: i128,
    /// What was given: what came back from a hold was credited before.
    credited: i128,
    /// When the first of it came.
    first_time: DateTime<Utc>,
    /// Whether that came along from another owner, where it may be older.
    came_along: bool,
    /// Not all movements say the same of it.
    contradicted: bool,
}

/// What holds say of an owner's lots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claims<'a> {
    /// What open holds claim, by lot.
    pub(super) pinned: &'a HashMap<Uuid, i128>,
    /// Units in which a claim was moved from one lot to another, when the two became one: what was claimed counts as
    /// credited to the other, and no movement says so.
    pub(super) repinned: &'a BTreeSet<String>,
}

impl Part {
    /// All of them.
    pub(super) fn all(count: u128) -> impl Iterator<Item = Self> {
        (0..count).map(move |place| Self { place, count })
    }

    /// Whether a lot is in it.
    pub(super) fn has(self, lot_id: Uuid) -> bool {
        // The last bits of a version 7 are random.
        lot_id.as_u128() % self.count == self.place
    }

    /// Whether it is the first, in which all else is checked, too.
    pub(super) const fn is_first(self) -> bool {
        self.place == 0
    }
}

impl LotSum {
    /// As its first movement tells.
    fn open(moved: &Movement, row: &Transaction) -> Self {
        let came_along = matches!(row.kind.as_str(), "move" | "transfer" | "reverse");
        Self {
            unit: moved.unit.clone(),
            end: moved.end,
            slides: moved.slides,
            budget: moved.budget.clone(),
            begin: moved.begin.clone(),
            credited_by: (!came_along && moved.begin.is_some()).then_some(row.transaction_id),
            left: 0,
            credited: 0,
            first_time: row.record_time,
            came_along,
            contradicted: false,
        }
    }

    /// What waits begins once, at whatever end it has by then, and has nothing left that waits.
    fn see_begin(&mut self, moved: &Movement, kind: &str) {
        if self.begin == moved.begin {
            return;
        }
        self.contradicted |= moved.begin.is_some() || kind != "activate" || self.left != 0;
        self.begin = None;
        self.credited_by = None;
        (self.end, self.slides) = (moved.end, moved.slides);
    }

    /// The end of a lot that slides moves on, to a later one, in a movement that does nothing else. Whoever only tells of an
    /// end moves none.
    fn see_end(&mut self, moved: &Movement, kind: &str) {
        if self.end == moved.end {
            return;
        }
        let is_later = self.slides && self.end.is_some() && moved.end > self.end;
        // A lot that is opened again has the end to which others like it moved in the meantime.
        let moves_alone = moved.value == 0 || (matches!(kind, "reverse" | "move") && moved.value > 0);
        self.contradicted |= !is_later || !moves_alone || kind == "notice";
        self.end = moved.end;
    }
}

impl LotSums {
    pub(super) fn of(part: Part) -> Self {
        Self {
            part,
            sums: HashMap::new(),
        }
    }

    /// What a transaction did to lots.
    pub(super) fn add(&mut self, read: Read<'_>) {
        let kind = read.row.kind.as_str();
        let comes_back = matches!(kind, "release" | "capture");
        let mut came_back = reversals::came_back(read);
        for moved in read.movements.iter().filter(|moved| self.part.has(moved.lot)) {
            let sum = self.sums.entry(moved.lot);
            let sum = sum.or_insert_with(|| LotSum::open(moved, read.row));
            sum.see_begin(moved, kind);
            sum.contradicted |=
                sum.unit != moved.unit || sum.slides != moved.slides || sum.budget != moved.budget;
            sum.see_end(moved, kind);
            sum.left += i128::from(moved.value);
            // What begins is credited to the lot in which it counts.
            if kind == "activate" && moved.begin.is_some() {
                sum.credited += i128::from(moved.value);
            } else if moved.value > 0 && !comes_back {
                sum.credited += reversals::credited(moved, &mut came_back);
            }
        }
    }

    /// Holds a row to its movements, and forgets them.
    pub(super) fn check(&mut self, row: &Lot, place: &Finding, claims: Claims<'_>, findings: &mut Findings) {
        if !self.part.has(row.lot_id) {
            return;
        }
        let mut differs = |what: &str, expected: String, found: String| {
            let what = format!("{what} of lot {} ({})", row.lot_id, row.unit_code);
            let finding = Finding {
                check: Check::Lot,
                what,
                ..place.clone()
            };
            findings.push(finding.differs(expected, found));
        };
        let Some(sum) = self.sums.remove(&row.lot_id) else {
            differs("movements", "some".to_owned(), "none".to_owned());
            return;
        };
        let pinned = claims.pinned.get(&row.lot_id).copied().unwrap_or_default();
        let held = i128::from(row.value_held);
        let credited = i128::from(row.value_credited);
        if sum.contradicted {
            differs("movements", "one unit and end".to_owned(), "several".to_owned());
        }
        if sum.unit != row.unit_code {
            differs("unit_code", sum.unit.clone(), row.unit_code.clone());
        }
        if sum.slides != row.slides {
            differs("slides", sum.slides.to_string(), row.slides.to_string());
        }
        if sum.end != row.expire_time {
            differs("expire_time", shown(sum.end), shown(row.expire_time));
        }
        if sum.budget != row.budget_code {
            differs(
                "budget_code",
                format!("{:?}", sum.budget),
                format!("{:?}", row.budget_code),
            );
        }
        let waits = (sum.begin.is_some(), sum.begin.as_ref().and_then(Begin::time));
        if waits != (row.pending, row.begin_time) {
            let found = (row.pending, row.begin_time);
            differs("what it waits for", format!("{waits:?}"), format!("{found:?}"));
        }
        if sum.credited_by.is_some() && sum.credited_by != row.credited_by {
            let found = format!("{:?}", row.credited_by);
            differs("credited_by", format!("{:?}", sum.credited_by), found);
        }
        if sum.left != i128::from(row.value_left) {
            differs("value_left", sum.left.to_string(), row.value_left.to_string());
        }
        if pinned != held {
            differs("value_held", pinned.to_string(), held.to_string());
        }
        if credited < sum.credited || (credited > sum.credited && !claims.repinned.contains(&row.unit_code)) {
            differs("value_credited", sum.credited.to_string(), credited.to_string());
        }
        let found = shown(Some(row.create_time));
        if sum.came_along && row.create_time > sum.first_time {
            differs("create_time", format!("{} or earlier", sum.first_time), found);
        } else if !sum.came_along && row.create_time != sum.first_time {
            differs("create_time", shown(Some(sum.first_time)), found);
        }
    }

    /// What was moved in lots that have no row.
    pub(super) fn check_rest(&self, place: &Finding, findings: &mut Findings) {
        let sums: BTreeMap<_, _> = self.sums.iter().collect();
        for (lot_id, sum) in sums {
            let finding = Finding {
                check: Check::Lot,
                what: format!("row of lot {lot_id} ({})", sum.unit),
                ..place.clone()
            };
            findings.push(finding.differs(format_args!("one with {} left", sum.left), "none"));
        }
    }
}

fn shown(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.to_string())
}
