//! What the tables say of people: nothing.

use base64::Engine;
use fealty_members::ServeError;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_rpc::command_hash;
use fealty_runtime::Process;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_types::SystemClock;
use fealty_vault::MasterKeyError;
use tonic::Code;

use crate::harness::{PATIENCE, World, assert_refused, config, database, is_replayed, request_id};
use crate::shop::{Shop, card, email, enrolment, external_id, identifier, phone};

/// Everything personal that the test tells the service.
const SECRETS: [&str; 9] = [
    "Anastasija",
    "Petrović",
    "Naska",
    "1988-02-29",
    "sr-Latn",
    "Kuršumlija",
    "crm-4711-q",
    "4539148803436467",
    "442079460018",
];
const ADDRESS: &str = "anastasija.p@example.com";

async fn enrol_anastasija(shop: &Shop) -> pb::Member {
    let profile = pb::Profile {
        given_name: SECRETS[0].to_owned(),
        family_name: SECRETS[1].to_owned(),
        display_name: SECRETS[2].to_owned(),
        birth_date: Some(Date {
            year: 1988,
            month: 2,
            day: 29,
        }),
        language_code: SECRETS[4].to_owned(),
        place: SECRETS[5].to_owned(),
        ..Default::default()
    };
    let identifiers = [
        external_id(SECRETS[6]),
        card(SECRETS[7]),
        phone("+442079460018"),
        email(ADDRESS),
    ];
    let request = pb::EnrolMemberRequest {
        profile: Some(profile),
        ..enrolment(&identifiers)
    };
    let enrolled = shop.try_enrol(request).await.expect("enrolled");
    enrolled.into_inner().member.expect("a member")
}

/// The text, and what its bytes look like where a table shows them in hexadecimal or somebody wrote base64.
fn disguises(text: &str) -> [String; 3] {
    let hexadecimal: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(text);
    [text.to_lowercase(), hexadecimal.concat(), base64.to_lowercase()]
}

#[tokio::test]
async fn no_table_says_who_anybody_is() {
    let shop = Shop::open().await;
    let member = enrol_anastasija(&shop).await;
    let renamed = pb::Member {
        profile: Some(pb::Profile {
            place: "Kuršumlija".to_owned(),
            ..Default::default()
        }),
        ..member
    };
    shop.update(renamed, &["profile.place"]).await.unwrap();
    let contents = shop.world.contents().await;
    for secret in SECRETS.into_iter().chain([ADDRESS]) {
        for disguise in disguises(secret) {
            for (table, rows) in &contents {
                let rows = rows.as_deref().unwrap_or_default().to_lowercase();
                assert!(!rows.contains(&disguise), "{table} shows {secret} as {disguise}");
            }
        }
    }
}

/// What the table keeps of the commands of a method.
async fn stored_hashes(shop: &Shop, method: &str) -> Vec<Vec<u8>> {
    sqlx::query_scalar("SELECT command_hash FROM request WHERE method = $1")
        .bind(method)
        .fetch_all(&shop.world.database.owner)
        .await
        .expect("hashes")
}

#[tokio::test]
async fn what_is_kept_of_a_request_cannot_be_guessed_from_and_still_tells_a_retry() {
    const ENROL: &str = "/fealty.members.v1.MemberService/EnrolMember";
    const ADD: &str = "/fealty.members.v1.MemberService/AddIdentifier";
    let shop = Shop::open().await;
    let enrolling = enrolment(&[phone("+442079460018")]);
    let member = shop.try_enrol(enrolling.clone()).await.unwrap().into_inner();
    assert!(is_replayed(&shop.try_enrol(enrolling.clone()).await.unwrap()));
    let adding = pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id: member.member.unwrap().member_id,
        identifier: Some(identifier(phone("+442079460019"))),
    };
    let add = async |request: &pb::AddIdentifierRequest| {
        let mut members = shop.world.members(&shop.auth);
        members.add_identifier(request.clone()).await
    };
    add(&adding).await.unwrap();
    assert!(is_replayed(&add(&adding).await.unwrap()));
    let other = pb::AddIdentifierRequest {
        identifier: Some(identifier(phone("+442079460020"))),
        ..adding.clone()
    };
    let refused = add(&other).await;
    assert_refused(
        "reused",
        refused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );

    let plain = pb::EnrolMemberRequest {
        request_id: String::new(),
        ..enrolling
    };
    let stored = stored_hashes(&shop, ENROL).await;
    assert_eq!(stored.len(), 1);
    assert_ne!(stored[0], command_hash(ENROL, &plain));
    let plain = pb::AddIdentifierRequest {
        request_id: String::new(),
        ..adding
    };
    let stored = stored_hashes(&shop, ADD).await;
    assert_eq!(stored.len(), 1);
    assert_ne!(stored[0], command_hash(ADD, &plain));
}

#[tokio::test]
async fn a_ciphertext_moved_to_another_place_is_not_shown() {
    let shop = Shop::open().await;
    let member = enrol_anastasija(&shop).await;
    let swap = async |statement: &'static str| {
        sqlx::query(statement)
            .execute(&shop.world.database.owner)
            .await
            .unwrap();
        let refused = shop.get(&member.member_id).await;
        assert_refused(statement, refused, Code::Internal, ErrorReason::Internal);
        sqlx::query(statement)
            .execute(&shop.world.database.owner)
            .await
            .unwrap();
        assert!(shop.get(&member.member_id).await.is_ok());
    };
    swap("UPDATE member SET given_name = family_name, family_name = given_name").await;
    shop.enrol(&[]).await;
    swap("UPDATE member AS a SET data_key = b.data_key FROM member AS b WHERE a.member_id <> b.member_id")
        .await;
    // Two of one member's own identifiers.
    swap(
        "UPDATE identifier AS a SET value = b.value FROM identifier AS b \
         WHERE (a.kind, b.kind) IN (('CARD_NUMBER', 'PHONE_NUMBER'), ('PHONE_NUMBER', 'CARD_NUMBER'))",
    )
    .await;
}

#[tokio::test]
async fn a_service_without_a_master_key_does_not_start_and_says_how_to_make_one() {
    let database = database().await;
    let mut config = config(database.urls.service.clone(), database.urls.jobs.clone());
    for (text, expected) in [
        ("", MasterKeyError::Missing),
        ("hunter2", MasterKeyError::Malformed),
    ] {
        config.vault.master_key = Secret::new(text.to_owned());
        let process = Process::new(&DrainConfig::default());
        let refused = fealty_members::serve(&config, SystemClock::shared(), &process.tasks()).await;
        let error = refused.err().expect("it does not start");
        let ServeError::Settings { section, source } = &error else {
            panic!("{error}");
        };
        assert_eq!(*section, "vault.master_key");
        assert_eq!(source.downcast_ref::<MasterKeyError>(), Some(&expected));
        let told = error.to_string();
        assert!(
            told.contains("vault.master_key") && told.contains("openssl rand -base64 32"),
            "{told}"
        );
        assert!(!told.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_service_with_another_master_key_than_the_databases_ends() {
    let first = World::start().await;
    let config = config(
        first.database.urls.service.clone(),
        first.database.urls.jobs.clone(),
    );
    let process = Process::new(&DrainConfig::default());
    let serving = fealty_members::serve(&config, SystemClock::shared(), &process.tasks())
        .await
        .expect("it begins to start");
    let ending = process.tasks().soft_shutdown();
    let ended = tokio::time::timeout(PATIENCE, ending.cancelled()).await;
    assert!(ended.is_ok(), "the process goes on");
    assert!(!serving.health.readiness().is_ready());
    // The one that the database was begun with starts again.
    drop(first.start_replica(SystemClock::shared()).await);
}
