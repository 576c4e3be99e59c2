//! Vouchers at a till: found however they are typed, used once, ended by time.

use chrono::TimeDelta;
use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use crate::books::vouchers_of;
use crate::harness::{
    PRICE, World, assert_invalid, assert_precondition, assert_refused, endless_coffee, new_id,
};

fn use_of(code: &str, receipt_id: &str) -> pb::UseVoucherRequest {
    pb::UseVoucherRequest {
        request_id: new_id(),
        code: code.to_owned(),
        source: "till-1".to_owned(),
        receipt_id: receipt_id.to_owned(),
    }
}

#[tokio::test]
async fn a_voucher_is_found_however_its_code_is_typed() {
    let world = World::start().await;
    let voucher = world.voucher(endless_coffee()).await;
    assert_eq!(
        (voucher.status(), voucher.expire_time),
        (pb::VoucherStatus::Good, None)
    );
    let bare = voucher.code.replace('-', "");
    let spaced: Vec<String> = bare.chars().map(|letter| format!("{letter} ")).collect();
    for typed in [
        bare.clone(),
        bare.to_lowercase(),
        spaced.concat(),
        format!(" {} ", voucher.code),
    ] {
        let found = world
            .client()
            .lookup_voucher(pb::LookupVoucherRequest { code: typed })
            .await
            .unwrap();
        assert_eq!(found.into_message().voucher.unwrap(), voucher);
    }
    // One wrong symbol is noticed.
    let last = if bare.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &bare[..bare.len() - 1]);
    let refused = world
        .client()
        .lookup_voucher(pb::LookupVoucherRequest { code: wrong.clone() })
        .await;
    let refused = assert_refused("wrong", refused, Code::NotFound, ErrorReason::ResourceNotFound);
    assert!(!refused.message.contains(&wrong) && refused.value("resource") == Some("voucher"));
}

#[tokio::test]
async fn a_voucher_is_used_once_and_its_receipt_is_answered_again() {
    let world = World::start().await;
    let voucher = world.voucher(endless_coffee()).await;
    let request = use_of(&voucher.code, "r-1");
    let used = world.client().use_voucher(request.clone()).await.unwrap();
    assert!(!used.replayed);
    let used = used.into_message().voucher.unwrap();
    assert_eq!(used.status(), pb::VoucherStatus::Used);
    assert_eq!(
        (used.use_source.as_str(), used.use_receipt_id.as_str()),
        ("till-1", "r-1")
    );

    for again in [request, use_of(&voucher.code, "r-1")] {
        let again = world.client().use_voucher(again).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.into_message().voucher.unwrap(), used);
    }
    for other in ["r-2", ""] {
        let refused = world.client().use_voucher(use_of(&voucher.code, other)).await;
        let refused = assert_precondition(other, refused, ErrorReason::VoucherUsed);
        assert_eq!(refused.value("voucher_id"), Some(voucher.voucher_id.as_str()));
    }
    assert_eq!(
        world
            .count("SELECT count(*) FROM event WHERE event_type = 8")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_tills_one_uses_a_voucher() {
    let world = World::start().await;
    let voucher = world.voucher(endless_coffee()).await;
    let client = world.client();
    let tills = (0..50).map(|number| client.use_voucher(use_of(&voucher.code, &format!("r-{number}"))));
    let results = futures::future::join_all(tills).await;
    let used = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(used, 1);
    for refused in results.into_iter().filter_map(Result::err) {
        assert_eq!(refused.reason, Some(ErrorReason::VoucherUsed), "{refused:?}");
    }
}

#[tokio::test]
async fn a_voucher_ends_by_time() {
    let world = World::start().await;
    let short_lived = pb::Reward {
        voucher_life_days: 1,
        ..endless_coffee()
    };
    let used_in_time = world.voucher(short_lived.clone()).await;
    let unused = world.voucher(short_lived).await;
    world.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    world
        .client()
        .use_voucher(use_of(&used_in_time.code, "r-1"))
        .await
        .unwrap();
    world.clock.advance(TimeDelta::seconds(1));

    let found = world
        .client()
        .lookup_voucher(pb::LookupVoucherRequest {
            code: unused.code.clone(),
        })
        .await;
    assert_eq!(
        found.unwrap().into_message().voucher.unwrap().status(),
        pb::VoucherStatus::Expired
    );
    let refused = world.client().use_voucher(use_of(&unused.code, "r-2")).await;
    assert_precondition("ended", refused, ErrorReason::VoucherExpired);
    // What was used in time is answered for ever.
    let again = world
        .client()
        .use_voucher(use_of(&used_in_time.code, "r-1"))
        .await
        .unwrap();
    assert!(again.replayed);
}

#[tokio::test]
async fn a_member_sees_their_vouchers_newest_first() {
    let world = World::start().await;
    let reward = world.create(endless_coffee(), 0).await;
    let member_id = world.member(3 * PRICE);
    let mut issued = Vec::new();
    for _ in 0..3 {
        let redeemed = world
            .redeem(&member_id, &reward.reward_id)
            .await
            .unwrap()
            .into_message();
        issued.insert(0, redeemed.voucher.unwrap());
        world.clock.advance(TimeDelta::milliseconds(1));
    }
    assert_eq!(vouchers_of(&world, &member_id).await, issued);
    let mut request = pb::ListVouchersRequest {
        member_id,
        page_size: 2,
        ..pb::ListVouchersRequest::default()
    };
    let first = world
        .client()
        .list_vouchers(request.clone())
        .await
        .unwrap()
        .into_message();
    request.page_token.clone_from(&first.next_page_token);
    let second = world
        .client()
        .list_vouchers(request.clone())
        .await
        .unwrap()
        .into_message();
    assert_eq!([first.vouchers, second.vouchers].concat(), issued);
    assert_eq!(second.next_page_token, "");
    request.member_id = new_id();
    let refused = world.client().list_vouchers(request).await;
    assert_refused(
        "other member",
        refused,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
}

#[tokio::test]
async fn all_that_is_wrong_with_a_use_is_named_at_once() {
    let world = World::start().await;
    let wrong = pb::UseVoucherRequest {
        request_id: "1".to_owned(),
        code: " ".to_owned(),
        source: String::new(),
        receipt_id: "x".repeat(101),
    };
    let refused = world.client().use_voucher(wrong).await;
    assert_invalid("use", refused, &["request_id", "code", "source", "receipt_id"]);
    let refused = world
        .client()
        .lookup_voucher(pb::LookupVoucherRequest {
            code: "x".repeat(101),
        })
        .await;
    assert_invalid("lookup", refused, &["code"]);
    let request = pb::ListVouchersRequest {
        member_id: "no".to_owned(),
        page_size: -1,
        ..pb::ListVouchersRequest::default()
    };
    assert_invalid(
        "list",
        world.client().list_vouchers(request).await,
        &["member_id", "page_size"],
    );
}
