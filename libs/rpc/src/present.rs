//! What the answers of several services have in common: instants and money, as messages carry them.

use chrono::{DateTime, Utc};
use fealty_proto::types::v1 as pb;
use fealty_types::Money;

/// The last nanosecond of a second, as protobuf counts them. A leap second's are chrono's only.
const NANOS_MAX: u32 = 999_999_999;

/// An instant as messages carry it.
#[must_use]
pub fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().min(NANOS_MAX).cast_signed(),
    }
}

/// What there is, or the empty text.
#[must_use]
pub fn text_of(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// Money as messages carry it.
#[must_use]
pub fn money(money: Money) -> pb::Money {
    pb::Money {
        currency_code: money.currency.to_string(),
        amount_minor: money.minor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{self, TimeRange};

    #[test]
    fn an_instant_reads_back() {
        let time = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
        assert_eq!(
            fields::timestamp(Some(&timestamp(time)), TimeRange::any()),
            Ok(time)
        );
    }

    #[test]
    fn a_leap_second_is_the_last_instant_of_its_second() {
        let time = DateTime::from_timestamp(1_483_228_799, 1_500_000_000).unwrap();
        assert_eq!(timestamp(time).nanos, 999_999_999);
    }

    #[test]
    fn money_reads_back() {
        let price = Money::new("GBP".parse().unwrap(), -5);
        assert_eq!(fields::money(Some(&money(price))), Ok(price));
    }
}
