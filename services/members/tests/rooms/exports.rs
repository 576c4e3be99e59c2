//! Exports of what is kept about a person, and the record of who read what.

use fealty_members::api_keys::domain::{KeyScopes, NewApiKey};
use fealty_proto::access::v1 as access;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use tonic::Code;

use crate::erasures::{enrol_whole, erase};
use crate::harness::{Auth, assert_invalid, assert_refused, name, request_id};
use crate::shop::Shop;

/// Everything about a member, in pages of so many.
async fn export(shop: &Shop, member_id: &str, page_size: i32) -> Vec<(String, serde_json::Value)> {
    let mut records = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = access::ExportPersonalDataRequest {
            member_id: member_id.to_owned(),
            page_size,
            page_token,
        };
        let mut personal = shop.world.personal_data(&shop.auth);
        let page = personal
            .export_personal_data(request)
            .await
            .expect("a page")
            .into_inner();
        assert!(page.records.len() <= usize::try_from(page_size).expect("small"));
        for record in page.records {
            records.push((
                record.kind,
                serde_json::from_str(&record.content_json).expect("JSON"),
            ));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return records;
        }
    }
}

fn texts(records: &[(String, serde_json::Value)]) -> String {
    records.iter().map(|(_, content)| content.to_string()).collect()
}

#[tokio::test]
async fn an_export_tells_all_that_is_kept_opened_and_nobodys_secrets() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let records = export(&shop, &ana.member_id, 500).await;
    let told = texts(&records);
    for expected in [
        "Anastasija",
        "Petrović",
        "1988-02-29",
        "Kuršumlija",
        "crm-4711-q",
        "4539148803436467",
        "+442079460018",
        "anastasija.p@example.com",
        "3 Dorćol Street",
        "her aunt works here",
        "her card was stolen",
    ] {
        assert!(told.contains(expected), "{expected} is not in {told}");
    }
    for hidden in ["data_key", "master_key_id", "value_hash"] {
        assert!(!told.contains(hidden), "{hidden} is in {told}");
    }
    // Page by page it is the same, and each record comes once.
    assert_eq!(export(&shop, &ana.member_id, 2).await, records);
    let others = shop.enrol(&[]).await;
    assert!(!texts(&export(&shop, &others.member_id, 500).await).contains("Anastasija"));
}

#[tokio::test]
async fn an_export_of_who_was_erased_tells_what_was_kept() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    erase(&shop, &ana.member_id).await;
    let records = export(&shop, &ana.member_id, 500).await;
    let told = texts(&records);
    assert!(!told.contains("Anastasija") && !told.contains("Dorćol"), "{told}");
    let kinds: Vec<&str> = records.iter().map(|(kind, _)| kind.as_str()).collect();
    assert!(
        kinds.contains(&"consent_receipt") && !kinds.contains(&"identifier"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn an_export_is_for_those_with_the_scope() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let weak = shop.world.key_of(shop.program, &[Scope::MembersRead]).await;
    let request = access::ExportPersonalDataRequest {
        member_id: ana.member_id.clone(),
        ..Default::default()
    };
    let denied = shop
        .world
        .personal_data(&weak)
        .export_personal_data(request)
        .await;
    assert_refused("weak", denied, Code::PermissionDenied, ErrorReason::ScopeMissing);
    let wrong = access::ExportPersonalDataRequest {
        member_id: "ana".to_owned(),
        page_size: -1,
        page_token: String::new(),
    };
    let wrong = shop
        .world
        .personal_data(&shop.auth)
        .export_personal_data(wrong)
        .await;
    assert_invalid("wrong", wrong, &["member_id", "page_size"]);
}

/// A key that a staff member holds.
async fn staff_key(shop: &Shop) -> (Auth, String) {
    let access = shop.world.key_of(shop.program, &[Scope::AccessWrite]).await;
    let request = pb::CreateStaffMemberRequest {
        request_id: request_id(),
        staff_member: Some(pb::StaffMember {
            display_name: "Vera at the desk".to_owned(),
            ..Default::default()
        }),
    };
    let created = shop
        .world
        .staff(&access)
        .create_staff_member(request)
        .await
        .expect("created");
    let staff = created.into_inner().staff_member.expect("it is answered");
    let new = NewApiKey {
        display_name: name("desk"),
        scopes: KeyScopes::of_program(vec![Scope::MembersRead]).expect("scopes"),
        staff_id: Some(staff.staff_id.parse().expect("an id")),
        expire_time: None,
    };
    let created = shop
        .world
        .operator
        .create_key(Some(shop.program), new)
        .await
        .expect("planted");
    let secret = created.secret.expect("it is new");
    (Auth::key(secret.expose()), staff.staff_id)
}

async fn reads(shop: &Shop, request: access::ListPersonalReadsRequest) -> Vec<access::PersonalRead> {
    let answer = shop.world.reads(&shop.auth).list_personal_reads(request).await;
    answer.expect("a page").into_inner().reads
}

#[tokio::test]
async fn what_staff_read_is_on_record_when_it_is_answered() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let nobody = shop.enrol(&[]).await;
    let (desk, staff_id) = staff_key(&shop).await;
    // Machines' reads are their own to account for.
    shop.get(&ana.member_id).await.unwrap();
    let everything = access::ListPersonalReadsRequest::default;
    assert_eq!(reads(&shop, everything()).await, []);

    let get = pb::GetMemberRequest {
        member_id: ana.member_id.clone(),
    };
    shop.world.members(&desk).get_member(get).await.unwrap();
    let noted = reads(&shop, everything()).await;
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].actor, format!("staff:{staff_id}"));
    assert_eq!(noted[0].member_id, ana.member_id);
    assert_eq!(noted[0].method, "/fealty.members.v1.MemberService/GetMember");
    let fields = [
        "profile.given_name",
        "profile.family_name",
        "profile.display_name",
        "profile.birth_date",
        "profile.place",
        "identifiers",
    ];
    assert_eq!(noted[0].fields, fields);

    // Of a page, everybody of whom something is told.
    let all = pb::ListMembersRequest::default();
    shop.world.members(&desk).list_members(all).await.unwrap();
    assert_eq!(reads(&shop, everything()).await.len(), 2);
    let of_nobody = access::ListPersonalReadsRequest {
        member_id: nobody.member_id,
        ..everything()
    };
    assert_eq!(reads(&shop, of_nobody).await, []);
    let first = access::ListPersonalReadsRequest {
        actor: format!("staff:{staff_id}"),
        page_size: 1,
        ..everything()
    };
    assert_eq!(
        reads(&shop, first).await[0].method,
        "/fealty.members.v1.MemberService/ListMembers"
    );
    let denied = shop.world.reads(&desk).list_personal_reads(everything()).await;
    assert_refused("desk", denied, Code::PermissionDenied, ErrorReason::ScopeMissing);
}

#[tokio::test]
async fn what_cannot_be_noted_is_not_answered() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let (desk, _) = staff_key(&shop).await;
    sqlx::query("ALTER TABLE personal_read ADD CONSTRAINT never CHECK (method = '')")
        .execute(&shop.world.database.owner)
        .await
        .unwrap();
    let get = pb::GetMemberRequest {
        member_id: ana.member_id.clone(),
    };
    let refused = shop.world.members(&desk).get_member(get).await;
    let (code, reason) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
    assert_refused("not noted", refused, code, reason);
}

#[tokio::test]
async fn an_export_is_on_record_whoever_asks() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    export(&shop, &ana.member_id, 500).await;
    let noted = reads(&shop, access::ListPersonalReadsRequest::default()).await;
    assert!(noted[0].actor.starts_with("key:"), "{noted:?}");
    assert!(noted[0].fields.contains(&"identifier".to_owned()), "{noted:?}");
}
