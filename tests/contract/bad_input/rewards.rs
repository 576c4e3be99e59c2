//! What rewards refuses: of the catalogue, of redemptions, of vouchers.

use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_tests::shop::{Shop, request_id};
use prost_types::Timestamp;

use super::case::{Case, NAME_TOO_LONG, NO_TIME, Table, bad_token, invalid, mask, not_found};
use super::world::World;

/// What a member has got, and from which reward.
pub struct Rewarded {
    /// A reward of their shop: free, with a stock.
    pub reward_id: String,
    /// Another one, whose codes the shop brings.
    pub pool_id: String,
    /// How they got it.
    pub redemption_id: String,
    /// What they got.
    pub code: String,
}

impl Rewarded {
    /// Somebody of a shop who has got something.
    pub async fn of(shop: &Shop, member_id: &str) -> Self {
        let create = async |code_source: pb::CodeSource, stock_count| {
            let request = pb::CreateRewardRequest {
                request_id: request_id(),
                reward: Some(pb::Reward {
                    code_source: code_source.into(),
                    ..free()
                }),
                stock_count,
            };
            let created = shop.rewards.create_reward(request).await.expect("a reward");
            created.into_message().reward.expect("it is answered").reward_id
        };
        let reward_id = create(pb::CodeSource::Generated, 5).await;
        let request = pb::RedeemRewardRequest {
            request_id: request_id(),
            member_id: member_id.to_owned(),
            reward_id: reward_id.clone(),
            expected_price: None,
        };
        let redeemed = shop
            .rewards
            .redeem_reward(request)
            .await
            .expect("redeemed")
            .into_message();
        Self {
            pool_id: create(pb::CodeSource::Pool, 0).await,
            reward_id,
            redemption_id: redeemed.redemption.expect("it is answered").redemption_id,
            code: redeemed.voucher.expect("it is answered").code,
        }
    }
}

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [
        create_reward,
        get_reward,
        update_reward,
        list_rewards,
        adjust_stock,
        add_codes,
        quote_redemption,
        redeem_reward,
        get_redemption,
        list_redemptions,
        lookup_voucher,
        use_voucher,
        list_vouchers,
    ]
    .into_iter()
    .flat_map(|cases| cases(world))
    .collect()
}

fn free() -> pb::Reward {
    pb::Reward {
        display_name: "Coffee".to_owned(),
        status: pb::RewardStatus::Active.into(),
        code_source: pb::CodeSource::Generated.into(),
        ..pb::Reward::default()
    }
}

fn nonsense() -> pb::Reward {
    pb::Reward {
        display_name: "x".repeat(NAME_TOO_LONG),
        description: "x".repeat(2_001),
        price: Some(Amount {
            unit_code: "Points!".to_owned(),
            value: 0,
        }),
        status: 99,
        start_time: Some(NO_TIME),
        end_time: Some(NO_TIME),
        tier_codes: vec!["gold".to_owned(), "Gold".to_owned()],
        per_member_count_max: -1,
        code_source: 99,
        voucher_life_days: 3_651,
        ..pb::Reward::default()
    }
}

const NONSENSE_TERMS: [&str; 10] = [
    "reward.display_name",
    "reward.description",
    "reward.price.unit_code",
    "reward.price.value",
    "reward.status",
    "reward.start_time",
    "reward.end_time",
    "reward.tier_codes[1]",
    "reward.per_member_count_max",
    "reward.voucher_life_days",
];

fn create_reward(world: &World) -> Vec<Case> {
    let create = |reward, stock_count| pb::CreateRewardRequest {
        request_id: request_id(),
        reward: Some(reward),
        stock_count,
    };
    let moment = Some(Timestamp {
        seconds: 10,
        nanos: 0,
    });
    Table::of(world, "/fealty.rewards.v1.RewardService/CreateReward")
        .row(
            "nothing",
            &pb::CreateRewardRequest::default(),
            invalid(&["request_id", "reward"]),
        )
        .row(
            "nonsense",
            &create(nonsense(), -1),
            invalid(&[NONSENSE_TERMS.as_slice(), &["reward.code_source", "stock_count"]].concat()),
        )
        .row(
            "an end that is its start",
            &create(
                pb::Reward {
                    start_time: moment,
                    end_time: moment,
                    ..free()
                },
                1,
            ),
            invalid(&["reward.end_time"]),
        )
        .row(
            "more than enough of it",
            &create(free(), 1_000_000_000_001),
            invalid(&["stock_count"]),
        )
        .row(
            "a stock of what there is any number of",
            &create(
                pb::Reward {
                    stock_unlimited: true,
                    ..free()
                },
                1,
            ),
            invalid(&["stock_count"]),
        )
        .row(
            "too many tiers",
            &create(
                pb::Reward {
                    tier_codes: (0..21).map(|number| format!("tier-{number}")).collect(),
                    ..free()
                },
                1,
            ),
            invalid(&["reward.tier_codes"]),
        )
        .done()
}

fn get_reward(world: &World) -> Vec<Case> {
    let get = |reward_id: &str| pb::GetRewardRequest {
        reward_id: reward_id.to_owned(),
    };
    Table::of(world, "/fealty.rewards.v1.RewardService/GetReward")
        .row("nothing", &get(""), invalid(&["reward_id"]))
        .row("no id", &get("coffee"), invalid(&["reward_id"]))
        .row(
            "another program's",
            &get(&world.theirs.rewarded.reward_id),
            not_found(),
        )
        .done()
}

fn update_reward(world: &World) -> Vec<Case> {
    let terms = [
        "display_name",
        "description",
        "price",
        "status",
        "start_time",
        "end_time",
        "tier_codes",
        "per_member_count_max",
        "voucher_life_days",
    ];
    let update = |reward: pb::Reward, paths: &[&str]| pb::UpdateRewardRequest {
        reward: Some(reward),
        update_mask: Some(mask(paths)),
    };
    let of = |reward_id: &str, reward: pb::Reward| pb::Reward {
        reward_id: reward_id.to_owned(),
        ..reward
    };
    Table::of(world, "/fealty.rewards.v1.RewardService/UpdateReward")
        .row(
            "nothing",
            &pb::UpdateRewardRequest::default(),
            invalid(&["update_mask", "reward"]),
        )
        .row(
            "nonsense",
            &update(
                pb::Reward {
                    etag: "7".to_owned(),
                    ..of("coffee", nonsense())
                },
                &terms,
            ),
            invalid(&[NONSENSE_TERMS.as_slice(), &["reward.reward_id", "reward.etag"]].concat()),
        )
        .row(
            "what cannot be changed, and nonsense",
            &update(
                of(&world.ours.rewarded.reward_id, nonsense()),
                &["code_source", "stock_left", "display_name"],
            ),
            invalid(&[
                "update_mask.paths[0]",
                "update_mask.paths[1]",
                "reward.display_name",
            ]),
        )
        .row(
            "another program's",
            &update(of(&world.theirs.rewarded.reward_id, free()), &["status"]),
            not_found(),
        )
        .done()
}

fn list_rewards(world: &World) -> Vec<Case> {
    Table::of(world, "/fealty.rewards.v1.RewardService/ListRewards")
        .pages(|page_size, page_token| pb::ListRewardsRequest {
            page_size,
            page_token,
            offered_only: true,
        })
        .done()
}

fn adjust_stock(world: &World) -> Vec<Case> {
    let adjust = |reward_id: &str, change_count| pb::AdjustStockRequest {
        request_id: request_id(),
        reward_id: reward_id.to_owned(),
        change_count,
    };
    Table::of(world, "/fealty.rewards.v1.RewardService/AdjustStock")
        .row(
            "nothing",
            &pb::AdjustStockRequest::default(),
            invalid(&["request_id", "reward_id", "change_count"]),
        )
        .row(
            "more than anybody stores",
            &adjust(&world.ours.rewarded.reward_id, i64::MAX),
            invalid(&["change_count"]),
        )
        .row(
            "a pool, whose codes are the stock",
            &adjust(&world.ours.rewarded.pool_id, 1),
            invalid(&["reward_id"]),
        )
        .row(
            "another program's",
            &adjust(&world.theirs.rewarded.reward_id, 1),
            not_found(),
        )
        .done()
}

fn add_codes(world: &World) -> Vec<Case> {
    let add = |reward_id: &str, codes: &[&str]| pb::AddCodesRequest {
        request_id: request_id(),
        reward_id: reward_id.to_owned(),
        codes: codes.iter().map(ToString::to_string).collect(),
    };
    Table::of(world, "/fealty.rewards.v1.RewardService/AddCodes")
        .row(
            "nothing",
            &pb::AddCodesRequest::default(),
            invalid(&["request_id", "reward_id", "codes"]),
        )
        .row(
            "codes that are none",
            &add(&world.ours.rewarded.pool_id, &["abc", "fine-1", "not fine"]),
            invalid(&["codes[0]", "codes[2]"]),
        )
        .row(
            "the same code twice",
            &add(&world.ours.rewarded.pool_id, &["fine-1", "fine-1"]),
            invalid(&["codes[1]"]),
        )
        .row(
            "a reward without a pool",
            &add(&world.ours.rewarded.reward_id, &["fine-1"]),
            invalid(&["reward_id"]),
        )
        .row(
            "another program's",
            &add(&world.theirs.rewarded.pool_id, &["fine-1"]),
            not_found(),
        )
        .done()
}

fn quote_redemption(world: &World) -> Vec<Case> {
    let quote = |member_id: &str, reward_id: &str| pb::QuoteRedemptionRequest {
        member_id: member_id.to_owned(),
        reward_id: reward_id.to_owned(),
    };
    let (ours, theirs) = (&world.ours, &world.theirs);
    Table::of(world, "/fealty.rewards.v1.RedemptionService/QuoteRedemption")
        .row("nothing", &quote("", ""), invalid(&["member_id", "reward_id"]))
        .row(
            "no ids",
            &quote("me", "coffee"),
            invalid(&["member_id", "reward_id"]),
        )
        .row(
            "another program's member",
            &quote(&theirs.member_id, &ours.rewarded.reward_id),
            not_found(),
        )
        .row(
            "another program's reward",
            &quote(&ours.member_id, &theirs.rewarded.reward_id),
            not_found(),
        )
        .done()
}

fn redeem_reward(world: &World) -> Vec<Case> {
    let redeem = |member_id: &str, reward_id: &str| pb::RedeemRewardRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        reward_id: reward_id.to_owned(),
        expected_price: None,
    };
    let (ours, theirs) = (&world.ours, &world.theirs);
    Table::of(world, "/fealty.rewards.v1.RedemptionService/RedeemReward")
        .row(
            "nothing",
            &pb::RedeemRewardRequest::default(),
            invalid(&["request_id", "member_id", "reward_id"]),
        )
        .row(
            "nonsense",
            &pb::RedeemRewardRequest {
                request_id: "1".to_owned(),
                expected_price: Some(Amount {
                    unit_code: "Points!".to_owned(),
                    value: -1,
                }),
                ..redeem("me", "coffee")
            },
            invalid(&[
                "request_id",
                "member_id",
                "reward_id",
                "expected_price.unit_code",
                "expected_price.value",
            ]),
        )
        .row(
            "another program's member",
            &redeem(&theirs.member_id, &ours.rewarded.reward_id),
            not_found(),
        )
        .row(
            "another program's reward",
            &redeem(&ours.member_id, &theirs.rewarded.reward_id),
            not_found(),
        )
        .done()
}

fn get_redemption(world: &World) -> Vec<Case> {
    let get = |redemption_id: &str| pb::GetRedemptionRequest {
        redemption_id: redemption_id.to_owned(),
    };
    Table::of(world, "/fealty.rewards.v1.RedemptionService/GetRedemption")
        .row("nothing", &get(""), invalid(&["redemption_id"]))
        .row(
            "another program's",
            &get(&world.theirs.rewarded.redemption_id),
            not_found(),
        )
        .done()
}

fn list_redemptions(world: &World) -> Vec<Case> {
    let list = |member_id: &str, page_size, page_token| pb::ListRedemptionsRequest {
        member_id: member_id.to_owned(),
        page_size,
        page_token,
    };
    Table::of(world, "/fealty.rewards.v1.RedemptionService/ListRedemptions")
        .row(
            "nobody's",
            &list("", -1, String::new()),
            invalid(&["member_id", "page_size"]),
        )
        .row(
            "a token that nobody gave, for another program's member",
            &list(&world.theirs.member_id, 10, "AAAA".to_owned()),
            bad_token(),
        )
        .pages(|page_size, page_token| list(&world.ours.member_id, page_size, page_token))
        .done()
}

fn lookup_voucher(world: &World) -> Vec<Case> {
    let lookup = |code: &str| pb::LookupVoucherRequest {
        code: code.to_owned(),
    };
    Table::of(world, "/fealty.rewards.v1.VoucherService/LookupVoucher")
        .row("nothing", &lookup(" "), invalid(&["code"]))
        .row("without end", &lookup(&"x".repeat(101)), invalid(&["code"]))
        .row("nobody's", &lookup("AAAAAA-AAAAAA-AAAAAA"), not_found())
        .row(
            "another program's",
            &lookup(&world.theirs.rewarded.code),
            not_found(),
        )
        .done()
}

fn use_voucher(world: &World) -> Vec<Case> {
    let using = |code: &str| pb::UseVoucherRequest {
        request_id: request_id(),
        code: code.to_owned(),
        source: "till".to_owned(),
        receipt_id: "r1".to_owned(),
    };
    Table::of(world, "/fealty.rewards.v1.VoucherService/UseVoucher")
        .row(
            "nothing",
            &pb::UseVoucherRequest::default(),
            invalid(&["request_id", "code", "source"]),
        )
        .row(
            "names without end",
            &pb::UseVoucherRequest {
                source: "x".repeat(101),
                receipt_id: "x".repeat(101),
                ..using("x\ny")
            },
            invalid(&["code", "source", "receipt_id"]),
        )
        .row(
            "another program's",
            &using(&world.theirs.rewarded.code),
            not_found(),
        )
        .done()
}

fn list_vouchers(world: &World) -> Vec<Case> {
    let list = |member_id: &str, page_size, page_token| pb::ListVouchersRequest {
        member_id: member_id.to_owned(),
        page_size,
        page_token,
    };
    Table::of(world, "/fealty.rewards.v1.VoucherService/ListVouchers")
        .row(
            "nobody's",
            &list("", 1_001, String::new()),
            invalid(&["member_id", "page_size"]),
        )
        .pages(|page_size, page_token| list(&world.ours.member_id, page_size, page_token))
        .done()
}
