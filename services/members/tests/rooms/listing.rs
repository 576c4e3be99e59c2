//! `BatchGetMembers`, and the filters of `ListMembers`.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{MemberStatus, PartyKind};
use fealty_proto::r#type::v1::ErrorReason;
use tonic::{Code, Status};

use crate::harness::{assert_invalid, assert_refused, nobodys_id, request_id};
use crate::ledger::{Door, Mood};
use crate::parties;
use crate::shop::{Shop, enrolment, external_id};
use crate::status;

/// Most members of one batch.
const BATCH_COUNT_MAX: usize = 200;

async fn batch(shop: &Shop, member_ids: &[&str]) -> Result<pb::BatchGetMembersResponse, Status> {
    let request = pb::BatchGetMembersRequest {
        member_ids: member_ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let answer = shop.world.members(&shop.auth).batch_get_members(request).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn a_batch_answers_in_the_order_of_the_question_and_names_who_is_not_there() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[external_id("1")]).await;
    let ben = shop.enrol(&[external_id("2")]).await;
    let neighbour = shop.neighbour().await;
    let request = enrolment(&[external_id("1")]);
    let theirs = shop
        .world
        .members(&neighbour)
        .enrol_member(request)
        .await
        .unwrap();
    let theirs = theirs.into_inner().member.unwrap().member_id;
    // Whose enrolment is not finished is not there yet.
    shop.ledger
        .set_mood_of(Door::Open, Some(Mood::Fails(Code::Unavailable)));
    shop.try_enrol(enrolment(&[external_id("3")])).await.unwrap_err();
    let unfinished: uuid::Uuid =
        sqlx::query_scalar("SELECT member_id FROM member WHERE NOT ledger_confirmed")
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap();
    let (unfinished, nobody) = (unfinished.to_string(), nobodys_id());
    let asked = [&ben.member_id, &nobody, &theirs, &unfinished, &ana.member_id];
    let found = batch(&shop, &asked.map(String::as_str)).await.unwrap();
    assert_eq!(found.members, [ben, ana]);
    assert_eq!(found.not_found_member_ids, [nobody, theirs, unfinished]);
}

#[tokio::test]
async fn a_batch_has_1_to_200_members_each_once() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    assert_invalid("nobody", batch(&shop, &[]).await, &["member_ids"]);
    let many: Vec<String> = (0..=BATCH_COUNT_MAX).map(|_| nobodys_id()).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_invalid("201", batch(&shop, &many).await, &["member_ids"]);
    many.pop();
    let found = batch(&shop, &many).await.unwrap();
    assert_eq!(found.not_found_member_ids, many);
    let twice = batch(&shop, &[&ana.member_id, "Ana", &ana.member_id]).await;
    assert_invalid("twice", twice, &["member_ids[1]", "member_ids[2]"]);
}

/// Everybody whom a filter lets through, page by page.
async fn listed(shop: &Shop, filter: pb::ListMembersRequest) -> Vec<String> {
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = pb::ListMembersRequest {
            page_size: 2,
            page_token,
            ..filter.clone()
        };
        let page = shop.list(page).await.expect("a page");
        ids.extend(page.members.into_iter().map(|member| member.member_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}

async fn put_into_gold(shop: &Shop, member: &pb::Member) {
    let request = pb::SetMemberTierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        tier_code: "gold".to_owned(),
        reason: String::new(),
    };
    shop.world
        .members(&shop.auth)
        .set_member_tier(request)
        .await
        .expect("set");
}

#[tokio::test]
async fn a_list_is_filtered_by_status_kind_and_tier_and_by_all_of_them() {
    let shop = Shop::open().await;
    let mut members = Vec::new();
    for number in 0..12 {
        let key = number.to_string();
        let member = if number % 2 == 0 {
            shop.enrol(&[external_id(&key)]).await
        } else {
            parties::enrol(&shop, parties::company(), &key).await
        };
        if number % 3 == 0 {
            put_into_gold(&shop, &member).await;
        }
        if number >= 6 {
            status::set(&shop, &member, MemberStatus::Suspended).await;
        }
        members.push(member.member_id);
    }
    let filter = |status: MemberStatus, kind: PartyKind, tier_code: &str| pb::ListMembersRequest {
        status: status.into(),
        party_kind: kind.into(),
        tier_code: tier_code.to_owned(),
        ..Default::default()
    };
    for status in [
        MemberStatus::Unspecified,
        MemberStatus::Active,
        MemberStatus::Suspended,
    ] {
        for kind in [
            PartyKind::Unspecified,
            PartyKind::NaturalPerson,
            PartyKind::LegalEntity,
        ] {
            for tier_code in ["", "gold"] {
                let fits = |number: usize| {
                    let status_fits = match status {
                        MemberStatus::Active => number < 6,
                        MemberStatus::Suspended => number >= 6,
                        _ => true,
                    };
                    let kind_fits = match kind {
                        PartyKind::NaturalPerson => number.is_multiple_of(2),
                        PartyKind::LegalEntity => !number.is_multiple_of(2),
                        _ => true,
                    };
                    status_fits && kind_fits && (tier_code.is_empty() || number.is_multiple_of(3))
                };
                let expected: Vec<&String> = (0..members.len())
                    .filter(|number| fits(*number))
                    .map(|number| &members[number])
                    .collect();
                let found = listed(&shop, filter(status, kind, tier_code)).await;
                let found: Vec<&String> = found.iter().collect();
                assert_eq!(found, expected, "{status:?} {kind:?} {tier_code:?}");
            }
        }
    }
    let closed = filter(MemberStatus::Closed, PartyKind::Unspecified, "");
    assert_eq!(listed(&shop, closed).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_filter_that_is_none_is_named_and_a_token_belongs_to_its_filter() {
    let shop = Shop::open().await;
    for key in ["1", "2"] {
        parties::enrol(&shop, parties::company(), key).await;
    }
    let wrong = pb::ListMembersRequest {
        status: 99,
        party_kind: 99,
        tier_code: "Gold!".to_owned(),
        ..Default::default()
    };
    assert_invalid(
        "strange filters",
        shop.list(wrong).await,
        &["status", "party_kind", "tier_code"],
    );
    let companies = pb::ListMembersRequest {
        page_size: 1,
        party_kind: PartyKind::LegalEntity.into(),
        ..Default::default()
    };
    let page = shop.list(companies.clone()).await.unwrap();
    for other in [
        pb::ListMembersRequest {
            party_kind: PartyKind::NaturalPerson.into(),
            ..companies.clone()
        },
        pb::ListMembersRequest {
            status: MemberStatus::Active.into(),
            ..companies.clone()
        },
        pb::ListMembersRequest {
            tier_code: "gold".to_owned(),
            ..companies
        },
    ] {
        let other = pb::ListMembersRequest {
            page_token: page.next_page_token.clone(),
            ..other
        };
        let refused = shop.list(other).await;
        assert_refused(
            "another filter",
            refused,
            Code::InvalidArgument,
            ErrorReason::PageTokenInvalid,
        );
    }
}
