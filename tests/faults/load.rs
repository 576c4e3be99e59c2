//! Callers who buy without a pause and remember what was confirmed to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fealty_client::{CallError, LedgerClient};
use fealty_proto::ledger::v1::refund_purchase_request::Target;
use fealty_proto::ledger::v1::{RefundPurchaseRequest, SummarizePurchasesRequest};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{ListMembersRequest, LookupMemberRequest};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::bounded::eventually;
use fealty_tests::shop::{Shop, identifier, money, purchase, request_id};
use tokio::task::JoinSet;

/// Callers at once.
const CALLERS: usize = 16;
/// Every so many purchases one is given back, and somebody enrols.
const REFUND_EVERY: i64 = 5;
const ENROL_EVERY: i64 = 7;
/// What is paid each time: 2 points by the shop's rule.
const PURCHASE_MINOR: i64 = 20_000;
const PURCHASE_POINTS: i64 = 2;
/// What is given back: 1 point.
const REFUND_MINOR: i64 = 10_000;
const REFUND_POINTS: i64 = 1;
const SOURCE: &str = "load";
/// How long the load may take to come to a number of confirmed calls.
const CONFIRM_BOUND: Duration = Duration::from_mins(2);

/// Callers under way.
pub struct Load {
    shop: Shop,
    members_before: usize,
    stopping: Arc<AtomicBool>,
    confirmed: Arc<AtomicU64>,
    callers: JoinSet<Result<Confirmed, CallError>>,
}

/// What was confirmed to one caller.
#[derive(Debug)]
struct Confirmed {
    owner_id: String,
    purchase_count: i64,
    refund_count: i64,
    enrolled: Vec<String>,
    slowest: Duration,
}

impl Load {
    /// Starts them on the shop's ledger.
    pub async fn start(shop: &Shop) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let confirmed = Arc::new(AtomicU64::new(0));
        let members_before = member_count(shop).await;
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let member = shop
                .enrol(vec![Value::ExternalId(format!("caller-{number}"))])
                .await;
            let caller = Caller {
                shop: shop.clone(),
                owner_id: member.member_id,
                number,
                stopping: Arc::clone(&stopping),
                confirmed: Arc::clone(&confirmed),
            };
            callers.spawn(caller.run());
        }
        Self {
            shop: shop.clone(),
            members_before,
            stopping,
            confirmed,
            callers,
        }
    }

    /// Waits until so many more calls have been confirmed.
    pub async fn confirm(&self, count: u64) {
        let wanted = self.confirmed.load(Ordering::SeqCst) + count;
        eventually("the callers are served", CONFIRM_BOUND, async || {
            (self.confirmed.load(Ordering::SeqCst) >= wanted).then_some(())
        })
        .await;
    }

    /// Stops the callers, each after its call. None has failed, and the ledger holds what was confirmed, no more and no
    /// less. Gives how long the slowest call took.
    pub async fn finish(mut self) -> Duration {
        self.stopping.store(true, Ordering::SeqCst);
        let mut all = Vec::new();
        while let Some(caller) = self.callers.join_next().await {
            let confirmed = caller.expect("no caller panics");
            all.push(
                confirmed.unwrap_or_else(|error| {
                    panic!("a caller noticed: {error}, tried {}", error.attempt_count)
                }),
            );
        }
        let slowest = all.iter().map(|caller| caller.slowest).max().unwrap_or_default();
        assert_held(&self.shop, &all).await;
        let enrolled: usize = all.iter().map(|caller| caller.enrolled.len()).sum();
        assert_eq!(
            member_count(&self.shop).await,
            self.members_before + CALLERS + enrolled
        );
        slowest
    }
}

struct Caller {
    shop: Shop,
    owner_id: String,
    number: usize,
    stopping: Arc<AtomicBool>,
    confirmed: Arc<AtomicU64>,
}

impl Caller {
    async fn run(self) -> Result<Confirmed, CallError> {
        let mut confirmed = Confirmed {
            owner_id: self.owner_id.clone(),
            purchase_count: 0,
            refund_count: 0,
            enrolled: Vec::new(),
            slowest: Duration::ZERO,
        };
        while !self.stopping.load(Ordering::SeqCst) {
            let begun = Instant::now();
            self.buy(&mut confirmed).await?;
            confirmed.slowest = confirmed.slowest.max(begun.elapsed());
            self.confirmed.fetch_add(1, Ordering::SeqCst);
        }
        Ok(confirmed)
    }

    async fn buy(&self, confirmed: &mut Confirmed) -> Result<(), CallError> {
        let turn = confirmed.purchase_count + 1;
        let mut request = purchase(&self.owner_id, &format!("{}-{turn}", self.number), PURCHASE_MINOR);
        SOURCE.clone_into(&mut request.source);
        self.shop.ledger.record_purchase(request).await?;
        confirmed.purchase_count = turn;
        if turn % REFUND_EVERY == 0 {
            self.shop.ledger.refund_purchase(self.refund(turn)).await?;
            confirmed.refund_count += 1;
        }
        if turn % ENROL_EVERY == 0 {
            let external_id = format!("new-{}-{turn}", self.number);
            let enrolment = self.shop.enrolment(vec![Value::ExternalId(external_id.clone())]);
            self.shop.members.enrol_member(enrolment).await?;
            confirmed.enrolled.push(external_id);
        }
        Ok(())
    }

    fn refund(&self, turn: i64) -> RefundPurchaseRequest {
        RefundPurchaseRequest {
            request_id: request_id(),
            target: Some(Target::UnreferencedOwnerId(self.owner_id.clone())),
            source: SOURCE.to_owned(),
            receipt_id: format!("refund-{}-{turn}", self.number),
            money: money(REFUND_MINOR),
            ..RefundPurchaseRequest::default()
        }
    }
}

async fn assert_held(shop: &Shop, all: &[Confirmed]) {
    for caller in all {
        let (version, unit) = shop
            .balance(&caller.owner_id, Some(Requirement::Strong(true)))
            .await;
        let points = caller.purchase_count * PURCHASE_POINTS - caller.refund_count * REFUND_POINTS;
        assert_eq!(
            (version, unit.available, unit.debt),
            (caller.purchase_count + caller.refund_count, points, 0)
        );
        for external_id in &caller.enrolled {
            let request = LookupMemberRequest {
                identifier: Some(identifier(Value::ExternalId(external_id.clone()))),
            };
            let found = shop
                .members
                .lookup_member(request)
                .await
                .expect("who was enrolled is found");
            let member_id = found.into_message().member.expect("it is answered").member_id;
            assert_eq!(
                shop.balance(&member_id, Some(Requirement::Strong(true))).await.0,
                0
            );
        }
    }
    let (purchases, refunds) = summary(&shop.ledger).await;
    let sum = |count: fn(&Confirmed) -> i64| all.iter().map(count).sum::<i64>();
    let purchase_count = sum(|caller| caller.purchase_count);
    let refund_count = sum(|caller| caller.refund_count);
    assert_eq!(purchases, (purchase_count, purchase_count * PURCHASE_MINOR));
    assert_eq!(refunds, (refund_count, refund_count * REFUND_MINOR));
}

async fn summary(ledger: &LedgerClient) -> ((i64, i64), (i64, i64)) {
    let request = SummarizePurchasesRequest {
        source: SOURCE.to_owned(),
        ..SummarizePurchasesRequest::default()
    };
    let summary = ledger
        .summarize_purchases(request)
        .await
        .expect("a summary")
        .into_message();
    let minor = |money: Option<fealty_proto::types::v1::Money>| money.map_or(0, |money| money.amount_minor);
    (
        (summary.purchase_count, minor(summary.purchase_money)),
        (summary.refund_count, minor(summary.refund_money)),
    )
}

async fn member_count(shop: &Shop) -> usize {
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let request = ListMembersRequest {
            page_size: 1_000,
            page_token,
            ..ListMembersRequest::default()
        };
        let page = shop
            .members
            .list_members(request)
            .await
            .expect("a page")
            .into_message();
        count += page.members.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return count;
        }
    }
}
