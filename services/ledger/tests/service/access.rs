//! Who may call: every method refuses who may not, with the exact reason, before anything else.

use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{ApiKeyId, Clock, SystemClock};
use tonic::{Code, Request, Status};

use super::harness::{Ledger, new_id, plant_key, plant_program, with_key};
use super::messages::{purchase_of, refund_of};
use super::refusals::refusal;

/// Calls each method of the rooms whose tests lie here with whatever `with` puts around a message.
async fn call_each(
    ledger: &Ledger,
    with: impl Fn() -> Box<dyn Fn(&mut tonic::metadata::MetadataMap)>,
) -> Vec<(&'static str, Status)> {
    macro_rules! calls {
        ($($client:ident.$method:ident($message:expr)),* $(,)?) => {{
            let mut refusals = Vec::new();
            $(
                let mut request = Request::new($message);
                with()(request.metadata_mut());
                let answer = ledger.$client().$method(request).await;
                refusals.push((stringify!($method), answer.expect_err(stringify!($method))));
            )*
            refusals
        }};
    }
    calls!(
        units.create_unit(pb::CreateUnitRequest::default()),
        units.get_unit(pb::GetUnitRequest::default()),
        units.update_unit(pb::UpdateUnitRequest::default()),
        units.list_units(pb::ListUnitsRequest::default()),
        rules.create_earning_rule(pb::CreateEarningRuleRequest::default()),
        rules.get_earning_rule(pb::GetEarningRuleRequest::default()),
        rules.end_earning_rule(pb::EndEarningRuleRequest::default()),
        rules.list_earning_rules(pb::ListEarningRulesRequest::default()),
        purchases.record_purchase(purchase_of(&new_id(), 1)),
        purchases.refund_purchase(refund_of(&new_id(), 1)),
        purchases.get_purchase(pb::GetPurchaseRequest::default()),
        purchases.list_purchases(pb::ListPurchasesRequest::default()),
        purchases.summarize_purchases(pb::SummarizePurchasesRequest::default()),
    )
}

async fn assert_each_refused(ledger: &Ledger, key: Option<&str>, code: Code, reason: ErrorReason) {
    let before = ledger.contents().await;
    let refusals = call_each(ledger, || {
        let key = key.map(ToOwned::to_owned);
        Box::new(move |metadata| {
            if let Some(key) = &key {
                metadata.insert(
                    "authorization",
                    format!("Bearer {key}").parse().expect("a header"),
                );
            }
        })
    })
    .await;
    for (method, status) in refusals {
        assert_eq!(refusal(Err::<(), _>(status)), (code, reason), "{method}");
    }
    assert_eq!(ledger.contents().await, before);
}

#[tokio::test]
async fn every_method_refuses_who_has_no_key_or_none_that_holds() {
    let ledger = Ledger::start().await;
    assert_each_refused(&ledger, None, Code::Unauthenticated, ErrorReason::KeyMissing).await;
    assert_each_refused(
        &ledger,
        Some("nonsense"),
        Code::Unauthenticated,
        ErrorReason::KeyInvalid,
    )
    .await;
    let unknown = ApiKeySecret::generate(&mut rand::rng());
    let unknown = Some(unknown.expose());
    assert_each_refused(&ledger, unknown, Code::Unauthenticated, ErrorReason::KeyInvalid).await;

    let revoked = plant_key(&ledger.database, ledger.shop.program, &[Scope::UnitsRead]).await;
    revoke_all_but(&ledger, &ledger.shop.key).await;
    assert_each_refused(
        &ledger,
        Some(&revoked),
        Code::Unauthenticated,
        ErrorReason::KeyRevoked,
    )
    .await;
}

async fn revoke_all_but(ledger: &Ledger, key: &str) {
    let kept = ApiKeySecret::parse(key).expect("a key");
    sqlx::query("UPDATE api_key SET revoke_time = $1 WHERE short_id <> $2")
        .bind(SystemClock.now())
        .bind(kept.short_id())
        .execute(&ledger.database.jobs)
        .await
        .expect("revoked");
}

#[tokio::test]
async fn every_method_refuses_a_key_without_its_scope() {
    let ledger = Ledger::start().await;
    let key = plant_key(&ledger.database, ledger.shop.program, &[Scope::PoliciesRead]).await;
    assert_each_refused(
        &ledger,
        Some(&key),
        Code::PermissionDenied,
        ErrorReason::ScopeMissing,
    )
    .await;
}

#[tokio::test]
async fn a_key_names_no_other_program_than_its_own() {
    let ledger = Ledger::start().await;
    let stranger = plant_program(&ledger.database, "UTC", "EUR").await;
    let mut request = ledger.call(pb::ListUnitsRequest::default());
    let program = stranger.program.to_string().parse().expect("a header");
    request.metadata_mut().insert("fealty-program-id", program);
    let denied = ledger.units().list_units(request).await;
    assert_eq!(
        refusal(denied),
        (Code::PermissionDenied, ErrorReason::ProgramDenied)
    );
}

#[tokio::test]
async fn a_key_of_somebody_inactive_and_a_key_of_an_inactive_program_are_refused() {
    let ledger = Ledger::start().await;
    let staff_id = ApiKeyId::generate(&SystemClock).as_uuid();
    let key = plant_key(&ledger.database, ledger.shop.program, &[Scope::UnitsRead]).await;
    let short_id = ApiKeySecret::parse(&key).expect("a key").short_id().to_owned();
    sqlx::query("UPDATE api_key SET staff_id = $1 WHERE short_id = $2")
        .bind(staff_id)
        .bind(short_id)
        .execute(&ledger.database.jobs)
        .await
        .expect("somebody's key");
    let request = with_key(&key, pb::ListUnitsRequest::default());
    let unheard_of = ledger.units().list_units(request).await;
    assert_eq!(
        refusal(unheard_of),
        (Code::FailedPrecondition, ErrorReason::StaffInactive)
    );

    let closed = plant_program(&ledger.database, "UTC", "EUR").await;
    sqlx::query("UPDATE program SET active = false WHERE program = $1")
        .bind(closed.program.as_uuid())
        .execute(&ledger.database.jobs)
        .await
        .expect("inactive");
    let refused = ledger
        .units()
        .list_units(closed.call(pb::ListUnitsRequest::default()))
        .await;
    assert_eq!(
        refusal(refused),
        (Code::FailedPrecondition, ErrorReason::ProgramInactive)
    );
}

#[tokio::test]
async fn a_key_of_the_whole_suite_names_the_program_of_each_call() {
    let ledger = Ledger::start().await;
    let key = plant_key(&ledger.database, ledger.shop.program, &[Scope::UnitsRead]).await;
    let short_id = ApiKeySecret::parse(&key).expect("a key").short_id().to_owned();
    sqlx::query("UPDATE api_key SET program = $1 WHERE short_id = $2")
        .bind(uuid::Uuid::nil())
        .bind(short_id)
        .execute(&ledger.database.jobs)
        .await
        .expect("a key of the suite");
    let request = with_key(&key, pb::ListUnitsRequest::default());
    let unnamed = ledger.units().list_units(request).await;
    assert_eq!(
        refusal(unnamed),
        (Code::InvalidArgument, ErrorReason::ProgramRequired)
    );
    let mut request = with_key(&key, pb::ListUnitsRequest::default());
    let program = ledger.shop.program.to_string().parse().expect("a header");
    request.metadata_mut().insert("fealty-program-id", program);
    ledger.units().list_units(request).await.expect("named");
}

#[tokio::test]
async fn a_message_of_five_megabytes_is_refused() {
    let ledger = Ledger::start().await;
    let before = ledger.contents().await;
    let large = pb::RefundPurchaseRequest {
        reason: "x".repeat(5 * 1024 * 1024),
        ..refund_of(&new_id(), 1)
    };
    let refused = ledger.purchases().refund_purchase(ledger.call(large)).await;
    assert_eq!(
        refusal(refused),
        (Code::ResourceExhausted, ErrorReason::MessageTooLarge)
    );
    assert_eq!(ledger.contents().await, before);
}
