//! A year of a real shop's orders, made up: the same oddities in the same shares, and the same file for the same seed.
//!
//! Of a real shop's 28,816 orders 18 % had no customer, 16 % were cancellations that named no order, 11 % were of
//! nothing, a few were negative and no cancellations or cancellations and positive, and several hundred refunds exceeded
//! what the customer had earned before.

use std::fmt::Write as _;

/// The year of the made-up shop, in minutes from its first morning.
const YEAR_MINUTES: u64 = 372 * DAY_MINUTES;
const DAY_MINUTES: u64 = 24 * 60;
/// Its first day: 2009-12-01.
const FIRST_DAY: Date = Date {
    year: 2009,
    month: 12,
    day: 1,
};
/// Orders per customer, about.
const ORDERS_PER_CUSTOMER: u64 = 7;
/// What customers are numbered from.
const FIRST_CUSTOMER: u64 = 12_346;
/// What invoices are numbered from.
const FIRST_INVOICE: u64 = 489_434;

/// Orders in the hours that the clocks of Europe/London skip and run through twice.
const CLOCK_CHANGES: [(&str, i64); 4] = [
    ("2010-03-28T00:59:00", 1_111),
    ("2010-03-28T01:30:00", 2_222),
    ("2010-10-31T00:59:00", 4_444),
    ("2010-10-31T01:30:00", 8_888),
];

/// The header of a shop's year.
pub const HEADER: &str = "invoice,customer_id,date,country,lines,items,amount_pence,is_cancellation";

/// A shop's year as CSV, in the order of time.
#[must_use]
pub fn orders(seed: u64, order_count: u64) -> String {
    let mut chance = Chance(seed);
    let customer_count = (order_count / ORDERS_PER_CUSTOMER).max(1);
    let mut text = format!("{HEADER}\n");
    let mut minute: u64 = 7 * 60;
    let mut customer = chance.below(customer_count);
    for number in 0..order_count {
        // Every fourth order is the same customer's, in the same minute.
        if chance.per_cent() >= 25 {
            minute += chance.below(2 * YEAR_MINUTES / order_count);
            customer = chance.below(customer_count);
        }
        push_order(&mut text, &mut chance, (number, customer, minute));
    }
    for (number, (time, amount)) in (order_count..).zip(CLOCK_CHANGES) {
        let invoice = FIRST_INVOICE + number;
        push(
            &mut text,
            &format!("{invoice},{FIRST_CUSTOMER},{time},United Kingdom,1,1,{amount},0"),
        );
    }
    text
}

fn push_order(text: &mut String, chance: &mut Chance, (number, customer, minute): (u64, u64, u64)) {
    let anonymous = chance.per_cent() < 18;
    let customer = if anonymous {
        String::new()
    } else {
        (FIRST_CUSTOMER + customer).to_string()
    };
    let size = amount(chance);
    let (mark, amount, cancelled) = match chance.below(1_000) {
        // Real years have three negatives and one positive; a smaller file needs a larger share to have any.
        0..=3 => ("A", -size, 0),
        4..=6 => ("C", size, 1),
        7 => ("C", 0, 1),
        8..=117 => ("", 0, 0),
        118..=277 => ("C", -refund(chance, size), 1),
        _ => ("", size, 0),
    };
    let invoice = FIRST_INVOICE + number;
    let lines = 1 + chance.below(40);
    let time = local_time(minute);
    push(
        text,
        &format!(
            "{mark}{invoice},{customer},{time},United Kingdom,{lines},{},{amount},{cancelled}",
            lines * 7
        ),
    );
}

fn push(text: &mut String, line: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// Mostly some hundred pounds; now and then some thousand.
fn amount(chance: &mut Chance) -> i64 {
    let size = match chance.below(20) {
        0 => 200_000 + chance.below(2_000_000),
        1..=4 => 1 + chance.below(99),
        _ => 100 + chance.below(60_000),
    };
    i64::try_from(size).unwrap_or(1)
}

/// One refund in five exceeds whatever was bought before.
fn refund(chance: &mut Chance, size: i64) -> i64 {
    if chance.below(5) == 0 {
        size * 10
    } else {
        size / 2 + 1
    }
}

fn local_time(minute: u64) -> String {
    let day = FIRST_DAY.after(minute / DAY_MINUTES);
    let (hour, minute) = (minute % DAY_MINUTES / 60, minute % 60);
    format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:00",
        day.year, day.month, day.day
    )
}

#[derive(Debug, Clone, Copy)]
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    fn after(self, days: u64) -> Self {
        (0..days).fold(self, |day, _| day.next())
    }

    fn next(self) -> Self {
        if self.day < self.days_of_month() {
            return Self {
                day: self.day + 1,
                ..self
            };
        }
        let (year, month) = if self.month == 12 {
            (self.year + 1, 1)
        } else {
            (self.year, self.month + 1)
        };
        Self { year, month, day: 1 }
    }

    fn days_of_month(self) -> u64 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            // None of the shop's years is a leap year.
            2 => 28,
            _ => 31,
        }
    }
}

/// `SplitMix64`: the same numbers on every machine and with every version of every crate.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn per_cent(&mut self) -> u64 {
        self.below(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_year() {
        assert_eq!(orders(7, 500), orders(7, 500));
        assert_ne!(orders(7, 500), orders(8, 500));
    }

    #[test]
    fn a_year_has_every_oddity_of_a_real_one() {
        let text = orders(1, 3_000);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').collect())
            .collect();
        let share =
            |odd: &dyn Fn(&Vec<&str>) -> bool| rows.iter().filter(|row| odd(row)).count() * 100 / rows.len();
        assert!((16..=20).contains(&share(&|row| row[1].is_empty())));
        assert!((13..=19).contains(&share(&|row| row[7] == "1")));
        assert!((8..=14).contains(&share(&|row| row[6] == "0")));
        let any = |odd: &dyn Fn(&Vec<&str>) -> bool| rows.iter().any(odd);
        let amount = |row: &Vec<&str>| row[6].parse::<i64>().expect("a number");
        assert!(any(&|row| row[7] == "0" && amount(row) < 0 && !row[1].is_empty()));
        assert!(any(&|row| row[7] == "1" && amount(row) > 0 && !row[1].is_empty()));
        assert!(any(&|row| row[7] == "1" && amount(row) > 0 && row[1].is_empty()));
        assert!(any(&|row| row[7] == "1"
            && amount(row) == 0
            && !row[1].is_empty()));
        assert!(
            rows.windows(2)
                .any(|pair| pair[0][1] == pair[1][1] && pair[0][2] == pair[1][2])
        );
        assert!(
            text.lines()
                .last()
                .is_some_and(|line| line.contains("2010-10-31T01:30"))
        );
    }
}
