//! A shop's year of orders, imported: reconciled with sums that share no code with it, twice, killed, and interrupted.

mod expected;
mod running;

use std::time::Duration;

use fealty_proto::ledger::v1::ShortfallPolicy;
use fealty_tests::bounded::within;
use fealty_tests::shop::Shop;
use fealty_tests::shop_year::{HEADER, orders};
use fealty_tests::suite::{Options, Suite};

use self::expected::{Expected, assert_customers_hold_it, assert_window_reconciles, versions};
use self::running::Import;
use crate::{FEALTY, suite};

const BOUND: Duration = Duration::from_mins(8);
/// How long one import may take: some thousand rows, unoptimised, on a machine that compiles beside it.
const IMPORT_BOUND: Duration = Duration::from_mins(5);
/// London's summer of that year but for its last hour, in UTC: the made-up orders around the changes tell whether the clocks were heeded.
const SUMMER: (&str, &str) = ("2010-03-28T01:00:00", "2010-10-31T00:30:00");

#[tokio::test(flavor = "multi_thread")]
async fn a_shops_year_is_held_to_the_penny_and_to_the_point_and_twice_changes_nothing() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let import = Import::of(suite(), &shop, &orders(1, 3_000));
        let report = import.start(&[]).wait(IMPORT_BOUND);
        report.assert_success();
        let expected = Expected::of(&import.file, "debt", SUMMER);
        expected.assert_reported(&import.report());
        assert_eq!(
            import.report()["file"]["enrolled_count"],
            expected.number("customer_count")
        );
        assert_eq!(import.rejected_lines(), expected.lines("rejected_lines"));
        assert_customers_hold_it(&shop, &expected).await;
        assert_window_reconciles(&shop, &import.source(), SUMMER, &expected).await;

        let before = versions(&shop, &expected).await;
        import.start(&[]).wait(IMPORT_BOUND).assert_success();
        let again = import.report();
        expected.assert_reported(&again);
        let posted = expected.number("purchase_count") + expected.number("refund_count");
        assert_eq!(again["file"]["replayed_count"], posted);
        assert_eq!(again["file"]["enrolled_count"], 0);
        assert_eq!(versions(&shop, &expected).await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_is_waived_where_the_shop_says_so() {
    within(BOUND, async {
        let shop = Shop::open_with(suite(), ShortfallPolicy::Waive).await;
        let import = Import::of(suite(), &shop, &orders(2, 1_500));
        import.start(&[]).wait(IMPORT_BOUND).assert_success();
        let expected = Expected::of(&import.file, "waive", SUMMER);
        assert!(expected.number("waived") > 0 && expected.number("debt") == 0);
        expected.assert_reported(&import.report());
        assert_customers_hold_it(&shop, &expected).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let import = Import::of(suite(), &shop, &orders(3, 3_000));
        let mut killed_count = 0;
        // From before the first note to after the second.
        for after_ms in [300, 700, 1_300, 1_700, 2_500] {
            let mut running = import.start(&["--in-flight", "4"]);
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            if running.try_wait().is_none() {
                running.kill();
                killed_count += 1;
            }
        }
        assert!(killed_count >= 2, "the import is over before it can be killed");
        let ended = import.start(&[]).wait(IMPORT_BOUND);
        assert!(ended.stderr.contains("going on after"), "{}", ended.stderr);
        ended.assert_success();
        let expected = Expected::of(&import.file, "debt", SUMMER);
        expected.assert_reported(&import.report());
        assert_eq!(import.rejected_lines(), expected.lines("rejected_lines"));
        assert_customers_hold_it(&shop, &expected).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_waits_for_a_suite_that_is_killed_and_started_again() {
    within(BOUND, async {
        let mut suite = Suite::start(Options::kept(FEALTY));
        let shop = Shop::open(&suite).await;
        let import = Import::of(&suite, &shop, &orders(4, 2_000));
        let mut running = import.start(&["--in-flight", "8"]);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(running.try_wait().is_none(), "the import is over too soon");
        suite.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(running.try_wait().is_none(), "the import does not wait");
        suite.start_again();
        running.wait(IMPORT_BOUND).assert_success();
        let expected = Expected::of(&import.file, "debt", SUMMER);
        expected.assert_reported(&import.report());
        assert_customers_hold_it(&shop, &expected).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_that_is_not_taken_is_named_with_its_line_and_the_reason() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let rows = [
            ("1,c,2010-01-04T10:00:00,UK,1,1,100,0", None),
            (
                "2,c,2010-01-04T10:00:00,UK,1,1,-100,0",
                Some("a negative sum that is no cancellation"),
            ),
            (
                "C3,c,2010-01-04T10:00:00,UK,1,1,100,1",
                Some("a cancellation with a positive sum"),
            ),
            (
                "C4,c,2010-01-04T10:00:00,UK,1,1,0,1",
                Some("a cancellation of nothing"),
            ),
            (
                "1,c,2010-01-04T10:01:00,UK,1,1,100,0",
                Some("the receipt number stands in an earlier line too"),
            ),
            (",c,2010-01-04T10:01:00,UK,1,1,100,0", Some("no receipt number")),
            (
                "7,c,yesterday,UK,1,1,100,0",
                Some("the time is neither RFC 3339 nor YYYY-MM-DD[T ]HH:MM[:SS]"),
            ),
            (
                "8,c,2010-01-04T10:01:00,UK,1,1,1.00,0",
                Some("the sum is no whole number of minor units"),
            ),
            (
                "9,c,2010-01-04T10:01:00,UK,1,1,100,2",
                Some("the cancellation column is none of 0, 1, true, false"),
            ),
            ("10,c", Some("the sum is no whole number of minor units")),
            ("11,c,2999-01-04T10:01:00,UK,1,1,100,0", Some("refused: ")),
            ("12,,2010-01-04T10:01:00,UK,1,1,-5,0", None),
            ("C13,c,2010-01-04T10:02:00,UK,1,1,-50,1", None),
        ];
        let rows_only: Vec<&str> = rows.iter().map(|(row, _)| *row).collect();
        let text = format!("{HEADER}\n{}\n", rows_only.join("\n"));
        let import = Import::of(suite(), &shop, &text);
        import.start(&[]).wait(IMPORT_BOUND).assert_success();

        let rejected = import.rejected();
        let expected: Vec<(u64, &str)> = (2..)
            .zip(rows)
            .filter_map(|(line, (_, reason))| Some((line, reason?)))
            .collect();
        assert_eq!(rejected.len(), expected.len(), "{rejected:#?}");
        for ((line, reason), (expected_line, expected_reason)) in rejected.iter().zip(expected) {
            assert_eq!(*line, expected_line);
            assert!(reason.starts_with(expected_reason), "line {line}: {reason}");
        }
        let file = &import.report()["file"];
        assert_eq!(
            (&file["purchases"]["count"], &file["refunds"]["count"]),
            (&1.into(), &1.into())
        );
        assert_eq!(
            (&file["read"]["count"], &file["anonymous"]["count"]),
            (&13.into(), &1.into())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_that_nobody_enrolled_are_rejected_and_not_made_up() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let text = format!("{HEADER}\n1,nobody,2010-01-04T10:00:00,UK,1,1,100,0\n");
        let import = Import::of(suite(), &shop, &text).without_enrolment();
        import.start(&[]).wait(IMPORT_BOUND).assert_success();
        let rejected = import.rejected();
        assert_eq!(rejected.len(), 1);
        assert!(rejected[0].1.contains("not enrolled"), "{rejected:?}");
    })
    .await;
}
