//! From enrolment to a refund, with the Rust client.

use std::time::Duration;

use fealty_proto::ledger::v1::refund_purchase_request::Target;
use fealty_proto::ledger::v1::{
    EntryAccount, ListTransactionsRequest, RefundPurchaseRequest, SpendPointsRequest, Transaction,
    TransactionKind,
};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{LookupMemberRequest, Member};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_tests::bounded::within;
use fealty_tests::shop::{Shop, UNIT, identifier, money, purchase, request_id, unit_of};
use tonic::Code;

use crate::suite;

const BOUND: Duration = Duration::from_mins(3);
/// Above any that the journey makes.
const VERSION_AHEAD: i64 = 1_000;

/// C1: 1 % of 5,000.00 are 50 bonuses; spending 50 leaves none; every transaction sums to zero; a receipt counts once.
#[tokio::test(flavor = "multi_thread")]
async fn c1_one_per_cent_back_is_earned_and_spent_on_the_next_purchase() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let member = shop.enrol(vec![Value::ExternalId("c1".to_owned())]).await;
        let owner_id = &member.member_id;

        let bought = shop
            .ledger
            .record_purchase(purchase(owner_id, "r1", 500_000))
            .await;
        let bought = bought.expect("a purchase").into_message();
        let (version, after) = unit_of(&bought.balance.expect("it is answered"));
        assert_eq!((version, after.available), (1, 50));

        let again = shop
            .ledger
            .record_purchase(purchase(owner_id, "r1", 500_000))
            .await;
        let again = again.expect_err("the same receipt under another request id");
        assert_eq!(again.reason, Some(ErrorReason::ReceiptAlreadyUsed));
        let first = bought.purchase.expect("it is answered").transaction_id;
        assert_eq!(again.value("transaction_id"), Some(first.as_str()));

        let spent = shop.ledger.spend_points(spending(owner_id, 50)).await;
        let spent = spent.expect("it is there to be spent").into_message();
        assert_eq!(unit_of(&spent.balance.expect("it is answered")).1.available, 0);

        let more = shop.ledger.spend_points(spending(owner_id, 1)).await;
        let more = more.expect_err("nothing is left");
        assert_eq!(
            (more.code, more.reason),
            (Code::FailedPrecondition, Some(ErrorReason::InsufficientBalance))
        );

        let statement = statement(&shop, owner_id).await;
        assert_eq!(
            statement.iter().map(Transaction::kind).collect::<Vec<_>>(),
            [TransactionKind::Spend, TransactionKind::Purchase]
        );
        assert_every_transaction_sums_to_zero(&statement);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_found_by_each_of_their_identifiers() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let identifiers = [
            Value::CardNumber("4000 0012 3456 7899".to_owned()),
            Value::PhoneNumber("+381 60 123-45-67".to_owned()),
            Value::EmailAddress("Ana.Petrova@Example.com".to_owned()),
            Value::ExternalId("shop-17".to_owned()),
        ];
        let member = shop.enrol(identifiers.to_vec()).await;
        let as_people_write_them = [
            Value::CardNumber("4000001234567899".to_owned()),
            Value::PhoneNumber("+38160 1234567".to_owned()),
            Value::EmailAddress("ana.petrova@example.com".to_owned()),
            Value::ExternalId("shop-17".to_owned()),
        ];
        for value in identifiers.into_iter().chain(as_people_write_them) {
            let found = look_up(&shop, value.clone()).await;
            let found = found.unwrap_or_else(|| panic!("nobody by {value:?}"));
            assert_eq!(found.member_id, member.member_id);
        }
        let nobody = look_up(&shop, Value::ExternalId("shop-18".to_owned())).await;
        assert_eq!(nobody.map(|member| member.member_id), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_takes_back_its_share_and_every_consistency_shows_it() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let member = shop.enrol(vec![]).await;
        let owner_id = &member.member_id;
        let bought = shop
            .ledger
            .record_purchase(purchase(owner_id, "r1", 500_000))
            .await;
        let bought = bought
            .expect("a purchase")
            .into_message()
            .purchase
            .expect("it is answered");

        let refunded = shop
            .ledger
            .refund_purchase(refund(&bought.purchase_id, "r2", 200_000))
            .await;
        let refunded = refunded.expect("a refund").into_message();
        assert_eq!(
            refunded
                .taken_back
                .iter()
                .map(|back| back.from_available)
                .sum::<i64>(),
            20
        );
        let version = refunded.balance.expect("it is answered").version;
        for requirement in [
            None,
            Some(Requirement::AtLeastVersion(version)),
            Some(Requirement::Strong(true)),
            Some(Requirement::Eventual(true)),
        ] {
            let (seen, unit) = shop.balance(owner_id, requirement).await;
            assert_eq!(
                (seen, unit.available, unit.debt),
                (version, 30, 0),
                "{requirement:?}"
            );
        }
        let ahead = shop
            .ledger
            .get_balance(fealty_proto::ledger::v1::GetBalanceRequest {
                owner_id: owner_id.clone(),
                consistency: Some(fealty_proto::types::v1::Consistency {
                    requirement: Some(Requirement::AtLeastVersion(VERSION_AHEAD)),
                }),
                ..fealty_proto::ledger::v1::GetBalanceRequest::default()
            })
            .await
            .expect_err("nobody has written that version");
        assert_eq!(
            (ahead.code, ahead.reason),
            (Code::OutOfRange, Some(ErrorReason::VersionAhead))
        );

        let too_much = shop
            .ledger
            .refund_purchase(refund(&bought.purchase_id, "r3", 300_001))
            .await;
        let too_much = too_much.expect_err("more than is left of the purchase");
        assert_eq!(too_much.reason, Some(ErrorReason::RefundExceedsPurchase));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refund_cannot_take_back_is_owed_and_paid_off_first() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let member = shop.enrol(vec![]).await;
        let owner_id = &member.member_id;
        let bought = shop
            .ledger
            .record_purchase(purchase(owner_id, "r1", 500_000))
            .await;
        let bought = bought
            .expect("a purchase")
            .into_message()
            .purchase
            .expect("it is answered");
        shop.ledger
            .spend_points(spending(owner_id, 40))
            .await
            .expect("spent");

        let refunded = shop
            .ledger
            .refund_purchase(refund(&bought.purchase_id, "r2", 500_000))
            .await;
        let taken = refunded.expect("a refund").into_message().taken_back;
        let ways: Vec<_> = taken
            .iter()
            .map(|back| (back.from_available, back.as_debt, back.waived))
            .collect();
        assert_eq!(ways, [(10, 40, 0)]);

        let next = shop
            .ledger
            .record_purchase(purchase(owner_id, "r3", 700_000))
            .await;
        let (_, unit) = unit_of(
            &next
                .expect("a purchase")
                .into_message()
                .balance
                .expect("it is answered"),
        );
        assert_eq!((unit.available, unit.debt), (30, 0));
        assert_every_transaction_sums_to_zero(&statement(&shop, owner_id).await);
    })
    .await;
}

async fn look_up(shop: &Shop, value: Value) -> Option<Member> {
    let request = LookupMemberRequest {
        identifier: Some(identifier(value)),
    };
    match shop.members.lookup_member(request).await {
        Ok(answer) => answer.into_message().member,
        Err(error) => {
            assert_eq!(
                (error.code, error.reason),
                (Code::NotFound, Some(ErrorReason::ResourceNotFound))
            );
            None
        }
    }
}

fn spending(owner_id: &str, value: i64) -> SpendPointsRequest {
    SpendPointsRequest {
        request_id: request_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: UNIT.to_owned(),
            value,
        }),
        source: "till-4".to_owned(),
        reason: "on the next purchase".to_owned(),
        ..SpendPointsRequest::default()
    }
}

fn refund(purchase_id: &str, receipt_id: &str, amount_minor: i64) -> RefundPurchaseRequest {
    RefundPurchaseRequest {
        request_id: request_id(),
        target: Some(Target::PurchaseId(purchase_id.to_owned())),
        source: "till-4".to_owned(),
        receipt_id: receipt_id.to_owned(),
        money: money(amount_minor),
        ..RefundPurchaseRequest::default()
    }
}

/// The whole statement, page by page.
async fn statement(shop: &Shop, owner_id: &str) -> Vec<Transaction> {
    let mut transactions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListTransactionsRequest {
            owner_id: owner_id.to_owned(),
            page_size: 1,
            page_token,
            ..ListTransactionsRequest::default()
        };
        let page = shop
            .ledger
            .list_transactions(request)
            .await
            .expect("a page")
            .into_message();
        assert!(page.transactions.len() <= 1);
        transactions.extend(page.transactions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return transactions;
        }
    }
}

/// Newest first, without gaps, each double-entry, and the balances after each follow from those before.
fn assert_every_transaction_sums_to_zero(statement: &[Transaction]) {
    let (mut available, mut debt, mut held) = (0, 0, 0);
    for (version, transaction) in (1..).zip(statement.iter().rev()) {
        assert_eq!(transaction.version, version);
        let sum: i64 = transaction.entries.iter().map(|entry| entry.value).sum();
        assert_eq!(sum, 0, "{transaction:#?}");
        for entry in &transaction.entries {
            let balance = match entry.account() {
                EntryAccount::OwnerAvailable => &mut available,
                EntryAccount::OwnerDebt => &mut debt,
                EntryAccount::OwnerHeld => &mut held,
                _ => continue,
            };
            *balance += entry.value;
            assert_eq!(entry.balance_after, *balance, "{transaction:#?}");
        }
    }
}
