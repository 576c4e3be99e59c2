//! Member tokens: for one member, for some minutes, for what says so.

use std::time::Duration;

use chrono::TimeDelta;
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::{GetBalanceRequest, GetBalanceResponse};
use fealty_proto::members::v1::{GetPolicyRequest, PublishPolicyRequest};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::{ApiKeySecret, MEMBER_TOKEN_LIFE_MAX, MemberGrant};
use fealty_rpc::server::CompressionEncoding;
use fealty_types::{MemberId, ProgramId};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::fixture::{Server, assert_refused, id, list, with_header};

const ME: u128 = 50;
const SOMEBODY: u128 = 51;

fn grant(server: &Server) -> MemberGrant {
    MemberGrant {
        token_id: Uuid::from_u128(9),
        program_id: server.program_id,
        member_id: id(ME),
        scopes: vec![Scope::LedgerRead, Scope::PoliciesRead],
        issue_time: server.now(),
        expire_time: server.now() + TimeDelta::minutes(15),
    }
}

/// A key that may issue tokens, and read what they read.
fn issuer(server: &Server) -> ApiKeySecret {
    server.key_with(|record| {
        record.scopes = vec![
            Scope::MemberTokensWrite,
            Scope::LedgerRead,
            Scope::PoliciesRead,
            Scope::PoliciesWrite,
        ];
    })
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    with_header(Request::new(message), "authorization", &format!("Bearer {token}"))
}

fn balance_of(member: impl Into<String>) -> GetBalanceRequest {
    GetBalanceRequest {
        owner_id: member.into(),
        version_owner_id: "points".to_owned(),
        ..Default::default()
    }
}

fn text(member: u128) -> String {
    id::<MemberId>(member).to_string()
}

async fn balance(server: &Server, token: &str, of: String) -> Result<GetBalanceResponse, Status> {
    let mut client = BalanceServiceClient::new(server.channel().await);
    let answer = client.get_balance(with_token(balance_of(of), token)).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn a_member_sees_what_is_theirs_and_what_is_everybodys() {
    let server = Server::start().await;
    let token = issuer(&server).sign_member_token(&grant(&server)).unwrap();
    let answer = balance(&server, &token, text(ME)).await.expect("theirs");
    // The stub says who called, and what reached it.
    let balance = answer.balance.expect("a balance");
    assert_eq!(balance.owner_id, format!("member:{} points", text(ME)));
    let mut policies = server.policies().await;
    policies
        .get_policy(with_token(GetPolicyRequest::default(), &token))
        .await
        .expect("everybody's");
}

#[tokio::test]
async fn nobody_else_is_shown_by_it() {
    let server = Server::start().await;
    let token = issuer(&server).sign_member_token(&grant(&server)).unwrap();
    for other in [text(SOMEBODY), String::new(), "me".to_owned()] {
        let refused = balance(&server, &token, other).await;
        assert_refused(refused, Code::PermissionDenied, ErrorReason::MemberTokenDenied);
    }
}

#[tokio::test]
async fn methods_that_do_not_say_so_take_none() {
    let server = Server::start().await;
    let issuer = issuer(&server);
    let token = issuer
        .sign_member_token(&MemberGrant {
            scopes: vec![Scope::PoliciesRead, Scope::PoliciesWrite],
            ..grant(&server)
        })
        .unwrap();
    let mut policies = server.policies().await;
    let listed = policies.list_policies(with_header(list(""), "authorization", &format!("Bearer {token}")));
    assert_refused(
        listed.await,
        Code::PermissionDenied,
        ErrorReason::MemberTokenDenied,
    );
    let published = policies.publish_policy(with_token(PublishPolicyRequest::default(), &token));
    assert_refused(
        published.await,
        Code::PermissionDenied,
        ErrorReason::MemberTokenDenied,
    );
}

#[tokio::test]
async fn a_token_may_do_what_both_it_and_its_key_may() {
    let server = Server::start().await;
    let narrow = issuer(&server)
        .sign_member_token(&MemberGrant {
            scopes: vec![Scope::PoliciesRead],
            ..grant(&server)
        })
        .unwrap();
    let refused = balance(&server, &narrow, text(ME)).await;
    assert_refused(refused, Code::PermissionDenied, ErrorReason::ScopeMissing);

    let poor = server.key_with(|record| record.scopes = vec![Scope::MemberTokensWrite]);
    let wide = poor.sign_member_token(&grant(&server)).unwrap();
    let refused = balance(&server, &wide, text(ME)).await;
    assert_refused(refused, Code::PermissionDenied, ErrorReason::ScopeMissing);
}

#[tokio::test]
async fn a_key_that_may_not_issue_tokens_has_signed_none() {
    let server = Server::start().await;
    let without_scope = server.key_with(|record| record.scopes = vec![Scope::LedgerRead]);
    let without_public_key = server.key_with(|record| {
        record.scopes = vec![Scope::LedgerRead, Scope::MemberTokensWrite];
        record.token_public_key = None;
    });
    let of_the_suite = server.key_with(|record| {
        record.scopes = vec![Scope::LedgerRead, Scope::MemberTokensWrite];
        record.program_id = None;
    });
    let unknown = ApiKeySecret::generate(&mut rand::rng());
    for key in [without_scope, without_public_key, of_the_suite, unknown] {
        let token = key.sign_member_token(&grant(&server)).unwrap();
        let refused = balance(&server, &token, text(ME)).await;
        assert_refused(refused, Code::Unauthenticated, ErrorReason::KeyInvalid);
    }
}

#[tokio::test]
async fn a_token_for_another_program_or_for_longer_than_any_is_none() {
    let server = Server::start().await;
    let issuer = issuer(&server);
    let elsewhere = MemberGrant {
        program_id: id::<ProgramId>(2),
        ..grant(&server)
    };
    let for_ever = MemberGrant {
        expire_time: server.now() + MEMBER_TOKEN_LIFE_MAX + TimeDelta::seconds(1),
        ..grant(&server)
    };
    let of_the_future = MemberGrant {
        issue_time: server.now() + TimeDelta::days(1),
        expire_time: server.now() + TimeDelta::days(1) + TimeDelta::minutes(1),
        ..grant(&server)
    };
    for grant in [elsewhere, for_ever, of_the_future] {
        let token = issuer.sign_member_token(&grant).unwrap();
        let refused = balance(&server, &token, text(ME)).await;
        assert_refused(refused, Code::Unauthenticated, ErrorReason::KeyInvalid);
    }
}

#[tokio::test]
async fn a_token_ends_by_itself_and_with_its_key() {
    let server = Server::start().await;
    let issuer = issuer(&server);
    let token = issuer.sign_member_token(&grant(&server)).unwrap();
    server.clock.advance(TimeDelta::minutes(15));
    let refused = balance(&server, &token, text(ME)).await;
    assert_refused(refused, Code::Unauthenticated, ErrorReason::MemberTokenExpired);

    let token = issuer.sign_member_token(&grant(&server)).unwrap();
    balance(&server, &token, text(ME)).await.expect("a fresh one");
    let now = server.now();
    let keys = &server.records.keys;
    keys.lock()
        .unwrap()
        .get_mut(issuer.short_id())
        .unwrap()
        .revoke_time = Some(now);
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let refused = balance(&server, &token, text(ME)).await;
    assert_refused(refused, Code::Unauthenticated, ErrorReason::KeyRevoked);
}

#[tokio::test]
async fn a_compressed_request_and_one_too_large_are_refused() {
    let server = Server::start().await;
    let token = issuer(&server).sign_member_token(&grant(&server)).unwrap();
    let mut client =
        BalanceServiceClient::new(server.channel().await).send_compressed(CompressionEncoding::Gzip);
    let refused = client.get_balance(with_token(balance_of(text(ME)), &token)).await;
    assert_refused(refused, Code::PermissionDenied, ErrorReason::MemberTokenDenied);

    let mut client = BalanceServiceClient::new(server.channel().await);
    let large = GetBalanceRequest {
        version_owner_id: "x".repeat(70_000),
        ..balance_of(text(ME))
    };
    let refused = client.get_balance(with_token(large, &token)).await;
    assert_refused(refused, Code::ResourceExhausted, ErrorReason::MessageTooLarge);
}
