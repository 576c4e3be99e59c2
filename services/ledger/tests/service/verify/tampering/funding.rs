//! What budgets say that they gave, changed by hand.

use fealty_ledger::verify::Check;

use super::super::super::support::Ledger;
use super::{assert_verified, busy, clock, report_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_says_otherwise_or_is_gone_is_found_and_named() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    busy::Shop::play(&ledger, &clock).await;
    assert_verified(&ledger.database).await;
    for (statement, expected, found) in [
        ("UPDATE budget SET value_used = value_used + 1", "23", "24"),
        ("DELETE FROM budget", "one", "none"),
    ] {
        sqlx::query(statement)
            .execute(&ledger.database.owner)
            .await
            .expect("changed");
        let report = report_of(&ledger.database, None).await;
        let findings = report.findings.kept();
        assert_eq!(findings.len(), 1, "{findings:?}");
        let finding = &findings[0];
        assert_eq!(finding.check, Check::Budget);
        assert!(finding.what.ends_with("budget winter"), "{finding}");
        assert_eq!(
            (finding.expected.as_str(), finding.found.as_str()),
            (expected, found)
        );
    }
}
