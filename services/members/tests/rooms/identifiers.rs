//! `AddIdentifier` and `RemoveIdentifier`.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::harness::{assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::{Shop, card, email, enrolment, external_id, identifier, phone};

/// Most identifiers of a member.
const IDENTIFIERS_MAX: usize = 32;

/// Callers who send the same request at once.
const CALLERS_COUNT: usize = 50;

async fn try_add(
    shop: &Shop,
    request_id: &str,
    member_id: &str,
    value: Value,
) -> Result<Response<pb::AddIdentifierResponse>, Status> {
    let request = pb::AddIdentifierRequest {
        request_id: request_id.to_owned(),
        member_id: member_id.to_owned(),
        identifier: Some(identifier(value)),
    };
    shop.world.members(&shop.auth).add_identifier(request).await
}

async fn add(shop: &Shop, member_id: &str, value: Value) -> Result<pb::AddIdentifierResponse, Status> {
    let answer = try_add(shop, &request_id(), member_id, value).await;
    answer.map(Response::into_inner)
}

async fn remove(shop: &Shop, member_id: &str, identifier_id: &str) -> Result<pb::Member, Status> {
    let request = pb::RemoveIdentifierRequest {
        member_id: member_id.to_owned(),
        identifier_id: identifier_id.to_owned(),
    };
    let answer = shop.world.members(&shop.auth).remove_identifier(request).await?;
    Ok(answer.into_inner().member.expect("a member"))
}

fn emails(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| email(&format!("a{number}@example.com")))
        .collect()
}

#[tokio::test]
async fn an_added_identifier_finds_and_a_removed_one_does_not() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[external_id("1")]).await;
    let added = add(&shop, &ana.member_id, phone("+44 20 7946 0018"))
        .await
        .unwrap();
    let identifier = added.identifier.unwrap();
    let member = added.member.unwrap();
    assert_eq!(identifier.value, Some(phone("+442079460018")));
    assert_eq!(member.identifiers.last(), Some(&identifier));
    assert_ne!(member.etag, ana.etag);
    assert_eq!(shop.lookup(phone("+442079460018")).await.unwrap(), member);

    let without = remove(&shop, &ana.member_id, &identifier.identifier_id)
        .await
        .unwrap();
    assert_eq!(without.identifiers, ana.identifiers);
    let lookup = shop.lookup(phone("+442079460018")).await;
    assert_refused("removed", lookup, Code::NotFound, ErrorReason::ResourceNotFound);
    let again = remove(&shop, &ana.member_id, &identifier.identifier_id)
        .await
        .unwrap();
    assert_eq!(again, without, "removing again changes nothing");

    let ben = shop.enrol(&[phone("+442079460018")]).await;
    assert_eq!(shop.lookup(phone("+442079460018")).await.unwrap(), ben);
}

#[tokio::test]
async fn an_identifier_of_another_member_is_not_taken_away() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[external_id("1")]).await;
    let ben = shop.enrol(&[external_id("2")]).await;
    let bens = &ben.identifiers[0].identifier_id;
    assert_eq!(remove(&shop, &ana.member_id, bens).await.unwrap(), ana);
    assert_eq!(shop.lookup(external_id("2")).await.unwrap(), ben);
}

#[tokio::test]
async fn a_value_belongs_to_one_member_of_the_program() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[email("ana@example.com")]).await;
    let ben = shop.enrol(&[]).await;
    let taken = add(&shop, &ben.member_id, email("ANA@example.com")).await;
    let status = assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::ResourceExists);
    let metadata = status.get_details_error_info().unwrap().metadata;
    assert_eq!(metadata["resource"], "identifier");
    assert_eq!(metadata["id"], ana.identifiers[0].identifier_id);
    assert_eq!(metadata["kind"], "email_address");
    let told = format!("{status:?}").to_lowercase();
    assert!(!told.contains("ana@example.com"), "{told}");

    let taken = shop
        .try_enrol(enrolment(&[external_id("2"), email("ana@example.com")]))
        .await;
    let status = assert_refused(
        "at enrolment",
        taken,
        Code::AlreadyExists,
        ErrorReason::ResourceExists,
    );
    assert_eq!(status.get_details_error_info().unwrap().metadata["index"], "1");
    let nobody = shop.lookup(external_id("2")).await;
    assert_refused(
        "nothing stays",
        nobody,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );

    let neighbour = shop.neighbour().await;
    let request = enrolment(&[email("ana@example.com")]);
    let elsewhere = shop.world.members(&neighbour).enrol_member(request).await;
    assert!(
        elsewhere.is_ok(),
        "another program is another matter: {elsewhere:?}"
    );
}

#[tokio::test]
async fn a_member_has_32_identifiers_and_one_external_id_at_most() {
    let shop = Shop::open().await;
    let member = shop.enrol(&emails(IDENTIFIERS_MAX)).await;
    let exceeded = ErrorReason::CountExceeded;
    let refused = add(&shop, &member.member_id, card("4539148803436467")).await;
    let status = assert_refused("the 33rd", refused, Code::FailedPrecondition, exceeded);
    assert_eq!(
        status.get_details_error_info().unwrap().metadata["count_max"],
        "32"
    );

    let other = shop.enrol(&[external_id("1")]).await;
    let refused = add(&shop, &other.member_id, external_id("2")).await;
    let status = assert_refused(
        "a second external id",
        refused,
        Code::FailedPrecondition,
        exceeded,
    );
    assert_eq!(
        status.get_details_error_info().unwrap().metadata["resource"],
        "external_id"
    );

    let before = shop.world.contents().await;
    let refused = shop.try_enrol(enrolment(&emails(IDENTIFIERS_MAX + 1))).await;
    assert_refused("33 at once", refused, Code::FailedPrecondition, exceeded);
    let refused = shop
        .try_enrol(enrolment(&[external_id("3"), external_id("4")]))
        .await;
    assert_refused(
        "two external ids at once",
        refused,
        Code::FailedPrecondition,
        exceeded,
    );
    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn callers_at_once_never_give_a_member_too_many() {
    let shop = Shop::open().await;
    let member = shop.enrol(&emails(IDENTIFIERS_MAX - 1)).await;
    let adding = (0..CALLERS_COUNT).map(|number| {
        let value = phone(&format!("+4420794600{number:02}"));
        add(&shop, &member.member_id, value)
    });
    let added = join_all(adding).await;
    assert_eq!(added.iter().filter(|answer| answer.is_ok()).count(), 1);
    let member = shop.get(&member.member_id).await.unwrap();
    assert_eq!(member.identifiers.len(), IDENTIFIERS_MAX);
}

#[tokio::test]
async fn the_same_request_adds_once() {
    let shop = Shop::open().await;
    let member = shop.enrol(&[]).await;
    let (request_id, value) = (request_id(), card("4539148803436467"));
    let adding = (0..CALLERS_COUNT).map(|_| try_add(&shop, &request_id, &member.member_id, value.clone()));
    let answers = join_all(adding).await;
    let first_count = answers
        .iter()
        .flatten()
        .filter(|answer| !is_replayed(answer))
        .count();
    assert_eq!(first_count, 1);
    let identifiers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("added").into_inner().identifier)
        .collect();
    assert!(identifiers.iter().all(|identifier| *identifier == identifiers[0]));
    assert_eq!(shop.get(&member.member_id).await.unwrap().identifiers.len(), 1);

    let other = try_add(&shop, &request_id, &member.member_id, external_id("1")).await;
    assert_refused(
        "another value",
        other,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    let added = identifiers[0].as_ref().unwrap();
    remove(&shop, &member.member_id, &added.identifier_id)
        .await
        .unwrap();
    let gone = try_add(&shop, &request_id, &member.member_id, value).await;
    assert_refused(
        "taken away since",
        gone,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn who_is_not_there_gets_and_loses_nothing() {
    let shop = Shop::open().await;
    let neighbour = shop.neighbour().await;
    let member = shop.enrol(&[external_id("1")]).await;
    let before = shop.world.contents().await;
    let not_found = ErrorReason::ResourceNotFound;
    let nobody = nobodys_id();
    assert_refused(
        "add",
        add(&shop, &nobody, external_id("2")).await,
        Code::NotFound,
        not_found,
    );
    assert_refused(
        "remove",
        remove(&shop, &nobody, &nobody).await,
        Code::NotFound,
        not_found,
    );
    let shop = Shop {
        auth: neighbour,
        ..shop
    };
    let ids = (&member.member_id, &member.identifiers[0].identifier_id);
    assert_refused("their get", shop.get(ids.0).await, Code::NotFound, not_found);
    assert_refused(
        "their add",
        add(&shop, ids.0, external_id("2")).await,
        Code::NotFound,
        not_found,
    );
    assert_refused(
        "their removal",
        remove(&shop, ids.0, ids.1).await,
        Code::NotFound,
        not_found,
    );
    assert_refused(
        "their look-up",
        shop.lookup(external_id("1")).await,
        Code::NotFound,
        not_found,
    );
    let change = pb::Member {
        member_id: ids.0.clone(),
        ..Default::default()
    };
    assert_refused(
        "their update",
        shop.update(change, &["profile"]).await,
        Code::NotFound,
        not_found,
    );
    assert_eq!(shop.count().await, 0);
    assert_eq!(shop.world.contents().await, before);
}
