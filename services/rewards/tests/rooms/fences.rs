//! The second fence of this service's own tables.

use fealty_postgres::fences;
use fealty_proto::rewards::v1 as pb;
use fealty_rewards::personal::PERSONAL_TABLES;
use fealty_service::personal::unlisted;
use fealty_types::ProgramId;
use tonic::Code;

use crate::harness::{PRICE, World, coded_coffee, new_id};

#[tokio::test]
async fn every_table_that_names_members_is_decided_about() {
    let world = World::start().await;
    let mut connection = world.database.owner.acquire().await.unwrap();
    let forgotten = unlisted(&mut connection, PERSONAL_TABLES, &["member_id"]).await;
    assert_eq!(
        forgotten.unwrap(),
        Vec::<String>::new(),
        "add them to PERSONAL_TABLES in src/personal.rs"
    );
}

#[tokio::test]
async fn every_table_with_a_program_is_fenced_and_shows_a_stranger_nothing() {
    let world = World::start().await;
    let violations = fences::violations(&world.database.service, &world.database.service_database)
        .await
        .unwrap();
    assert_eq!(violations, Vec::<String>::new());

    let reward = world.create(coded_coffee(), 0).await;
    world
        .add_codes(&reward.reward_id, &["CODE-1".to_owned()])
        .await
        .unwrap();
    let member_id = world.member(PRICE);
    world.redeem(&member_id, &reward.reward_id).await.unwrap();
    let stranger = ProgramId::generate(&world.clock);
    let leaks = fences::leaks(&world.database.service, &world.database.jobs, stranger)
        .await
        .unwrap();
    assert_eq!(leaks.seen, Vec::<String>::new());
    // Nobody here is staff, nobody was erased, and no event could not be applied.
    assert_eq!(leaks.untried, ["parked_event", "person_erasure", "staff"]);
}

#[tokio::test]
async fn another_program_finds_nothing_of_ours() {
    let world = World::start().await;
    let reward = world.reward(5).await;
    let member_id = world.member(PRICE);
    let redeemed = world
        .redeem(&member_id, &reward.reward_id)
        .await
        .unwrap()
        .into_message();
    let (redemption, voucher) = (redeemed.redemption.unwrap(), redeemed.voucher.unwrap());
    let stranger = world.stranger().await;

    let reward_id = reward.reward_id.clone();
    let got = stranger
        .get_reward(pb::GetRewardRequest {
            reward_id: reward_id.clone(),
        })
        .await;
    assert_eq!(got.unwrap_err().code, Code::NotFound);
    let request = pb::AdjustStockRequest {
        request_id: new_id(),
        reward_id: reward_id.clone(),
        change_count: 1,
    };
    assert_eq!(
        stranger.adjust_stock(request).await.unwrap_err().code,
        Code::NotFound
    );
    let request = pb::QuoteRedemptionRequest {
        member_id: member_id.clone(),
        reward_id,
    };
    assert_eq!(
        stranger.quote_redemption(request).await.unwrap_err().code,
        Code::NotFound
    );
    let redemption_id = redemption.redemption_id;
    let got = stranger
        .get_redemption(pb::GetRedemptionRequest { redemption_id })
        .await;
    assert_eq!(got.unwrap_err().code, Code::NotFound);
    let got = stranger
        .lookup_voucher(pb::LookupVoucherRequest { code: voucher.code })
        .await;
    assert_eq!(got.unwrap_err().code, Code::NotFound);
    let request = pb::ListVouchersRequest {
        member_id,
        ..pb::ListVouchersRequest::default()
    };
    assert_eq!(stranger.list_vouchers(request).await.unwrap().vouchers, []);
}
