//! What members refuses about tiers and clubs.

use fealty_proto::members::v1::qualification::{Measure, Period};
use fealty_proto::members::v1::{
    Benefit, CheckEntitlementRequest, EvaluateLadderRequest, GetLadderRequest, GetMemberTiersRequest,
    GrantTierRequest, Ladder, ListLaddersRequest, ListTierChangesRequest, ListTierGrantsRequest,
    PublishLadderRequest, Qualification, RetireLadderRequest, RevokeTierGrantRequest, Tier, TierLanding,
};
use fealty_tests::shop::request_id;

use super::case::{Case, Table, invalid, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [publishing, ladders, members, granting, evaluating]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

/// A ladder of which nothing is right.
fn wrong() -> Ladder {
    let how = Qualification {
        measure: Some(Measure::EarnedUnitCode("Points".to_owned())),
        period: Some(Period::RollingMonths(37)),
        grace_days: -1,
        grace_months: 37,
        landing: 99,
    };
    let benefit = Benefit::default();
    let tier = Tier {
        benefits: vec![benefit],
        ..Tier::default()
    };
    Ladder {
        qualification: Some(how),
        tiers: vec![tier],
        ..Ladder::default()
    }
}

const WRONG_FIELDS: [&str; 12] = [
    "ladder.ladder_code",
    "ladder.display_name",
    "ladder.qualification.earned_unit_code",
    "ladder.qualification.rolling_months",
    "ladder.qualification.grace_days",
    "ladder.qualification.grace_months",
    "ladder.qualification.landing",
    "ladder.tiers[0].tier_code",
    "ladder.tiers[0].display_name",
    "ladder.tiers[0].threshold",
    "ladder.tiers[0].benefits[0].benefit_code",
    "ladder.tiers[0].benefits[0].description",
];

fn publishing(world: &World) -> Vec<Case> {
    let empty = Qualification {
        landing: TierLanding::ByBalance.into(),
        ..Qualification::default()
    };
    Table::of(world, "/fealty.members.v1.TierService/PublishLadder")
        .row(
            "nothing",
            &PublishLadderRequest::default(),
            invalid(&["request_id", "ladder"]),
        )
        .row(
            "nothing right",
            &PublishLadderRequest {
                request_id: request_id(),
                ladder: Some(wrong()),
                known_version: 0,
            },
            invalid(&WRONG_FIELDS),
        )
        .row(
            "nothing that counts, and no tier",
            &PublishLadderRequest {
                request_id: request_id(),
                ladder: Some(Ladder {
                    ladder_code: "club".to_owned(),
                    display_name: "Club".to_owned(),
                    qualification: Some(empty),
                    ..Ladder::default()
                }),
                known_version: 101,
            },
            invalid(&[
                "ladder.qualification.measure",
                "ladder.qualification.period",
                "ladder.tiers",
                "known_version",
            ]),
        )
        .done()
}

fn ladders(world: &World) -> Vec<Case> {
    let get = |ladder_code: &str, version| GetLadderRequest {
        ladder_code: ladder_code.to_owned(),
        version,
    };
    let read = Table::of(world, "/fealty.members.v1.TierService/GetLadder")
        .row("nothing", &get("", -1), invalid(&["ladder_code", "version"]))
        .row("a ladder that nobody published", &get("club", 0), not_found());
    let listed =
        Table::of(world, "/fealty.members.v1.TierService/ListLadders").pages(|page_size, page_token| {
            ListLaddersRequest {
                page_size,
                page_token,
            }
        });
    let retire = |ladder_code: &str| RetireLadderRequest {
        request_id: request_id(),
        ladder_code: ladder_code.to_owned(),
    };
    let retired = Table::of(world, "/fealty.members.v1.TierService/RetireLadder")
        .row(
            "nothing",
            &RetireLadderRequest::default(),
            invalid(&["request_id", "ladder_code"]),
        )
        .row("no code", &retire("The club"), invalid(&["ladder_code"]))
        .row("a ladder that nobody published", &retire("club"), not_found());
    [read, listed, retired]
        .into_iter()
        .flat_map(Table::done)
        .collect()
}

fn members(world: &World) -> Vec<Case> {
    let theirs = || world.theirs.member_id.clone();
    let tiers = Table::of(world, "/fealty.members.v1.TierService/GetMemberTiers")
        .row(
            "nothing",
            &GetMemberTiersRequest::default(),
            invalid(&["member_id"]),
        )
        .row(
            "a member of another program",
            &GetMemberTiersRequest { member_id: theirs() },
            not_found(),
        );
    let check = |member_id: String| CheckEntitlementRequest {
        member_id,
        benefit_code: "personal-manager".to_owned(),
    };
    let checked = Table::of(world, "/fealty.members.v1.TierService/CheckEntitlement")
        .row(
            "nothing",
            &CheckEntitlementRequest::default(),
            invalid(&["member_id", "benefit_code"]),
        )
        .row("a member of another program", &check(theirs()), not_found())
        .row(
            "a benefit that no tier has",
            &check(world.ours.member_id.clone()),
            not_found(),
        );
    let changes = |member_id: String, page_size, page_token| ListTierChangesRequest {
        member_id,
        page_size,
        page_token,
    };
    let ours = world.ours.member_id.clone();
    let history = Table::of(world, "/fealty.members.v1.TierService/ListTierChanges")
        .pages(|page_size, page_token| changes(ours.clone(), page_size, page_token))
        .row(
            "nobody",
            &changes(String::new(), 0, String::new()),
            invalid(&["member_id"]),
        )
        .row(
            "a member of another program",
            &changes(theirs(), 0, String::new()),
            not_found(),
        );
    let grants = |member_id: String, page_size, page_token| ListTierGrantsRequest {
        member_id,
        page_size,
        page_token,
    };
    let granted = Table::of(world, "/fealty.members.v1.TierService/ListTierGrants")
        .pages(|page_size, page_token| grants(ours.clone(), page_size, page_token))
        .row(
            "nobody",
            &grants(String::new(), 0, String::new()),
            invalid(&["member_id"]),
        )
        .row(
            "a member of another program",
            &grants(theirs(), 0, String::new()),
            not_found(),
        );
    let tables = [tiers, checked, history, granted];
    tables.into_iter().flat_map(Table::done).collect()
}

fn granting(world: &World) -> Vec<Case> {
    let grant = |member_id: &str| GrantTierRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        ladder_code: "club".to_owned(),
        tier_code: "regulars".to_owned(),
        end_time: None,
        reason: "a friend of the house".to_owned(),
    };
    let granted = Table::of(world, "/fealty.members.v1.TierService/GrantTier")
        .row(
            "nothing",
            &GrantTierRequest::default(),
            invalid(&["request_id", "member_id", "ladder_code", "tier_code", "reason"]),
        )
        .row(
            "an end that has passed, for a reason without end",
            &GrantTierRequest {
                end_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
                reason: "x".repeat(501),
                ..grant(&world.ours.member_id)
            },
            invalid(&["end_time", "reason"]),
        )
        .row(
            "a member of another program",
            &grant(&world.theirs.member_id),
            not_found(),
        )
        .row(
            "a ladder that nobody published",
            &grant(&world.ours.member_id),
            not_found(),
        );
    let revoked = Table::of(world, "/fealty.members.v1.TierService/RevokeTierGrant")
        .row(
            "nothing",
            &RevokeTierGrantRequest::default(),
            invalid(&["request_id", "tier_grant_id"]),
        )
        .row(
            "a grant that nobody made",
            &RevokeTierGrantRequest {
                request_id: request_id(),
                tier_grant_id: request_id(),
            },
            not_found(),
        );
    [granted, revoked].into_iter().flat_map(Table::done).collect()
}

fn evaluating(world: &World) -> Vec<Case> {
    let fields: Vec<&'static str> = WRONG_FIELDS.into_iter().chain(["sample_count"]).collect();
    Table::of(world, "/fealty.members.v1.TierService/EvaluateLadder")
        .row("nothing", &EvaluateLadderRequest::default(), invalid(&["ladder"]))
        .row(
            "nothing right",
            &EvaluateLadderRequest {
                ladder: Some(wrong()),
                sample_count: 101,
            },
            invalid(&fields),
        )
        .done()
}
