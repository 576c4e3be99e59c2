//! One request id is one attempt, one receipt is one thing that happened, however many callers and replicas there are.

use std::time::Duration;

use bytes::Bytes;
use fealty::services::ServiceName;
use fealty_client::LedgerClient;
use fealty_proto::ledger::v1::{
    CreditPointsRequest, CreditPointsResponse, RecordPurchaseRequest, RecordPurchaseResponse,
};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{EnrolMemberRequest, EnrolMemberResponse, ListMembersRequest};
use fealty_proto::types::v1::Amount;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::bounded::within;
use fealty_tests::raw::{Raw, RawAnswer, Refusal};
use fealty_tests::replica::Replica;
use fealty_tests::shop::{Shop, UNIT, config, purchase, request_id};
use futures::future::join_all;
use prost::Message;
use tonic::Code;

use crate::suite;

const BOUND: Duration = Duration::from_mins(4);
/// Callers at once with the same request.
const CALLERS: usize = 100;
const RETRIED: [Code; 2] = [Code::Unavailable, Code::ResourceExhausted];
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const RECORD: &str = "/fealty.ledger.v1.PurchaseService/RecordPurchase";
const CREDIT: &str = "/fealty.ledger.v1.TransactionService/CreditPoints";
const ENROL: &str = "/fealty.members.v1.MemberService/EnrolMember";

/// Sends requests of one shop as bytes.
struct Till {
    authorization: String,
    ledger: Raw,
    members: Raw,
}

impl Till {
    fn of(shop: &Shop) -> Self {
        let addresses = suite().addresses();
        Self {
            authorization: format!("Bearer {}", shop.key),
            ledger: Raw::to(addresses.of(ServiceName::Ledger)),
            members: Raw::to(addresses.of(ServiceName::Members)),
        }
    }

    /// With the retries that every client owes: a full or busy service says so, and has done nothing.
    async fn send(&self, raw: &Raw, path: &str, message: &impl Message) -> Result<RawAnswer, Refusal> {
        let headers = [("authorization", self.authorization.as_str())];
        loop {
            let sent = raw.call(path, &headers, message.encode_to_vec()).await;
            match sent.map_err(|status| Refusal::of(&status)) {
                Err(refusal) if RETRIED.contains(&refusal.code) => tokio::time::sleep(RETRY_PAUSE).await,
                sent => return sent,
            }
        }
    }

    async fn record(&self, request: &RecordPurchaseRequest) -> Result<RawAnswer, Refusal> {
        self.send(&self.ledger, RECORD, request).await
    }
}

fn credit(owner_id: &str, value: i64) -> CreditPointsRequest {
    CreditPointsRequest {
        request_id: request_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: UNIT.to_owned(),
            value,
        }),
        source: "service desk".to_owned(),
        reason: "sorry".to_owned(),
        ..CreditPointsRequest::default()
    }
}

/// Of many answers to one request: one at the most is the first (who did it may have been told that the service is busy,
/// and got the answer as a retry), all say the same, byte for byte.
fn assert_effective_once(answers: Vec<Result<RawAnswer, Refusal>>) -> Bytes {
    let answers: Vec<RawAnswer> = answers
        .into_iter()
        .map(|answer| answer.expect("each is answered"))
        .collect();
    let first_count = answers.iter().filter(|answer| !answer.is_replayed()).count();
    assert!(
        first_count <= 1,
        "{first_count} first answers of {}",
        answers.len()
    );
    let message = answers[0].message.clone();
    assert!(
        answers.iter().all(|answer| answer.message == message),
        "the answers differ"
    );
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_is_answered_as_the_first_time_byte_for_byte() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let till = Till::of(&shop);
        let member = shop.enrol(vec![]).await;
        let request = purchase(&member.member_id, "r1", 500_000);
        let first = till.record(&request).await.expect("a purchase");
        shop.ledger
            .record_purchase(purchase(&member.member_id, "r2", 100))
            .await
            .expect("another");
        let again = till.record(&request).await.expect("the same again");
        assert!(!first.is_replayed() && again.is_replayed());
        assert_eq!(
            first.message, again.message,
            "although there has been another purchase since"
        );

        let enrolment = shop.enrolment(vec![Value::ExternalId("e1".to_owned())]);
        let first = till
            .send(&till.members, ENROL, &enrolment)
            .await
            .expect("an enrolment");
        let again = till
            .send(&till.members, ENROL, &enrolment)
            .await
            .expect("the same again");
        assert!(!first.is_replayed() && again.is_replayed());
        assert_eq!(first.message, again.message);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_remembered_too() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let till = Till::of(&shop);
        let member = shop.enrol(vec![]).await;
        let spend = fealty_proto::ledger::v1::SpendPointsRequest {
            request_id: request_id(),
            owner_id: member.member_id.clone(),
            amount: Some(Amount {
                unit_code: UNIT.to_owned(),
                value: 10,
            }),
            source: "till-4".to_owned(),
            reason: "a coffee".to_owned(),
            ..Default::default()
        };
        let path = "/fealty.ledger.v1.TransactionService/SpendPoints";
        let first = till
            .send(&till.ledger, path, &spend)
            .await
            .expect_err("there is nothing to spend");
        assert_eq!(
            (first.code, first.reason.as_str()),
            (Code::FailedPrecondition, "INSUFFICIENT_BALANCE")
        );
        shop.ledger
            .credit_points(credit(&member.member_id, 100))
            .await
            .expect("points");
        let again = till
            .send(&till.ledger, path, &spend)
            .await
            .expect_err("a retry has no other outcome");
        assert_eq!(again, first);
        let anew = fealty_proto::ledger::v1::SpendPointsRequest {
            request_id: request_id(),
            ..spend
        };
        till.send(&till.ledger, path, &anew)
            .await
            .expect("another attempt");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_command_under_a_used_request_id_is_refused() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let till = Till::of(&shop);
        let member = shop.enrol(vec![]).await;
        let request = purchase(&member.member_id, "r1", 500_000);
        till.record(&request).await.expect("a purchase");
        let other_sum = purchase(&member.member_id, "r1", 500_001);
        let other_method = credit(&member.member_id, 1);
        let reused = |refusal: Refusal| {
            assert_eq!(
                (refusal.code, refusal.reason.as_str()),
                (Code::AlreadyExists, "REQUEST_ID_REUSED")
            );
            assert_eq!(refusal.metadata.get("request_id"), Some(&request.request_id));
        };
        let sent = RecordPurchaseRequest {
            request_id: request.request_id.clone(),
            ..other_sum
        };
        reused(till.record(&sent).await.expect_err("another sum"));
        let sent = CreditPointsRequest {
            request_id: request.request_id.clone(),
            ..other_method
        };
        reused(
            till.send(&till.ledger, CREDIT, &sent)
                .await
                .expect_err("another method"),
        );

        let enrolment = shop.enrolment(vec![Value::ExternalId("e1".to_owned())]);
        till.send(&till.members, ENROL, &enrolment)
            .await
            .expect("an enrolment");
        let other = EnrolMemberRequest {
            request_id: enrolment.request_id.clone(),
            ..shop.enrolment(vec![Value::ExternalId("e2".to_owned())])
        };
        let refusal = till
            .send(&till.members, ENROL, &other)
            .await
            .expect_err("somebody else");
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::AlreadyExists, "REQUEST_ID_REUSED")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_under_another_request_id_is_refused_with_the_firsts_transaction() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let till = Till::of(&shop);
        let member = shop.enrol(vec![]).await;
        let first = till
            .record(&purchase(&member.member_id, "r1", 500_000))
            .await
            .expect("a purchase");
        let first = RecordPurchaseResponse::decode(first.message).expect("the answer");
        let transaction_id = first.purchase.expect("it is answered").transaction_id;
        let again = till.record(&purchase(&member.member_id, "r1", 500_000)).await;
        let again = again.expect_err("the same receipt");
        assert_eq!(
            (again.code, again.reason.as_str()),
            (Code::AlreadyExists, "RECEIPT_ALREADY_USED")
        );
        let named = |name: &str| again.metadata.get(name).map(String::as_str);
        assert_eq!(named("transaction_id"), Some(transaction_id.as_str()));
        assert_eq!(
            (named("receipt_id"), named("source")),
            (Some("r1"), Some("till-4"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_at_once_have_one_effect() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let till = Till::of(&shop);
        let member = shop.enrol(vec![]).await;
        let owner_id = &member.member_id;

        let request = purchase(owner_id, "r1", 500_000);
        let answers = join_all((0..CALLERS).map(|_| till.record(&request))).await;
        let message = assert_effective_once(answers);
        RecordPurchaseResponse::decode(message).expect("the answer");

        let request = credit(owner_id, 7);
        let answers = join_all((0..CALLERS).map(|_| till.send(&till.ledger, CREDIT, &request))).await;
        CreditPointsResponse::decode(assert_effective_once(answers)).expect("the answer");
        let (version, unit) = shop.balance(owner_id, Some(Requirement::Strong(true))).await;
        assert_eq!((version, unit.available), (2, 57));

        let enrolment = shop.enrolment(vec![Value::ExternalId("e1".to_owned())]);
        let answers = join_all((0..CALLERS).map(|_| till.send(&till.members, ENROL, &enrolment))).await;
        EnrolMemberResponse::decode(assert_effective_once(answers)).expect("the answer");
        let members = shop
            .members
            .list_members(ListMembersRequest::default())
            .await
            .expect("a page");
        assert_eq!(members.members.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_receipts_at_once_under_request_ids_of_their_own_have_one_effect() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let till = Till::of(&shop);
        let member = shop.enrol(vec![]).await;
        let requests: Vec<_> = (0..CALLERS)
            .map(|_| purchase(&member.member_id, "r1", 500_000))
            .collect();
        let answers = join_all(requests.iter().map(|request| till.record(request))).await;
        let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((taken.len(), refused.len()), (1, CALLERS - 1));
        for refusal in refused.into_iter().filter_map(Result::err) {
            assert_eq!(refusal.reason, "RECEIPT_ALREADY_USED", "{}", refusal.message);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_of_the_ledger_agree_on_what_has_happened() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let replica = Replica::start(suite(), ServiceName::Ledger, None);
        let mut till = Till::of(&shop);
        let beside = Raw::to(&replica.url());
        let member = shop.enrol(vec![]).await;
        let owner_id = &member.member_id;

        let request = purchase(owner_id, "r1", 500_000);
        let callers = (0..CALLERS).map(|number| {
            let raw = if number % 2 == 0 { &till.ledger } else { &beside };
            till.send(raw, RECORD, &request)
        });
        assert_effective_once(join_all(callers).await);
        let version_of_one = shop.balance(owner_id, Some(Requirement::Strong(true))).await.0;
        let other = LedgerClient::try_new(&config(&replica.url(), &shop.key)).expect("a client");
        let read = Shop {
            ledger: other,
            ..shop.clone()
        }
        .balance(owner_id, None)
        .await;
        assert_eq!((version_of_one, read.0, read.1.available), (1, 1, 50));

        // Different purchases of one customer, at both at once: none is lost, none is in another's way.
        let requests: Vec<_> = (0..CALLERS)
            .map(|number| purchase(owner_id, &format!("x{number}"), 100_000))
            .collect();
        let callers = requests.iter().enumerate().map(|(number, request)| {
            let raw = if number % 2 == 0 { &till.ledger } else { &beside };
            till.send(raw, RECORD, request)
        });
        for answer in join_all(callers).await {
            answer.expect("each is taken");
        }
        let (version, unit) = shop.balance(owner_id, Some(Requirement::Strong(true))).await;
        assert_eq!((version, unit.available), (101, 50 + 100 * 10));

        till.ledger = beside;
        let again = till
            .record(&request)
            .await
            .expect("the other replica remembers it too");
        assert!(again.is_replayed());
    })
    .await;
}
