//! `ConsentService`: to whom in the group something was said, and by whom.

use fealty_proto::members::v1::{self as pb, ConsentPurpose, ConsentStatus, ContactChannel};
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Status};

use crate::consents::{by_mail, grant, grant_of, try_grant, withdraw, withdrawal_of};
use crate::guardians::{ago, born};
use crate::harness::{Auth, assert_invalid, assert_refused, nobodys_id, request_id};
use crate::shop::Shop;

/// Companies of one program.
const COMPANIES_MAX: usize = 100;

async fn try_name_company(shop: &Shop, auth: &Auth, code: &str) -> Result<pb::Company, Status> {
    let request = pb::CreateCompanyRequest {
        request_id: request_id(),
        company: Some(pb::Company {
            company_code: code.to_owned(),
            display_name: format!("{code} Ltd"),
            create_time: None,
        }),
    };
    let answer = shop.world.consents(auth).create_company(request).await?;
    Ok(answer.into_inner().company.expect("a company"))
}

pub async fn name_company(shop: &Shop, code: &str) {
    try_name_company(shop, &shop.auth, code).await.expect("named");
}

#[tokio::test]
async fn b15_a_consent_for_the_group_is_inherited_by_its_companies_and_one_for_a_company_is_not() {
    let shop = Shop::open().await;
    for code in ["books", "toys"] {
        name_company(&shop, code).await;
    }
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let said_to_books = |member, scope: pb::ConsentScope| pb::GrantConsentRequest {
        scope: scope.into(),
        company_code: "books".to_owned(),
        ..grant_of(member, &[ConsentPurpose::Marketing], &[ContactChannel::Email])
    };
    grant(&shop, said_to_books(&ana, pb::ConsentScope::Group)).await;
    grant(&shop, said_to_books(&vera, pb::ConsentScope::Company)).await;
    let (own, inherited) = ((ConsentStatus::Granted, false), (ConsentStatus::Granted, true));
    assert_eq!(by_mail(&shop, &ana, "books").await, Some(own));
    assert_eq!(by_mail(&shop, &ana, "toys").await, Some(inherited));
    assert_eq!(by_mail(&shop, &ana, "").await, Some(inherited));
    assert_eq!(by_mail(&shop, &vera, "books").await, Some(own));
    assert_eq!(by_mail(&shop, &vera, "toys").await, None);

    // One company is told no, and the others go on; then all are.
    let from_toys = pb::WithdrawConsentRequest {
        scope: pb::ConsentScope::Company.into(),
        company_code: "toys".to_owned(),
        ..withdrawal_of(&ana)
    };
    withdraw(&shop, from_toys).await;
    let ended = Some((ConsentStatus::Withdrawn, false));
    assert_eq!(by_mail(&shop, &ana, "toys").await, ended);
    assert_eq!(by_mail(&shop, &ana, "books").await, Some(own));
    withdraw(&shop, withdrawal_of(&ana)).await;
    for (code, status) in [("books", true), ("toys", true), ("", false)] {
        assert_eq!(
            by_mail(&shop, &ana, code).await,
            Some((ConsentStatus::Withdrawn, status)),
            "{code}"
        );
    }
    let unknown = pb::GetConsentsRequest {
        member_id: ana.member_id.clone(),
        company_code: "shoes".to_owned(),
    };
    let refused = shop.world.consents(&shop.auth).get_consents(unknown).await;
    assert_refused(
        "no such company",
        refused,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn a_guardian_and_the_staff_are_named_as_who_said_it() {
    let (shop, clock) = Shop::open_with_clock().await;
    let enrol = async |request| {
        shop.try_enrol(request)
            .await
            .unwrap()
            .into_inner()
            .member
            .unwrap()
    };
    let mother = enrol(born(ago(&clock, 40, 0), "")).await;
    let child = enrol(born(ago(&clock, 10, 0), &mother.member_id)).await;
    let by = |giver: pb::ConsentGiver, guardian: &str| pb::GrantConsentRequest {
        origin: Some(pb::ConsentOrigin {
            giver: giver.into(),
            guardian_member_id: guardian.to_owned(),
            source: "letter of 3 May".to_owned(),
        }),
        ..grant_of(&child, &[ConsentPurpose::Marketing], &[ContactChannel::Paper])
    };
    let receipt = grant(&shop, by(pb::ConsentGiver::Guardian, &mother.member_id)).await;
    assert_eq!(receipt.origin.unwrap().guardian_member_id, mother.member_id);
    let receipt = grant(&shop, by(pb::ConsentGiver::Staff, "")).await;
    assert_eq!(receipt.origin.unwrap().giver(), pb::ConsentGiver::Staff);
    let field = ["origin.guardian_member_id"];
    let nobody = try_grant(&shop, by(pb::ConsentGiver::Guardian, "")).await;
    assert_invalid("no guardian", nobody, &field);
    let themselves = try_grant(&shop, by(pb::ConsentGiver::Guardian, &child.member_id)).await;
    assert_invalid("their own", themselves, &field);
    let of_staff = try_grant(&shop, by(pb::ConsentGiver::Staff, &mother.member_id)).await;
    assert_invalid("the staff's", of_staff, &field);
    let unknown = try_grant(&shop, by(pb::ConsentGiver::Guardian, &nobodys_id())).await;
    assert_refused("unknown", unknown, Code::NotFound, ErrorReason::ResourceNotFound);
}

#[tokio::test]
async fn companies_are_listed_by_code_once_each_and_bounded_in_number() {
    let shop = Shop::open().await;
    let mut codes: Vec<String> = (0..COMPANIES_MAX)
        .map(|number| format!("company-{number}"))
        .collect();
    join_all(codes.iter().map(|code| name_company(&shop, code))).await;
    codes.sort();
    let request = pb::ListCompaniesRequest {
        page_size: 60,
        ..Default::default()
    };
    let first = shop.world.consents(&shop.auth).list_companies(request).await;
    let first = first.unwrap().into_inner();
    let request = pb::ListCompaniesRequest {
        page_size: 60,
        page_token: first.next_page_token,
    };
    let second = shop.world.consents(&shop.auth).list_companies(request).await;
    let second = second.unwrap().into_inner();
    let listed: Vec<String> = first
        .companies
        .into_iter()
        .chain(second.companies)
        .map(|company| company.company_code)
        .collect();
    assert_eq!(listed, codes);
    let taken = try_name_company(&shop, &shop.auth, "company-7").await;
    assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::ResourceExists);
    let more = try_name_company(&shop, &shop.auth, "more").await;
    assert_refused("more", more, Code::FailedPrecondition, ErrorReason::CountExceeded);
    let neighbour = shop.neighbour().await;
    try_name_company(&shop, &neighbour, "company-7")
        .await
        .expect("another program's");
}
