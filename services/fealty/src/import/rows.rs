//! From a line of the file to what it means. Pure.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use csv::StringRecord;

use super::args::Map;

/// The largest sum of a row, as the ledger takes it: ten thousand million pounds, and millions of such rows still sum
/// up within 64 bits.
const AMOUNT_MINOR_MAX: u64 = 1_000_000_000_000;

/// What a row means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Somebody known bought.
    Purchase(Movement),
    /// Somebody known got money back, for a purchase that the row does not name. The sum is positive here.
    Refund(Movement),
    /// Nobody's: counted, not posted. With what is odd about it, if anything.
    Anonymous {
        /// The sum as it stands.
        amount_minor: i64,
        /// Why it would have been rejected if it had a customer.
        odd: Option<Rejection>,
    },
    /// Not taken.
    Rejected {
        /// The sum as it stands; zero where it cannot be read.
        amount_minor: i64,
        /// Why.
        reason: Rejection,
    },
}

impl Row {
    /// The row, which takes up so many lines of the file: what cannot be read then is likely several rows.
    pub fn of_lines(self, line_count: u64) -> Self {
        match self {
            Self::Rejected { amount_minor, .. } if line_count > 1 => {
                rejected(amount_minor, Rejection::OpenQuote { line_count })
            }
            row => row,
        }
    }
}

/// A purchase or refund of a known customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The receipt's number.
    pub receipt: String,
    /// The customer's external id.
    pub customer: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// The sum, zero or more.
    pub amount_minor: i64,
}

/// Why a row is not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// The CSV reader cannot make fields of the line.
    #[error("the line is no row of this CSV")]
    Malformed,
    /// The row cannot be read, and takes up several lines.
    #[error("a row of several lines that cannot be read: is a quote left open?")]
    OpenQuote {
        /// How many lines.
        line_count: u64,
    },
    /// There is no receipt number.
    #[error("no receipt number")]
    NoReceipt,
    /// The receipt stands in the file before.
    #[error("the receipt number stands in an earlier line too")]
    RepeatedReceipt,
    /// The time cannot be read.
    #[error("the time is neither RFC 3339 nor YYYY-MM-DD[T ]HH:MM[:SS]")]
    BadTime,
    /// The sum cannot be read.
    #[error("the sum is no whole number of minor units up to a million million")]
    BadAmount,
    /// The cancellation column holds something else than yes or no.
    #[error("the cancellation column is none of 0, 1, true, false")]
    BadCancellation,
    /// It takes back and is not marked so.
    #[error("a negative sum that is no cancellation")]
    NegativePurchase,
    /// It is marked as taking back and adds.
    #[error("a cancellation with a positive sum")]
    PositiveCancellation,
    /// It is marked as taking back and takes nothing.
    #[error("a cancellation of nothing")]
    ZeroCancellation,
    /// Nobody is enrolled by that id.
    #[error("the customer is not enrolled (--enrol would)")]
    UnknownCustomer,
    /// A service refused it.
    #[error("refused: {reason}")]
    Refused {
        /// The service's reason: one of a documented few, so that rows can be counted by it.
        reason: String,
        /// What it says of this row.
        detail: String,
    },
}

impl Rejection {
    /// All that there is to say of this row; its `Display` is what rows are counted by.
    pub fn explain(&self) -> String {
        match self {
            Self::Refused { reason, detail } => format!("refused: {reason}: {detail}"),
            Self::OpenQuote { line_count } => format!("{self} It takes up {line_count} lines"),
            other => other.to_string(),
        }
    }
}

/// Where the mapped columns stand.
#[derive(Debug, Clone)]
pub struct Columns {
    receipt: usize,
    customer: usize,
    time: usize,
    amount_minor: usize,
    cancellation: Option<usize>,
    time_zone: Tz,
}

impl Columns {
    /// Finds the mapped columns in the header, or names those that are not there.
    pub fn find(header: &StringRecord, map: &Map, time_zone: Tz) -> Result<Self, Vec<String>> {
        let place = |column: &str| header.iter().position(|name| name.trim() == column);
        let wanted = [&map.receipt, &map.customer, &map.time, &map.amount_minor];
        let missing: Vec<String> = wanted
            .iter()
            .filter(|column| place(column).is_none())
            .map(ToString::to_string)
            .collect();
        let found: Vec<usize> = wanted.iter().filter_map(|column| place(column)).collect();
        let [receipt, customer, time, amount_minor] = found[..] else {
            return Err(missing);
        };
        Ok(Self {
            receipt,
            customer,
            time,
            amount_minor,
            cancellation: place(&map.cancellation),
            time_zone,
        })
    }

    /// What a record means.
    pub fn read(&self, record: &StringRecord) -> Row {
        let field = |at: usize| record.get(at).unwrap_or("").trim();
        let amount_minor = field(self.amount_minor).parse::<i64>();
        let Some(amount_minor) = amount_minor
            .ok()
            .filter(|minor| minor.unsigned_abs() <= AMOUNT_MINOR_MAX)
        else {
            return rejected(0, Rejection::BadAmount);
        };
        let cancelled = match self.cancellation.map(field) {
            None => amount_minor < 0,
            Some("0" | "false" | "") => false,
            Some("1" | "true") => true,
            Some(_) => return rejected(amount_minor, Rejection::BadCancellation),
        };
        let odd = oddity(amount_minor, cancelled);
        let customer = field(self.customer);
        if customer.is_empty() {
            return Row::Anonymous { amount_minor, odd };
        }
        if let Some(reason) = odd {
            return rejected(amount_minor, reason);
        }
        let receipt = field(self.receipt);
        if receipt.is_empty() {
            return rejected(amount_minor, Rejection::NoReceipt);
        }
        let Some(time) = read_time(field(self.time), self.time_zone) else {
            return rejected(amount_minor, Rejection::BadTime);
        };
        let movement = Movement {
            receipt: receipt.to_owned(),
            customer: customer.to_owned(),
            time,
            // The oddities leave only sums whose sign can be dropped; the bound above leaves none without a positive.
            amount_minor: amount_minor.abs(),
        };
        if cancelled {
            Row::Refund(movement)
        } else {
            Row::Purchase(movement)
        }
    }
}

fn rejected(amount_minor: i64, reason: Rejection) -> Row {
    Row::Rejected { amount_minor, reason }
}

fn oddity(amount_minor: i64, cancelled: bool) -> Option<Rejection> {
    match (cancelled, amount_minor.signum()) {
        (false, -1) => Some(Rejection::NegativePurchase),
        (true, 1) => Some(Rejection::PositiveCancellation),
        (true, 0) => Some(Rejection::ZeroCancellation),
        _ => None,
    }
}

/// A time with an offset as it stands; one without by the zone's clocks. Of an hour that the clocks run through twice
/// the first is meant; a time that they skip is taken as that much after the skip.
fn read_time(text: &str, time_zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    let local = [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    match time_zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.with_timezone(&Utc)),
        LocalResult::None => {
            // Clocks skip an hour at the most where people trade.
            let skipped = TimeDelta::hours(1);
            let before = time_zone.from_local_datetime(&(local - skipped)).earliest()?;
            Some((before + skipped).with_timezone(&Utc))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        let header = StringRecord::from(vec![
            "receipt",
            "customer",
            "time",
            "amount_minor",
            "cancellation",
        ]);
        Columns::find(&header, &Map::default(), Tz::Europe__London).expect("all there")
    }

    fn read(fields: [&str; 5]) -> Row {
        columns().read(&StringRecord::from(fields.to_vec()))
    }

    #[test]
    fn a_row_is_taken_by_its_sign_and_its_mark() {
        let row = |amount, mark| read(["1", "c", "2010-07-01T12:00:00", amount, mark]);
        assert!(matches!(
            row("100", "0"),
            Row::Purchase(Movement {
                amount_minor: 100,
                ..
            })
        ));
        assert!(matches!(
            row("0", "0"),
            Row::Purchase(Movement { amount_minor: 0, .. })
        ));
        assert!(matches!(
            row("-100", "1"),
            Row::Refund(Movement {
                amount_minor: 100,
                ..
            })
        ));
        let reason = |row| match row {
            Row::Rejected { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(row("-100", "0")), Rejection::NegativePurchase);
        assert_eq!(reason(row("100", "1")), Rejection::PositiveCancellation);
        assert_eq!(reason(row("0", "1")), Rejection::ZeroCancellation);
        assert_eq!(reason(row("1.5", "0")), Rejection::BadAmount);
        assert_eq!(reason(row("100", "perhaps")), Rejection::BadCancellation);
        assert_eq!(
            reason(read(["", "c", "2010-07-01T12:00:00", "1", "0"])),
            Rejection::NoReceipt
        );
        assert_eq!(
            reason(read(["1", "c", "yesterday", "1", "0"])),
            Rejection::BadTime
        );
    }

    #[test]
    fn a_row_of_nobody_is_counted_with_what_is_odd_about_it() {
        assert_eq!(
            read(["A1", "", "2010-07-01T12:00:00", "-5", "0"]),
            Row::Anonymous {
                amount_minor: -5,
                odd: Some(Rejection::NegativePurchase)
            }
        );
    }

    #[test]
    fn times_without_an_offset_follow_the_zones_clocks() {
        let utc = |text| read_time(text, Tz::Europe__London).expect("a time").to_rfc3339();
        assert_eq!(utc("2010-07-01T12:00:00"), "2010-07-01T11:00:00+00:00");
        assert_eq!(utc("2010-12-01 12:00"), "2010-12-01T12:00:00+00:00");
        assert_eq!(utc("2010-07-01T12:00:00+02:00"), "2010-07-01T10:00:00+00:00");
        // Skipped on the last Sunday of March, run through twice on the last of October.
        assert_eq!(utc("2010-03-28T01:30:00"), "2010-03-28T01:30:00+00:00");
        assert_eq!(utc("2010-10-31T01:30:00"), "2010-10-31T00:30:00+00:00");
    }

    #[test]
    fn columns_that_are_not_there_are_named() {
        let header = StringRecord::from(vec!["receipt", "when"]);
        let missing = Columns::find(&header, &Map::default(), Tz::UTC).expect_err("missing");
        assert_eq!(missing, ["customer", "time", "amount_minor"]);
    }
}
