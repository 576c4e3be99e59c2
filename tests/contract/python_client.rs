//! A partner's client in Python: stubs from the protos, nothing of ours.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_tests::bounded::within;
use fealty_tests::process::Process;
use fealty_tests::python::{Python, root};
use fealty_tests::replica::Replica;
use fealty_tests::shop::Shop;

use crate::suite;

const BOUND: Duration = Duration::from_mins(6);
/// Making the stubs takes some seconds, the calls less than one.
const JOURNEY_BOUND: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_takes_a_member_from_enrolment_to_a_score_over_four_processes() {
    within(BOUND, async {
        let python = Python::with_grpc();
        let shop = Shop::bare(suite()).await;
        // A process for each service, as in production.
        let services = tokio::task::block_in_place(|| Replica::start_all(suite(), None));
        let url = |service: ServiceName| services[service].url();
        let mut command = python.script("journey.py");
        command
            .arg("--protos")
            .arg(root().join("proto"))
            .args(["--members", authority(&url(ServiceName::Members))])
            .args(["--ledger", authority(&url(ServiceName::Ledger))])
            .args(["--rewards", authority(&url(ServiceName::Rewards))])
            .args(["--surveys", authority(&url(ServiceName::Surveys))])
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
