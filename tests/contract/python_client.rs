//! A partner's client in Python: stubs from the protos, nothing of ours.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_tests::bounded::within;
use fealty_tests::process::Process;
use fealty_tests::python::{Python, root};
use fealty_tests::shop::Shop;

use crate::suite;

const BOUND: Duration = Duration::from_mins(6);
/// Making the stubs takes some seconds, the calls less than one.
const JOURNEY_BOUND: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_enrols_buys_refunds_and_reads_the_balance() {
    within(BOUND, async {
        let python = Python::with_grpc();
        let shop = Shop::bare(suite()).await;
        let addresses = suite().addresses();
        let mut command = python.script("journey.py");
        command
            .arg("--protos")
            .arg(root().join("proto"))
            .args(["--members", authority(addresses.of(ServiceName::Members))])
            .args(["--ledger", authority(addresses.of(ServiceName::Ledger))])
            .args(["--rewards", authority(addresses.of(ServiceName::Rewards))])
            .args(["--surveys", authority(addresses.of(ServiceName::Surveys))])
            .args(["--key", &shop.key]);
        let ended = Process::start("journey.py", command, None).wait(JOURNEY_BOUND);
        ended.assert_success();
        let printed = ended.stdout;
        let steps: Vec<&str> = printed.lines().collect();
        assert!(
            steps.last().is_some_and(|last| last.contains("\"done\"")),
            "{printed}"
        );
    })
    .await;
}

/// gRPC for Python takes no scheme.
fn authority(url: &str) -> &str {
    url.strip_prefix("http://").expect("plain HTTP on this machine")
}
