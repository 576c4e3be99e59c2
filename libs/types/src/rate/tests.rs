use proptest::prelude::*;

use super::*;

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn money(code: &str, minor: i64) -> Money {
    Money::new(code.parse().unwrap(), minor)
}

fn scale(decimals: i32) -> UnitScale {
    decimals.try_into().unwrap()
}

fn earned(rate_text: &str, sum: Money, decimals: i32, rounding: Rounding) -> i64 {
    rate(rate_text)
        .apply(sum, scale(decimals), rounding)
        .unwrap()
        .get()
}

#[test]
fn a_rate_counts_units_for_each_major_unit_of_money() {
    assert_eq!(earned("1", money("GBP", 1_999), 0, Rounding::Down), 19);
    assert_eq!(earned("0.05", money("GBP", 2_000), 0, Rounding::Down), 1);
    assert_eq!(earned("0.05", money("GBP", 1_999), 2, Rounding::Down), 99);
    assert_eq!(earned("0.05", money("JPY", 300), 0, Rounding::Down), 15);
    assert_eq!(earned("100", money("KWD", 1_001), 0, Rounding::Down), 100);
    assert_eq!(earned("2", money("JPY", 3), 6, Rounding::Down), 6_000_000);
}

#[test]
fn each_rounding_has_its_own_half() {
    let cases = [
        (Rounding::Down, [0, 0, 1, 1, 2]),
        (Rounding::Up, [1, 1, 2, 2, 3]),
        (Rounding::HalfUp, [0, 1, 1, 2, 3]),
        (Rounding::HalfEven, [0, 0, 1, 2, 2]),
    ];
    for (rounding, expected) in cases {
        let actual = [40, 50, 140, 150, 250].map(|minor| earned("1", money("GBP", minor), 0, rounding));
        assert_eq!(actual, expected, "{rounding:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let largest = rate("1000000");
    let result = largest.apply(money("JPY", i64::MAX), scale(6), Rounding::Down);
    assert_eq!(result, Err(RateError::Overflow));
    assert_eq!(
        largest.apply(money("JPY", i64::MIN), scale(0), Rounding::Up),
        Err(RateError::Overflow)
    );
}

#[test]
fn a_rate_is_plain_digits_within_bounds() {
    for (text, printed) in [
        ("0", "0"),
        ("0.050", "0.05"),
        ("007", "7"),
        ("-0", "0"),
        ("0.123456789", "0.123456789"),
        ("1.0000000000000000000000000000000000000", "1"),
        ("1000000", "1000000"),
    ] {
        assert_eq!(rate(text).to_string(), printed);
    }
    for (text, error) in [
        ("", RateError::Malformed),
        (".5", RateError::Malformed),
        ("5.", RateError::Malformed),
        ("1e3", RateError::Malformed),
        ("1_000", RateError::Malformed),
        ("+1", RateError::Malformed),
        ("1,5", RateError::Malformed),
        ("NaN", RateError::Malformed),
        ("1.2.3", RateError::Malformed),
        ("0.1234567891", RateError::TooManyDecimals),
        ("-0.1", RateError::OutOfRange),
        ("1000000.000000001", RateError::OutOfRange),
        (
            "100000000000000000000000000000000000000000",
            RateError::OutOfRange,
        ),
    ] {
        assert_eq!(text.parse::<Rate>(), Err(error), "{text:?}");
    }
}

#[test]
fn json_holds_a_rate_as_text() {
    let json = serde_json::to_string(&rate("0.050")).unwrap();
    assert_eq!(json, "\"0.05\"");
    assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), rate("0.05"));
    assert!(
        serde_json::from_str::<Rate>("0.05").is_err(),
        "a JSON number is a float in many readers"
    );
}

fn any_rate() -> impl Strategy<Value = Rate> {
    (0..=RATE_MAX * 1_000_000_000, 0..=RATE_DECIMALS_MAX)
        .prop_filter_map("within bounds", |(mantissa, scale)| {
            Rate::try_new(Decimal::new(mantissa, scale)).ok()
        })
}

fn any_rounding() -> impl Strategy<Value = Rounding> {
    prop::sample::select(vec![
        Rounding::Down,
        Rounding::Up,
        Rounding::HalfUp,
        Rounding::HalfEven,
    ])
}

fn any_currency() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["JPY", "GBP", "KWD", "CLF"])
}

proptest! {
    #[test]
    fn a_printed_rate_is_the_same_rate(rate in any_rate()) {
        prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
    }

    #[test]
    fn the_result_is_within_one_step_of_the_exact_one(
        rate in any_rate(), minor in -1_000_000_000_i64..1_000_000_000, currency in any_currency(),
        decimals in 0..=3_i32, rounding in any_rounding(),
    ) {
        let sum = money(currency, minor);
        let Ok(result) = rate.apply(sum, scale(decimals), rounding) else { return Ok(()) };
        // Compared without a division: result * 10^drop against mantissa * minor * 10^add.
        let drop_digits = rate.get().scale() + u32::from(sum.currency.minor_digits());
        let step = 10_i128.pow(drop_digits);
        let exact = rate.get().mantissa() * i128::from(minor) * 10_i128.pow(decimals.try_into().unwrap());
        let rest = exact - i128::from(result.get()) * step;
        prop_assert!(rest.abs() < step);
        match rounding {
            Rounding::Down => prop_assert!(rest.signum() * exact.signum() >= 0),
            Rounding::Up => prop_assert!(rest.signum() * exact.signum() <= 0),
            Rounding::HalfUp => prop_assert!(2 * rest.abs() <= step),
            Rounding::HalfEven => {
                prop_assert!(2 * rest.abs() <= step);
                prop_assert!(2 * rest.abs() < step || result.get() % 2 == 0);
            }
        }
    }

    #[test]
    fn the_same_sum_taken_back_takes_back_what_it_earned(
        rate in any_rate(), minor in -i64::MAX..=i64::MAX, decimals in 0..=6_i32, rounding in any_rounding(),
    ) {
        let there = rate.apply(money("GBP", minor), scale(decimals), rounding);
        let back = rate.apply(money("GBP", -minor), scale(decimals), rounding);
        match there {
            Ok(points) if points.get() != i64::MIN => prop_assert_eq!(back.ok(), points.checked_neg()),
            Ok(_) => prop_assert_eq!(back, Err(RateError::Overflow)),
            // Only -2^63 fits while its opposite does not.
            Err(_) => prop_assert!(back.is_err() || back == Ok(Points::new(i64::MIN))),
        }
    }

    #[test]
    fn more_money_never_earns_less(
        rate in any_rate(), minor in 0..1_000_000_000_i64, more in 0..1_000_000_i64, rounding in any_rounding(),
    ) {
        let less = rate.apply(money("GBP", minor), scale(2), rounding);
        let more = rate.apply(money("GBP", minor + more), scale(2), rounding);
        if let (Ok(less), Ok(more)) = (less, more) {
            prop_assert!(less <= more);
        }
    }
}
