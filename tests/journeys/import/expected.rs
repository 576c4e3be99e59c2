//! What an import must come to, by the Python script that shares no code with it.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDateTime;
use fealty_proto::ledger::v1::SummarizePurchasesRequest;
use fealty_proto::members::v1::LookupMemberRequest;
use fealty_proto::members::v1::identifier::Value as Identified;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::python::Python;
use fealty_tests::shop::{Shop, UNIT, identifier};
use futures::StreamExt as _;
use prost_types::Timestamp;
use serde_json::Value;

/// Reads at a time: enough to be quick, few enough to leave the machine to others.
const READS_IN_FLIGHT: usize = 16;

/// The sums of a file.
#[derive(Debug)]
pub struct Expected(Value);

impl Expected {
    /// Computes them; those between two instants (UTC) too.
    pub fn of(file: &Path, shortfall: &str, (from, before): (&str, &str)) -> Self {
        let output = Python::with_zones()
            .script("expected_sums.py")
            .arg(file)
            .args(["--shortfall", shortfall, "--from", from, "--before", before])
            .output()
            .expect("Python runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self(serde_json::from_slice(&output.stdout).expect("it prints JSON"))
    }

    /// One of the sums.
    pub fn number(&self, name: &str) -> i64 {
        self.0[name]
            .as_i64()
            .unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// A list of lines.
    pub fn lines(&self, name: &str) -> Vec<u64> {
        let lines = self.0[name].as_array().expect("a list");
        lines.iter().map(|line| line.as_u64().expect("a line")).collect()
    }

    /// What each customer must hold.
    pub fn customers(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["customers"].as_object().expect("by name").iter()
    }

    /// The report says the same, in every number.
    pub fn assert_reported(&self, report: &Value) {
        assert_eq!(report["differences"], Value::Array(Vec::new()));
        let (file, ledger) = (&report["file"], &report["ledger"]);
        let units = ledger["units"].as_array().expect("a list");
        assert_eq!(units.len(), 1, "{ledger:#}");
        assert_eq!(units[0]["unit_code"], UNIT);
        let sum = |of: &Value, name: &str| (of[name]["count"].clone(), of[name]["minor"].clone());
        let wanted = |name: &str| {
            let number = |part: &str| Value::from(self.number(&format!("{name}_{part}")));
            (number("count"), number("minor"))
        };
        assert_eq!(sum(file, "read"), wanted("read"));
        assert_eq!(sum(file, "anonymous"), wanted("anonymous"));
        for (name, side) in [("purchase", "purchases"), ("refund", "refunds")] {
            assert_eq!(sum(file, side), wanted(name), "{side} of the file");
            assert_eq!(sum(ledger, side), wanted(name), "{side} of the ledger");
        }
        assert_eq!(file["rejected"]["count"], self.lines("rejected_lines").len());
        assert_eq!(file["rejected"]["minor"], self.number("rejected_minor"));
        assert_eq!(
            lines_of(&file["anonymous_odd"]),
            self.lines("anonymous_odd_lines")
        );
        for (reported, name) in [
            ("earned", "earned"),
            ("debt_repaid", "debt_repaid"),
            ("from_available", "taken_from_available"),
            ("as_debt", "taken_as_debt"),
            ("waived", "waived"),
            ("shortfall_count", "shortfall_count"),
        ] {
            assert_eq!(units[0][reported], self.number(name), "{reported}");
        }
    }
}

/// Some of the lines that odd rows were found in, by reason; all of them as long as they are few.
fn lines_of(reasons: &Value) -> Vec<u64> {
    let reasons = reasons.as_object().expect("by reason").values();
    let mut lines: Vec<u64> = reasons
        .flat_map(|found| found["first"].as_array().expect("a list"))
        .filter_map(Value::as_u64)
        .collect();
    lines.sort_unstable();
    lines
}

/// Every customer of the file holds what the script says: points, debt, and one version for each row.
pub async fn assert_customers_hold_it(shop: &Shop, expected: &Expected) {
    let held = held(shop, expected).await;
    assert_eq!(i64::try_from(held.len()), Ok(expected.number("customer_count")));
    for (customer, wanted) in expected.customers() {
        let (available, debt, version) = held[customer];
        let wanted = |name: &str| wanted[name].as_i64().expect("a number");
        assert_eq!(
            (available, debt, version),
            (wanted("available"), wanted("debt"), wanted("version")),
            "customer {customer}"
        );
    }
}

/// The version of each customer's owner.
pub async fn versions(shop: &Shop, expected: &Expected) -> BTreeMap<String, i64> {
    let held = held(shop, expected).await;
    held.into_iter()
        .map(|(customer, (_, _, version))| (customer, version))
        .collect()
}

async fn held(shop: &Shop, expected: &Expected) -> BTreeMap<String, (i64, i64, i64)> {
    let customers = expected.customers().map(|(customer, _)| customer.clone());
    let reads = customers.map(async |customer| {
        let request = LookupMemberRequest {
            identifier: Some(identifier(Identified::ExternalId(customer.clone()))),
        };
        let found = shop
            .members
            .lookup_member(request)
            .await
            .expect("the customer is enrolled");
        let member = found.into_message().member.expect("it is answered");
        let (version, unit) = shop
            .balance(&member.member_id, Some(Requirement::Strong(true)))
            .await;
        (customer, (unit.available, unit.debt, version))
    });
    futures::stream::iter(reads)
        .buffer_unordered(READS_IN_FLIGHT)
        .collect()
        .await
}

/// The ledger's sums between two instants are the file's: local times were read by the clocks of their zone.
pub async fn assert_window_reconciles(
    shop: &Shop,
    source: &str,
    (from, before): (&str, &str),
    expected: &Expected,
) {
    let summary = shop
        .ledger
        .summarize_purchases(SummarizePurchasesRequest {
            source: source.to_owned(),
            occurred_from_time: Some(timestamp(from)),
            occurred_before_time: Some(timestamp(before)),
        })
        .await
        .expect("a summary");
    let minor =
        |money: &Option<fealty_proto::types::v1::Money>| money.as_ref().map_or(0, |money| money.amount_minor);
    assert_eq!(
        (summary.purchase_count, minor(&summary.purchase_money)),
        (
            expected.number("window_purchase_count"),
            expected.number("window_purchase_minor")
        )
    );
    assert_eq!(
        (summary.refund_count, minor(&summary.refund_money)),
        (
            expected.number("window_refund_count"),
            expected.number("window_refund_minor")
        )
    );
}

fn timestamp(text: &str) -> Timestamp {
    let time: NaiveDateTime = text.parse().expect("a time");
    Timestamp {
        seconds: time.and_utc().timestamp(),
        nanos: 0,
    }
}
