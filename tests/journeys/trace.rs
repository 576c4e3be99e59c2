//! Calls seen end to end: a caller, a service, the services behind it, and what follows from its events, in one trace.

use std::time::Duration;

use bytes::Bytes;
use fealty::services::ServiceName;
use fealty_proto::members::v1::EnrolMemberResponse;
use fealty_proto::rewards::v1::RedeemRewardRequest;
use fealty_proto::surveys::v1::InviteMemberRequest;
use fealty_telemetry::{Sink, SinkSpan};
use fealty_tests::bounded::within;
use fealty_tests::offers::{offer_reward, open_survey};
use fealty_tests::raw::Raw;
use fealty_tests::shop::{Shop, purchase, request_id};
use fealty_tests::suite::{Options, Suite};
use prost::Message;

use crate::FEALTY;

const BOUND: Duration = Duration::from_mins(4);
/// Spans wait up to a second for company before they are sent, and what follows from an event takes a job's round. The
/// machine may be slow.
const ARRIVE_BOUND: Duration = Duration::from_mins(1);
/// Traces that a caller of another make has begun, by the W3C's rules.
const TRACE_IDS: [&str; 3] = [
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "5cf92f3577b34da6a3ce929d0e0e4737",
    "6df92f3577b34da6a3ce929d0e0e4738",
];
const PURCHASE_TRACE_ID: &str = "7ef92f3577b34da6a3ce929d0e0e4739";
const CALLER_SPAN_ID: &str = "00f067aa0ba902b7";
const ENROL: &str = "fealty.members.v1.MemberService/EnrolMember";
const REDEEM: &str = "fealty.rewards.v1.RedemptionService/RedeemReward";
const INVITE: &str = "fealty.surveys.v1.InvitationService/InviteMember";
const RECORD_PURCHASE: &str = "fealty.ledger.v1.PurchaseService/RecordPurchase";
const MAY_CONTACT: &str = "fealty.members.v1.ContactService/MayContact";

/// A suite, and where its spans go.
fn traced() -> (Sink, Suite) {
    let sink = Sink::start().expect("a collector");
    let mut options = Options::new(FEALTY);
    options.otlp_endpoint = Some(sink.endpoint());
    (sink, Suite::start(options))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_one_trace_from_the_caller_to_the_last_service_behind_it() {
    within(
        BOUND,
        Box::pin(async {
            let (sink, mut suite) = traced();
            let shop = Shop::open(&suite).await;
            let [enrolled, redeemed, invited] = TRACE_IDS.map(|trace_id| Step {
                suite: &suite,
                key: &shop.key,
                sink: &sink,
                trace_id,
            });

            let answer = enrolled
                .call(ServiceName::Members, ENROL, &shop.enrolment(vec![]))
                .await;
            let answer = EnrolMemberResponse::decode(answer).expect("the answer");
            let member_id = answer.member.expect("it is answered").member_id;
            enrolled
                .leads_to(ENROL, "fealty.ledger.v1.OwnerService/OpenOwner")
                .await;

            let bought = shop
                .ledger
                .record_purchase(purchase(&member_id, "r1", 500_000))
                .await;
            bought.expect("a purchase");
            let reward = offer_reward(&shop, 1).await;
            let request = RedeemRewardRequest {
                request_id: request_id(),
                member_id: member_id.clone(),
                reward_id: reward.reward_id,
                expected_price: None,
            };
            redeemed.call(ServiceName::Rewards, REDEEM, &request).await;
            for leaf in [
                "fealty.members.v1.MemberService/GetMember",
                "fealty.ledger.v1.HoldService/HoldPoints",
                "fealty.ledger.v1.HoldService/CaptureHold",
            ] {
                redeemed.leads_to(REDEEM, leaf).await;
            }

            let survey = open_survey(&shop).await;
            let request = InviteMemberRequest {
                request_id: request_id(),
                survey_id: survey.survey_id,
                member_id,
                ..InviteMemberRequest::default()
            };
            invited.call(ServiceName::Surveys, INVITE, &request).await;
            invited.leads_to(INVITE, MAY_CONTACT).await;

            let ended = suite.terminate();
            assert!(ended.status.success(), "{}\n{}", ended.status, ended.stderr);
        }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_and_the_question_that_follows_from_its_event_are_one_trace() {
    within(
        BOUND,
        Box::pin(async {
            let (sink, mut suite) = traced();
            let shop = Shop::open(&suite).await;
            open_survey(&shop).await;
            let member_id = shop.enrol(vec![]).await.member_id;
            let bought = Step {
                suite: &suite,
                key: &shop.key,
                sink: &sink,
                trace_id: PURCHASE_TRACE_ID,
            };
            let request = purchase(&member_id, "r1", 500_000);
            bought.call(ServiceName::Ledger, RECORD_PURCHASE, &request).await;
            // From the ledger by its event to surveys, by the invitation to the job, and from there to members.
            let path = bought.leads_to(RECORD_PURCHASE, MAY_CONTACT).await;
            let spans = path.iter().rev();
            let hops: Vec<_> = spans
                .map(|span| (span.name.as_str(), span.kind.as_str()))
                .collect();
            assert_eq!(
                hops,
                [
                    (RECORD_PURCHASE, "SPAN_KIND_SERVER"),
                    ("process ledger_purchases", "SPAN_KIND_CONSUMER"),
                    ("decide_invitations", "SPAN_KIND_INTERNAL"),
                    (MAY_CONTACT, "SPAN_KIND_CLIENT"),
                    (MAY_CONTACT, "SPAN_KIND_SERVER"),
                ]
            );

            let ended = suite.terminate();
            assert!(ended.status.success(), "{}\n{}", ended.status, ended.stderr);
        }),
    )
    .await;
}

/// A call in a trace of its own.
struct Step<'a> {
    suite: &'a Suite,
    key: &'a str,
    sink: &'a Sink,
    trace_id: &'static str,
}

impl Step<'_> {
    async fn call(&self, service: ServiceName, method: &str, request: &impl Message) -> Bytes {
        let traceparent = format!("00-{}-{CALLER_SPAN_ID}-01", self.trace_id);
        let authorization = format!("Bearer {}", self.key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("traceparent", &traceparent),
        ];
        let answer = Raw::to(self.suite.addresses().of(service))
            .call(&format!("/{method}"), &headers, request.encode_to_vec())
            .await;
        answer
            .unwrap_or_else(|refused| panic!("{method}: {refused:?}"))
            .message
    }

    /// From the last service's span back to the caller's own: its server, the client before it, and so on.
    async fn leads_to(&self, root: &str, leaf: &str) -> Vec<SinkSpan> {
        let is_whole = |spans: &[SinkSpan]| path_to(spans, leaf).is_some_and(|path| path.len() >= 3);
        let spans = self
            .sink
            .wait_for_trace(self.trace_id, ARRIVE_BOUND, is_whole)
            .await;
        let path = path_to(&spans, leaf).unwrap_or_else(|| panic!("no {leaf} in {spans:#?}"));
        assert_eq!(
            path.first().map(|span| span.name.as_str()),
            Some(leaf),
            "{spans:#?}"
        );
        assert!(
            path.iter().filter(|span| span.name == leaf).count() >= 2,
            "{spans:#?}"
        );
        let first = path.last().expect("a path");
        assert_eq!(
            (first.name.as_str(), first.parent_span_id.as_str()),
            (root, CALLER_SPAN_ID)
        );
        path.into_iter().cloned().collect()
    }
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
