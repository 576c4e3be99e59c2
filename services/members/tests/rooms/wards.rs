//! What becomes of wards when their guardian is merged, and how they are found.

use std::cell::Cell;

use chrono::TimeDelta;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::MemberStatus;
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::{join, join3};
use sqlx::{Connection, PgConnection};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::guardians::{ago, assert_no, born, change, enrol};
use crate::harness::{assert_invalid, assert_refused, eventually};
use crate::ledger::{Door, Mood};
use crate::merges::{merge, merging, try_merge};
use crate::shop::{Shop, external_id, identifier};
use crate::status;

/// Longer than any change is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

/// Sees who waits for whom in a test's database.
struct Watch {
    connection: PgConnection,
    database: String,
}

impl Watch {
    async fn over(shop: &Shop) -> Self {
        let servers = fealty_testing::servers().await;
        let connection = PgConnection::connect(servers.postgres_admin_url());
        let database =
            sqlx::query_scalar("SELECT current_database()::text").fetch_one(&shop.world.database.owner);
        Self {
            connection: connection.await.expect("a connection"),
            database: database.await.expect("its name"),
        }
    }

    async fn waiting_count(&mut self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'",
        )
        .bind(&self.database)
        .fetch_one(&mut self.connection)
        .await
        .expect("a count")
    }

    async fn until_waiting(&mut self, count: i64) {
        eventually("a wait for a lock", async || {
            (self.waiting_count().await >= count).then_some(())
        })
        .await;
    }
}

/// Names a guardian whose record is merged before the naming is committed.
async fn race(
    shop: &Shop,
    naming: impl Future<Output = Result<pb::Member, Status>>,
    from: &pb::Member,
    into: &pb::Member,
) {
    let mut watch = Watch::over(shop).await;
    let mut other = Watch::over(shop).await;
    let mut gate = shop.world.database.owner.acquire().await.expect("a connection");
    for statement in ["BEGIN", "LOCK TABLE identifier_history IN SHARE MODE"] {
        sqlx::query(statement).execute(&mut *gate).await.expect("locked");
    }
    let merged = Cell::new(false);
    let merging = async {
        watch.until_waiting(1).await;
        merge(shop, from, into).await;
        merged.set(true);
    };
    let opening = async {
        eventually("the merge, or its wait", async || {
            (merged.get() || other.waiting_count().await >= 2).then_some(())
        })
        .await;
        sqlx::query("ROLLBACK").execute(&mut *gate).await.expect("opened");
    };
    let (named, (), ()) = join3(naming, merging, opening).await;
    let ward = named.expect("named");
    let ward = shop.get(&ward.member_id).await.expect("a member");
    assert_eq!(ward.guardian_member_id, into.member_id);
}

#[tokio::test]
async fn who_is_enrolled_while_their_guardian_is_merged_has_the_one_who_stays() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let same = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let request = pb::EnrolMemberRequest {
        identifiers: vec![identifier(external_id("mila"))],
        ..born(ago(&clock, 10, 0), &vera.member_id)
    };
    let naming = async {
        let enrolled = shop.try_enrol(request).await?;
        Ok(enrolled.into_inner().member.expect("a member"))
    };
    race(&shop, naming, &vera, &same).await;
}

#[tokio::test]
async fn who_is_given_a_guardian_while_that_one_is_merged_has_the_one_who_stays() {
    let (shop, clock) = Shop::open_with_clock().await;
    // Older than the guardians, and younger: whoever locks two of them does so in one order.
    let early = shop.enrol(&[]).await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let same = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let late = shop.enrol(&[]).await;
    // Waits after the guardian was judged, as long as the test says.
    let statements = [
        "CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             LOCK TABLE identifier_history IN ROW EXCLUSIVE MODE; RETURN NEW; END $$",
        "CREATE TRIGGER gate BEFORE UPDATE OF guardian_member_id ON member FOR EACH ROW \
             WHEN (OLD.guardian_member_id IS NULL) EXECUTE FUNCTION wait_at_the_gate()",
    ];
    for statement in statements {
        sqlx::query(statement)
            .execute(&shop.world.database.owner)
            .await
            .unwrap();
    }
    let child = Some(ago(&clock, 10, 0));
    let paths = ["profile.birth_date", "guardian_member_id"];
    let naming = shop.update(change(&early, child, &vera.member_id), &paths);
    Box::pin(race(&shop, naming, &vera, &same)).await;
    let other = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let naming = shop.update(change(&late, child, &same.member_id), &paths);
    Box::pin(race(&shop, naming, &same, &other)).await;
}

#[tokio::test]
async fn nobody_becomes_the_ward_of_somebody_whose_merge_is_under_way() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let same = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let (early, late) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let child = Some(ago(&clock, 10, 0));
    let paths = ["profile.birth_date", "guardian_member_id"];
    shop.ledger
        .set_mood_of(Door::Merge, Some(Mood::Fails(Code::PermissionDenied)));
    assert!(try_merge(&shop, merging(&vera, &same)).await.is_err());
    let refused = shop.update(change(&early, child, &vera.member_id), &paths).await;
    assert_refused("under way", refused, Code::Aborted, ErrorReason::Contention);
    let enrolling = enrol(&shop, ago(&clock, 10, 0), &vera.member_id).await;
    assert_refused("under way", enrolling, Code::Aborted, ErrorReason::Contention);
    // Who stays may be named meanwhile.
    let named = shop
        .update(change(&early, child, &same.member_id), &paths)
        .await
        .unwrap();
    assert_eq!(named.guardian_member_id, same.member_id);
    shop.ledger.set_mood_of(Door::Merge, None);
    clock.advance(LONG);
    eventually("the job", async || {
        let ended = shop.get(&vera.member_id).await.unwrap();
        (ended.status() == MemberStatus::Merged).then_some(())
    })
    .await;
    let refused = shop.update(change(&late, child, &vera.member_id), &paths).await;
    assert_no("merged", refused, ErrorReason::GuardianUnsuitable);
}

#[tokio::test]
async fn two_who_name_each_others_guardians_and_merge_them_never_lock_each_other_out() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (child, paths) = (
        Some(ago(&clock, 10, 0)),
        ["profile.birth_date", "guardian_member_id"],
    );
    for _ in 0..10 {
        let mila = shop.enrol(&[]).await;
        let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
        let same = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
        let (named, merged) = join(
            shop.update(change(&mila, child, &vera.member_id), &paths),
            try_merge(&shop, merging(&vera, &same)),
        )
        .await;
        merged.expect("merged");
        let now = shop.get(&mila.member_id).await.unwrap();
        match named {
            Ok(_) => assert_eq!(now.guardian_member_id, same.member_id),
            Err(status) => {
                assert!(
                    matches!(status.code(), Code::Aborted | Code::FailedPrecondition),
                    "{status:?}"
                );
                assert_eq!(now.guardian_member_id, "");
            }
        }
    }
}

#[tokio::test]
async fn a_merge_hands_wards_to_nobody_who_could_not_be_named() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let mila = enrol(&shop, ago(&clock, 10, 0), &vera.member_id).await.unwrap();
    let ageless = shop.enrol(&[]).await;
    let sister = enrol(&shop, ago(&clock, 16, 0), &vera.member_id).await.unwrap();
    let fit = enrol(&shop, ago(&clock, 50, 0), "").await.unwrap();
    let before = shop.world.contents().await;
    for (label, into) in [
        ("nobody knows how old", &ageless),
        ("a ward", &mila),
        ("another ward", &sister),
    ] {
        let refused = try_merge(&shop, merging(&vera, into)).await;
        let (code, reason) = (Code::FailedPrecondition, ErrorReason::GuardianUnsuitable);
        let refused = assert_refused(label, refused, code, reason);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata["guardian_member_id"], into.member_id, "{label}");
    }
    assert_eq!(shop.world.contents().await, before);
    // Who has come of age is nobody's ward: then nobody is handed over.
    let grown = change(&sister, Some(ago(&clock, 20, 0)), "");
    shop.update(grown, &["profile.birth_date"]).await.unwrap();
    status::set(&shop, &mila, MemberStatus::Closed).await;
    merge(&shop, &vera, &ageless).await;
    // A ward's own record is merged as any other, and so is who answers for nobody.
    merge(&shop, &ageless, &fit).await;
}

#[tokio::test]
async fn whom_somebody_answers_for_is_listed_also_when_they_no_longer_should() {
    let (shop, clock) = Shop::open_with_clock().await;
    let vera = enrol(&shop, ago(&clock, 40, 0), "").await.unwrap();
    let ivan = enrol(&shop, ago(&clock, 41, 0), "").await.unwrap();
    let mut wards = Vec::new();
    for years in [3, 9] {
        clock.advance(TimeDelta::seconds(1));
        wards.push(
            enrol(&shop, ago(&clock, years, 0), &vera.member_id)
                .await
                .unwrap(),
        );
    }
    let other = enrol(&shop, ago(&clock, 5, 0), &ivan.member_id).await.unwrap();
    let list = async |guardian: &pb::Member, page_size, page_token: &str| {
        let request = pb::ListMembersRequest {
            guardian_member_id: guardian.member_id.clone(),
            page_size,
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        shop.list(request).await.expect("a page")
    };
    status::set(&shop, &vera, MemberStatus::Closed).await;
    assert_eq!(list(&vera, 50, "").await.members, wards);
    assert_eq!(list(&ivan, 50, "").await.members, [other]);
    assert_eq!(
        list(&vera, 50, "").await.members[0].guardian_member_id,
        vera.member_id
    );
    let first = list(&vera, 1, "").await;
    let second = list(&vera, 1, &first.next_page_token).await;
    assert_eq!([first.members, second.members].concat(), wards);
    assert_eq!(second.next_page_token, "");
    let wrong = pb::ListMembersRequest {
        guardian_member_id: "Vera".to_owned(),
        ..Default::default()
    };
    assert_invalid("no id", shop.list(wrong).await, &["guardian_member_id"]);
}
