//! The year as it will be played, drawn from a seed. Pure.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, Utc};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

/// How many calendar months a year has.
const MONTHS: u32 = 12;
/// The shop is open from then on, in hours of UTC, and closes so many hours later.
const OPENS_AT_HOUR: i64 = 7;
const OPEN_HOURS: i64 = 12;
/// From that month on the new coffee machine is there, and everybody is happier.
const BETTER_FROM_MONTH: usize = 7;

/// A whole year.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Who comes, in the order of enrolment.
    pub people: Vec<Person>,
    /// What happens, day by day.
    pub days: Vec<Day>,
    /// The first of each month.
    pub months: Vec<NaiveDate>,
}

/// Somebody who comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// What they are called.
    pub given_name: &'static str,
    /// The number of their card.
    pub card_number: String,
    /// The reward that they save for.
    pub favourite: usize,
    /// What they answer when asked for the first, second .. time; None when they do not answer.
    pub scores: Vec<Option<u8>>,
}

/// What happens on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// Its last moment: by then all of it has happened.
    pub closes_at: DateTime<Utc>,
    /// Who enrols.
    pub enrolments: Vec<usize>,
    /// Who buys.
    pub purchases: Vec<Purchase>,
}

/// Somebody buys something.
#[derive(Debug, Clone, PartialEq)]
pub struct Purchase {
    /// Who.
    pub person: usize,
    /// The till's number for it.
    pub receipt_id: String,
    /// For how much.
    pub amount_minor: i64,
    /// When.
    pub time: DateTime<Utc>,
    /// They bring it back, and get their money.
    pub is_returned: bool,
}

/// How somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Once.
    Once,
    /// Now and then.
    NowAndThen,
    /// Every few days.
    Regularly,
}

/// First names of the invented.
const NAMES: [&str; 24] = [
    "Ada", "Bruno", "Carla", "Dimitri", "Elif", "Farid", "Greta", "Hana", "Ivan", "Jana", "Kofi", "Lea",
    "Milan", "Nora", "Omar", "Petra", "Quentin", "Rosa", "Selma", "Tomas", "Una", "Viktor", "Wanda", "Yusuf",
];

/// More answers than anybody is asked for in a year: one in thirty days.
const SCORES_COUNT: usize = 14;

impl Plan {
    /// The twelve full months before the one of `today`.
    ///
    /// # Panics
    /// When `today` is not of this geological age.
    #[must_use]
    pub fn draw(seed: u64, people_count: usize, today: NaiveDate) -> Self {
        let end = today.with_day(1).expect("every month has a first");
        let begin = end
            .checked_sub_months(Months::new(MONTHS))
            .expect("a year ago there was a day");
        let months = (0..MONTHS).filter_map(|month| begin.checked_add_months(Months::new(month)));
        let mut plan = Self {
            people: Vec::with_capacity(people_count),
            days: begin
                .iter_days()
                .take_while(|day| *day < end)
                .map(Day::empty)
                .collect(),
            months: months.collect(),
        };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for person in 0..people_count {
            plan.add_person(person, &mut random);
        }
        plan.number_receipts();
        plan
    }

    /// The first moment.
    #[must_use]
    pub fn begins_at(&self) -> DateTime<Utc> {
        self.days[0].closes_at - TimeDelta::days(1)
    }

    /// How many purchases there are.
    #[must_use]
    pub fn purchase_count(&self) -> usize {
        self.days.iter().map(|day| day.purchases.len()).sum()
    }

    fn add_person(&mut self, person: usize, random: &mut ChaCha8Rng) {
        let habit = match random.random_range(0..100) {
            0..35 => Habit::Once,
            35..75 => Habit::NowAndThen,
            _ => Habit::Regularly,
        };
        let basket_minor: i64 = random.random_range(300..2_500);
        let mut day = first_day(self.days.len(), random);
        self.days[day].enrolments.push(person);
        let mut visit = 0;
        while day < self.days.len() {
            let purchase = self.purchase(person, day, basket_minor, random);
            self.days[day].purchases.push(purchase);
            visit += 1;
            day += match habit {
                Habit::Once => break,
                Habit::NowAndThen => random.random_range(5..110),
                Habit::Regularly => random.random_range(6..10),
            };
        }
        let given_name = NAMES[random.random_range(0..NAMES.len())];
        let month = self
            .months
            .partition_point(|first| *first <= self.days[day.min(self.days.len() - 1)].date());
        let happy = habit == Habit::Regularly || month > BETTER_FROM_MONTH || visit > 6;
        self.people.push(Person {
            given_name,
            card_number: card_number(person),
            favourite: random.random_range(0..super::shop::REWARDS.len()),
            scores: (0..SCORES_COUNT).map(|_| score(happy, random)).collect(),
        });
    }

    fn purchase(&self, person: usize, day: usize, basket_minor: i64, random: &mut ChaCha8Rng) -> Purchase {
        let opens_at = self.days[day].closes_at - TimeDelta::hours(24 - OPENS_AT_HOUR);
        let share = random.random_range(40..190);
        Purchase {
            person,
            receipt_id: String::new(),
            amount_minor: basket_minor * share / 100,
            time: opens_at + TimeDelta::seconds(random.random_range(0..OPEN_HOURS * 3_600)),
            is_returned: random.random_range(0..100) < 2,
        }
    }

    fn number_receipts(&mut self) {
        let mut number = 0;
        for day in &mut self.days {
            day.purchases
                .sort_by_key(|purchase| (purchase.time, purchase.person));
            for purchase in &mut day.purchases {
                number += 1;
                purchase.receipt_id = format!("{number:06}");
            }
        }
    }
}

impl Day {
    /// What happens on several days, as seen when the last one closes.
    #[must_use]
    pub fn merged(days: &[Self]) -> Option<Self> {
        Some(Self {
            closes_at: days.last()?.closes_at,
            enrolments: days.iter().flat_map(|day| day.enrolments.clone()).collect(),
            purchases: days.iter().flat_map(|day| day.purchases.clone()).collect(),
        })
    }

    fn empty(date: NaiveDate) -> Self {
        let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
        Self {
            closes_at: next.and_time(chrono::NaiveTime::MIN).and_utc(),
            enrolments: Vec::new(),
            purchases: Vec::new(),
        }
    }

    fn date(&self) -> NaiveDate {
        (self.closes_at - TimeDelta::days(1)).date_naive()
    }
}

/// Two out of three are there from the first quarter on; the shop opened with a campaign.
fn first_day(day_count: usize, random: &mut ChaCha8Rng) -> usize {
    let end = if random.random_range(0..3) == 0 {
        day_count
    } else {
        day_count / 4
    };
    random.random_range(0..end.max(1))
}

/// Sixteen digits of which the last is the check digit of Luhn.
fn card_number(person: usize) -> String {
    let digits = format!("40000{person:010}");
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            match (place % 2 == 0, digit * 2) {
                (true, doubled) if doubled > 9 => doubled - 9,
                (true, doubled) => doubled,
                (false, _) => digit,
            }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn score(happy: bool, random: &mut ChaCha8Rng) -> Option<u8> {
    if random.random_range(0..100) >= 45 {
        return None;
    }
    // Out of a hundred: promoters, and with them passives.
    let (promoters, not_detractors) = if happy { (62, 88) } else { (30, 65) };
    let drawn = random.random_range(0..100);
    Some(if drawn < promoters {
        random.random_range(9..=10)
    } else if drawn < not_detractors {
        random.random_range(7..=8)
    } else {
        random.random_range(1..=6)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Plan {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
        Plan::draw(seed, 200, today)
    }

    #[test]
    fn the_same_seed_is_the_same_year_and_another_is_another() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn nobody_buys_before_they_enrol_or_after_the_shop_has_closed() {
        let plan = drawn(7);
        assert_eq!(
            (plan.people.len(), plan.months.len(), plan.days.len()),
            (200, 12, 365)
        );
        let mut enrolled = vec![false; plan.people.len()];
        for day in &plan.days {
            for person in &day.enrolments {
                enrolled[*person] = true;
            }
            for purchase in &day.purchases {
                assert!(enrolled[purchase.person]);
                assert!(purchase.time < day.closes_at && purchase.time >= day.closes_at - TimeDelta::days(1));
                assert!(purchase.amount_minor > 0);
            }
        }
        assert!(enrolled.iter().all(|enrolled| *enrolled));
        assert!(plan.purchase_count() > 1_000, "{}", plan.purchase_count());
    }

    #[test]
    fn card_numbers_differ_and_have_their_check_digit() {
        assert_eq!(card_number(12_345), "4000000000123457");
        assert_ne!(card_number(1), card_number(2));
    }
}
