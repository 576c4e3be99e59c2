//! `kill -TERM` under load: an orderly end.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_client::LedgerClient;
use fealty_proto::ledger::v1::GetBalanceRequest;
use fealty_telemetry::Sink;
use fealty_tests::bounded::{eventually, within};
use fealty_tests::raw::Raw;
use fealty_tests::replica::Replica;
use fealty_tests::shop::{Shop, config};
use fealty_tests::suite::{Options, Suite};
use prost::Message as _;

use crate::FEALTY;
use crate::load::Load;

const BOUND: Duration = Duration::from_mins(6);
/// Calls that are confirmed before the signal, and again afterwards.
const CALLS: u64 = 200;
/// How long a busy service may take to answer.
const ANSWER_BOUND: Duration = Duration::from_secs(30);
const GET_BALANCE: &str = "/fealty.ledger.v1.BalanceService/GetBalance";
/// A trace by which the last call before the signal is found again.
const TRACE_ID: &str = "aaf92f3577b34da6a3ce929d0e0e47aa";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_retries_notices_that_the_suite_is_restarted() {
    within(BOUND, async {
        let sink = Sink::start().expect("a collector");
        let mut options = Options::kept(FEALTY);
        options.otlp_endpoint = Some(sink.endpoint());
        let mut suite = Suite::start(options);
        let shop = Shop::open(&suite).await;
        let load = Load::start(&shop).await;
        load.confirm(CALLS).await;

        let ledger = suite.addresses().of(ServiceName::Ledger).to_owned();
        call_in_a_trace(&ledger, &shop).await;
        let ended = tokio::task::block_in_place(|| suite.terminate());
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        let flushed = sink.trace(TRACE_ID);
        assert!(!flushed.is_empty(), "the last call's trace was not flushed");

        tokio::task::block_in_place(|| suite.start_again());
        load.confirm(CALLS).await;
        eprintln!("the slowest call took {:?}", load.finish().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_retries_notices_that_the_ledger_alone_is_restarted() {
    within(BOUND, async {
        let sink = Sink::start().expect("a collector");
        let suite = Suite::start(Options::kept(FEALTY));
        let mut replica = Replica::start(&suite, ServiceName::Ledger, Some(&sink.endpoint()));
        let shop = Shop::open(&suite).await;
        let shop = Shop {
            ledger: LedgerClient::try_new(&config(&replica.url(), &shop.key)).expect("a client"),
            ..shop
        };
        let load = Load::start(&shop).await;
        load.confirm(CALLS).await;

        call_in_a_trace(&replica.url(), &shop).await;
        let ended = tokio::task::block_in_place(|| replica.terminate());
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(
            !sink.trace(TRACE_ID).is_empty(),
            "the last call's trace was not flushed"
        );

        tokio::task::block_in_place(|| replica.start_again());
        load.confirm(CALLS).await;
        eprintln!("the slowest call took {:?}", load.finish().await);
    })
    .await;
}

/// Right before a signal: its spans still wait to be sent.
async fn call_in_a_trace(ledger_url: &str, shop: &Shop) {
    let authorization = format!("Bearer {}", shop.key);
    let traceparent = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    let headers = [
        ("authorization", authorization.as_str()),
        ("traceparent", &traceparent),
    ];
    let request = GetBalanceRequest {
        owner_id: fealty_tests::shop::request_id(),
        ..GetBalanceRequest::default()
    };
    let raw = Raw::to(ledger_url);
    // Like every caller of a busy service it tries again.
    eventually("the call is answered", ANSWER_BOUND, async || {
        let answer = raw.call(GET_BALANCE, &headers, request.encode_to_vec()).await;
        let refused = answer.expect_err("nobody has that id");
        (refused.code() == tonic::Code::NotFound).then_some(())
    })
    .await;
}
