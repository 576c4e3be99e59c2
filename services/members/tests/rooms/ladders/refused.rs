//! What ladders say no to.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::qualification::Period;
use fealty_proto::r#type::v1::ErrorReason;
use tonic::Code;

use super::{club, ladder, metals, open_on, publication, spend, tier};
use crate::harness::{assert_invalid, assert_refused, nobodys_id, request_id};

#[tokio::test]
async fn all_that_is_wrong_with_a_ladder_is_named_at_once() {
    let (shop, _clock) = open_on(2026, 3, 2).await;
    let before = shop.world.contents().await;
    let nothing = shop.try_publish_ladder(pb::PublishLadderRequest::default()).await;
    assert_invalid("nothing", nothing, &["request_id", "ladder"]);
    let how = pb::Qualification {
        grace_days: 1,
        grace_months: 1,
        ..spend(Period::RollingDays(1_097))
    };
    let tiers = vec![
        tier("low", 5, &["x", "x"]),
        tier("Low", 5, &[]),
        tier("low", 0, &[]),
    ];
    let wrong = publication(ladder("Club", Some(how), tiers), -1);
    let fields = [
        "ladder.ladder_code",
        "ladder.qualification.rolling_days",
        "ladder.qualification.grace_months",
        "ladder.tiers[0].benefits[1].benefit_code",
        "ladder.tiers[1].tier_code",
        "ladder.tiers[1].threshold",
        "ladder.tiers[2].threshold",
        "ladder.tiers[2].tier_code",
        "known_version",
    ];
    assert_invalid("wrong", shop.try_publish_ladder(wrong).await, &fields);
    let step = pb::Qualification {
        landing: pb::TierLanding::OneStep.into(),
        ..spend(Period::CalendarYear(true))
    };
    let step = publication(ladder("club", Some(step), vec![tier("a", 1, &[])]), 0);
    assert_invalid(
        "a step without grace",
        shop.try_publish_ladder(step).await,
        &["ladder.qualification.landing"],
    );
    let closed = publication(ladder("club", None, vec![tier("a", 1, &[])]), 0);
    assert_invalid(
        "nobody earns it",
        shop.try_publish_ladder(closed).await,
        &["ladder.tiers[0].threshold"],
    );
    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn a_ladder_is_published_over_the_version_that_its_publisher_knows() {
    let (shop, _clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let outdated = shop.try_publish_ladder(publication(metals(), 0)).await;
    assert_refused(
        "another",
        outdated,
        Code::Aborted,
        ErrorReason::LadderVersionOutdated,
    );
    let taken = ladder("club", club().qualification, vec![tier("gold", 10, &[])]);
    let taken = shop.try_publish_ladder(publication(taken, 0)).await;
    assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::TierCodeTaken);
    for number in 1..20 {
        let code = format!("ladder-{number}");
        let one = ladder(
            &code,
            club().qualification,
            vec![tier(&format!("tier-{number}"), 10, &[])],
        );
        shop.publish_ladder(one, 0).await;
    }
    let more = shop.try_publish_ladder(publication(club(), 0)).await;
    assert_refused(
        "the 21st",
        more,
        Code::FailedPrecondition,
        ErrorReason::CountExceeded,
    );
}

#[tokio::test]
async fn what_nobody_has_is_not_found() {
    let (shop, _clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let ana = shop.enrol(&[]).await;
    let tiers = || shop.world.tiers(&shop.auth);
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    let nobody = pb::GetMemberTiersRequest {
        member_id: nobodys_id(),
    };
    assert_refused("nobody", tiers().get_member_tiers(nobody).await, code, reason);
    let benefit = pb::CheckEntitlementRequest {
        member_id: ana.member_id.clone(),
        benefit_code: "a-pony".to_owned(),
    };
    assert_refused(
        "no benefit",
        tiers().check_entitlement(benefit).await,
        code,
        reason,
    );
    let version = pb::GetLadderRequest {
        ladder_code: "status".to_owned(),
        version: 2,
    };
    assert_refused("no version", tiers().get_ladder(version).await, code, reason);
    let grant = pb::RevokeTierGrantRequest {
        request_id: request_id(),
        tier_grant_id: nobodys_id(),
    };
    assert_refused("no grant", tiers().revoke_tier_grant(grant).await, code, reason);
    let neighbour = shop.neighbour().await;
    let theirs = pb::GetMemberTiersRequest {
        member_id: ana.member_id.clone(),
    };
    let theirs = shop.world.tiers(&neighbour).get_member_tiers(theirs).await;
    assert_refused("another program's", theirs, code, reason);
}
