//! A person who was erased is nowhere any more: every table of the four databases, Redis, the log, the spans, metrics and
//! lines that a collector got, and an export are searched for what they told; and the ledger still verifies.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use fealty::services::ServiceName;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    ContactAddress, ContactChannel, ContactPreferences, DisclosureBasis, EraseMemberRequest, Erasure,
    ErasureCause, ErasureState, GetErasureRequest, MemberStatus, Profile, RecordDisclosureRequest,
    SetContactPreferencesRequest, SetMemberStatusRequest,
};
use fealty_proto::rewards::v1::RedeemRewardRequest;
use fealty_proto::surveys::v1::{
    InvitationStatus, IssueInvitationTokenRequest, ListInvitationsRequest, SubmitAnswerRequest,
};
use fealty_proto::types::v1::Date;
use fealty_telemetry::Sink;
use fealty_testing::process::{Ended, Process};
use fealty_tests::bounded::{eventually, within};
use fealty_tests::offers::{offer_reward, open_survey};
use fealty_tests::redis;
use fealty_tests::shop::{Shop, purchase, request_id};
use fealty_tests::suite::{Options, Suite};

use crate::FEALTY;

const BOUND: Duration = Duration::from_mins(5);
/// An event, a transaction and a call in each of two services. The machine may be slow.
const ERASED_BOUND: Duration = Duration::from_mins(1);
/// Longest run of a command.
const COMMAND_BOUND: Duration = Duration::from_mins(1);

/// What the person tells the suite. None of it can stand there by chance.
const TOLD: [&str; 11] = [
    "Anastasija",
    "Petrović-Žikić",
    "1988-02-29",
    "Kuršumlija",
    "sr-Latn",
    "crm-4711-q",
    "4539148803436467",
    "442079460018",
    "anastasija.p@example.com",
    "3 Dorćol Street",
    "the waiter called me Naska",
];

async fn enrol(shop: &Shop) -> String {
    let profile = Profile {
        given_name: TOLD[0].to_owned(),
        family_name: TOLD[1].to_owned(),
        birth_date: Some(Date {
            year: 1988,
            month: 2,
            day: 29,
        }),
        place: TOLD[3].to_owned(),
        language_code: TOLD[4].to_owned(),
        ..Profile::default()
    };
    let mut request = shop.enrolment(vec![
        Value::ExternalId(TOLD[5].to_owned()),
        Value::CardNumber(TOLD[6].to_owned()),
        Value::PhoneNumber(format!("+{}", TOLD[7])),
        Value::EmailAddress(TOLD[8].to_owned()),
    ]);
    request.profile = Some(profile);
    let enrolled = shop.members.enrol_member(request).await.expect("enrolled");
    enrolled.into_message().member.expect("it is answered").member_id
}

/// Words about the person, wherever somebody can write some.
async fn write_about(shop: &Shop, member_id: &str) {
    let preferences = ContactPreferences {
        member_id: member_id.to_owned(),
        channels: vec![ContactChannel::Email.into(), ContactChannel::Paper.into()],
        addresses: vec![ContactAddress {
            channel: ContactChannel::Paper.into(),
            address: TOLD[9].to_owned(),
        }],
        ..ContactPreferences::default()
    };
    let request = SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(preferences),
    };
    shop.members.set_contact_preferences(request).await.expect("set");
    for status in [MemberStatus::Suspended, MemberStatus::Active] {
        let request = SetMemberStatusRequest {
            request_id: request_id(),
            member_id: member_id.to_owned(),
            status: status.into(),
            reason: format!("{} {} asked for it", TOLD[0], TOLD[1]),
        };
        shop.members.set_member_status(request).await.expect("set");
    }
    let request = RecordDisclosureRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        basis: DisclosureBasis::D.into(),
        recipient: format!("The court of {}", TOLD[3]),
        content: format!("All about {}", TOLD[0]),
        ..RecordDisclosureRequest::default()
    };
    shop.members.record_disclosure(request).await.expect("recorded");
}

/// Buys, gets a reward, is asked, and answers in their own words.
async fn take_part(shop: &Shop, member_id: &str) {
    shop.let_ask(member_id).await;
    let reward = offer_reward(shop, 1).await;
    let survey = open_survey(shop).await;
    let bought = shop
        .ledger
        .record_purchase(purchase(member_id, "r1", 500_000))
        .await;
    bought.expect("a purchase");
    let request = RedeemRewardRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        reward_id: reward.reward_id,
        expected_price: None,
    };
    shop.rewards.redeem_reward(request).await.expect("redeemed");
    let invitation = eventually("an invitation is due", ERASED_BOUND, async || {
        let listed = shop.surveys.list_invitations(ListInvitationsRequest {
            survey_id: survey.survey_id.clone(),
            member_id: member_id.to_owned(),
            ..ListInvitationsRequest::default()
        });
        let invitations = listed.await.expect("a list").into_message().invitations;
        invitations
            .into_iter()
            .find(|invitation| invitation.status() == InvitationStatus::Due)
    })
    .await;
    let issued = shop.surveys.issue_invitation_token(IssueInvitationTokenRequest {
        invitation_id: invitation.invitation_id,
    });
    let request = SubmitAnswerRequest {
        request_id: request_id(),
        token: issued.await.expect("a token").into_message().token,
        score: Some(10),
        follow_up_text: format!("{}, and I liked it", TOLD[10]),
    };
    shop.surveys.submit_answer(request).await.expect("an answer");
}

async fn erase(shop: &Shop, member_id: &str) -> Erasure {
    let request = EraseMemberRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        cause: ErasureCause::MemberRequest.into(),
    };
    let begun = shop
        .members
        .erase_member(request)
        .await
        .expect("erased")
        .into_message();
    let erasure_id = begun.erasure.expect("it is answered").erasure_id;
    eventually("all services have erased", ERASED_BOUND, async || {
        let request = GetErasureRequest {
            erasure_id: erasure_id.clone(),
        };
        let erasure = shop
            .members
            .get_erasure(request)
            .await
            .expect("there")
            .into_message();
        let erasure = erasure.erasure.expect("it is answered");
        (erasure.state() == ErasureState::Complete).then_some(erasure)
    })
    .await
}

/// Runs a command of the binary against the suite.
async fn run(suite: &Suite, shop: &Shop, arguments: &[&str]) -> Ended {
    let mut command = suite.command();
    command.args(arguments).env("FEALTY_KEY", &shop.key);
    for service in ServiceName::ALL {
        let variable = format!("FEALTY_{}_URL", service.as_str().to_uppercase());
        command.env(variable, suite.addresses().of(service));
    }
    let name = arguments.join(" ");
    let ended = tokio::task::spawn_blocking(move || Process::start(&name, command, None).wait(COMMAND_BOUND));
    let ended = ended.await.expect("it ends");
    assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
    ended
}

/// The document, read and written again, so that no escape hides anything.
async fn export(suite: &Suite, shop: &Shop, member_id: &str) -> serde_json::Value {
    let ended = run(suite, shop, &["person", "export", member_id]).await;
    serde_json::from_str(&ended.stdout).expect("one JSON document")
}

/// The text as it is, in hexadecimal as tables show bytes, and in base64.
fn disguises(text: &str) -> [String; 3] {
    let mut hexadecimal = String::new();
    for byte in text.bytes() {
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    let base64 = base64(text.as_bytes());
    [text.to_lowercase(), hexadecimal, base64.to_lowercase()]
}

/// Of whole groups of three bytes: the letters after them depend on what follows.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = bytes.chunks_exact(3).flat_map(|three| {
        let bits = three
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
    });
    whole.collect()
}

#[track_caller]
fn assert_silent(place: &str, text: &str) {
    let text = text.to_lowercase();
    for told in TOLD {
        for disguise in disguises(told) {
            assert!(!text.contains(&disguise), "{place} tells {told:?}, as {disguise}");
        }
    }
}

fn traced() -> (Sink, Suite) {
    let sink = Sink::start().expect("a collector");
    let mut options = Options::new(FEALTY);
    options.otlp_endpoint = Some(sink.endpoint());
    (sink, Suite::start(options))
}

/// The verification, by what `up` keeps of its databases.
async fn verify(suite: &Suite, shop: &Shop) {
    let folder: PathBuf = suite.data_dir().to_path_buf();
    let folder = folder.to_str().expect("a path of letters");
    run(suite, shop, &["verify", "--data-dir", folder]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_found_nowhere_and_the_ledger_still_verifies() {
    within(
        BOUND,
        Box::pin(async {
            let (sink, mut suite) = traced();
            let shop = Shop::open(&suite).await;
            let member_id = enrol(&shop).await;
            write_about(&shop, &member_id).await;
            take_part(&shop, &member_id).await;

            // All of it was there, in what four services answer as one document.
            let before = export(&suite, &shop, &member_id).await;
            let told = before.to_string();
            for expected in TOLD {
                assert!(told.contains(expected), "{expected} is not in {told}");
            }
            for (service, kind) in [
                ("members", "consent_receipt"),
                ("ledger", "transaction"),
                ("ledger", "purchase"),
                ("rewards", "redemption"),
                ("rewards", "voucher"),
                ("surveys", "answer"),
            ] {
                let records = before["services"][service].as_array().expect("records");
                assert!(
                    records.iter().any(|record| record["kind"] == kind),
                    "{service}: {kind}"
                );
            }

            let erasure = erase(&shop, &member_id).await;
            check_receipt(&suite, &shop, &erasure).await;
            assert_silent("the export", &export(&suite, &shop, &member_id).await.to_string());
            for (table, rows) in suite.database().contents().await {
                assert_silent(&table, &rows);
            }
            for (key, value) in redis::contents(suite.data_dir()) {
                assert_silent("Redis", &String::from_utf8_lossy(&key));
                assert_silent("Redis", &String::from_utf8_lossy(&value));
            }
            verify(&suite, &shop).await;
            let list = run(&suite, &shop, &["erasures", "list"]).await;
            assert!(list.stdout.contains(&erasure.erasure_id), "{}", list.stdout);

            let ended = suite.terminate();
            assert!(ended.status.success(), "{}\n{}", ended.status, ended.stderr);
            assert!(!sink.spans().is_empty(), "nothing was traced");
            assert_silent("a span", &format!("{:?}", sink.spans()));
            assert_silent("a metric", &format!("{:?}", sink.metrics()));
            assert_silent("a line that was sent", &format!("{:?}", sink.logs()));
            assert!(ended.stderr.len() + ended.stdout.len() > 0, "nothing was logged");
            assert_silent("the log", &ended.stderr);
            assert_silent("the log", &ended.stdout);
        }),
    )
    .await;
}

/// Signed by the key that an operator is shown, and about this person.
async fn check_receipt(suite: &Suite, shop: &Shop, erasure: &Erasure) {
    let receipt = erasure.receipt.clone().expect("it is complete");
    let folder = suite.data_dir().to_str().expect("a path of letters");
    let shown = run(suite, shop, &["erasures", "key", "--data-dir", folder]).await;
    let mut key = String::new();
    for byte in &receipt.public_key {
        let _ = write!(key, "{byte:02x}");
    }
    assert_eq!(shown.stdout.trim(), key);
    assert_eq!(receipt.signature.len(), 64);
    for service in ServiceName::ALL {
        assert!(
            receipt
                .text
                .contains(&format!("erased by {}: 2", service.as_str())),
            "{}",
            receipt.text
        );
    }
    assert!(receipt.text.contains(&erasure.member_id));
    assert_silent("the receipt", &receipt.text);
}
