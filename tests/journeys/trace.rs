//! One call seen end to end: a caller, members, and the ledger behind it, in one trace.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_proto::members::v1::EnrolMemberResponse;
use fealty_telemetry::{Sink, SinkSpan};
use fealty_tests::bounded::within;
use fealty_tests::raw::Raw;
use fealty_tests::shop::Shop;
use fealty_tests::suite::{Options, Suite};
use prost::Message as _;

use crate::FEALTY;

const BOUND: Duration = Duration::from_mins(4);
/// Spans wait up to a second for company before they are sent.
const ARRIVE_BOUND: Duration = Duration::from_secs(20);
/// A trace that a caller of another make has begun, by the W3C's rules.
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN_ID: &str = "00f067aa0ba902b7";
const ENROL: &str = "fealty.members.v1.MemberService/EnrolMember";
const OPEN: &str = "fealty.ledger.v1.OwnerService/OpenOwner";

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_is_one_trace_from_the_caller_to_the_ledger() {
    within(BOUND, async {
        let sink = Sink::start().expect("a collector");
        let mut options = Options::new(FEALTY);
        options.otlp_endpoint = Some(sink.endpoint());
        let mut suite = Suite::start(options);
        let shop = Shop::open(&suite).await;

        let traceparent = format!("00-{TRACE_ID}-{CALLER_SPAN_ID}-01");
        let authorization = format!("Bearer {}", shop.key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("traceparent", &traceparent),
        ];
        let answer = Raw::to(suite.addresses().of(ServiceName::Members))
            .call(
                &format!("/{ENROL}"),
                &headers,
                shop.enrolment(vec![]).encode_to_vec(),
            )
            .await
            .expect("an enrolment");
        EnrolMemberResponse::decode(answer.message).expect("the answer");

        let is_whole = |spans: &[SinkSpan]| path_to(spans, OPEN).is_some_and(|path| path.len() >= 3);
        let spans = sink.wait_for_trace(TRACE_ID, ARRIVE_BOUND, is_whole).await;
        let path = path_to(&spans, OPEN).unwrap_or_else(|| panic!("no {OPEN} in {spans:#?}"));
        // From the ledger's span back to the caller's own: the ledger's server, members' client, members' server.
        assert_eq!(
            path.first().map(|span| span.name.as_str()),
            Some(OPEN),
            "{spans:#?}"
        );
        assert!(
            path.iter().filter(|span| span.name == OPEN).count() >= 2,
            "{spans:#?}"
        );
        let first = path.last().expect("a path");
        assert_eq!(
            (first.name.as_str(), first.parent_span_id.as_str()),
            (ENROL, CALLER_SPAN_ID)
        );

        let ended = suite.terminate();
        assert!(ended.status.success(), "{}\n{}", ended.status, ended.stderr);
    })
    .await;
}

/// The innermost span of a name, and those around it up to the one that the caller's is the parent of.
fn path_to<'a>(spans: &'a [SinkSpan], name: &str) -> Option<Vec<&'a SinkSpan>> {
    let is_leaf = |span: &&SinkSpan| {
        !spans
            .iter()
            .any(|other| other.parent_span_id == span.span_id && other.name == name)
    };
    let mut path = vec![spans.iter().filter(|span| span.name == name).find(is_leaf)?];
    while let Some(inner) = path.last().filter(|span| span.parent_span_id != CALLER_SPAN_ID) {
        path.push(spans.iter().find(|span| span.span_id == inner.parent_span_id)?);
    }
    Some(path)
}
