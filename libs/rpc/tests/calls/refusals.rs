//! Every error says why.

use fealty_proto::members::v1::ListPoliciesResponse;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::server::ServerConfig;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use fealty_rpc::access::Nudge;

use crate::fixture::{Server, assert_refused, list, with_key};

/// Calls any path with a message that is one text field of number 1.
async fn call_raw(server: &Server, path: &'static str) -> Result<ListPoliciesResponse, tonic::Status> {
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    grpc.ready().await.expect("a connection");
    let request = with_key(Request::new("text".to_owned()), &server.key());
    let codec = ProstCodec::<String, ListPoliciesResponse>::default();
    Ok(grpc
        .unary(request, PathAndQuery::from_static(path), codec)
        .await?
        .into_inner())
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let server = Server::start().await;
    // Field 1 of the request is a number, not a text.
    let answer = call_raw(&server, "/fealty.members.v1.PolicyService/ListPolicies").await;
    let status = assert_refused(answer, Code::InvalidArgument, ErrorReason::InvalidFields);
    assert!(status.get_details_bad_request().is_some());
}

#[tokio::test]
async fn unknown_methods_and_services_say_so() {
    let server = Server::start().await;
    for path in [
        "/fealty.members.v1.PolicyService/Nothing",
        "/fealty.members.v1.Nothing/ListPolicies",
        // In the protos, not served here.
        "/fealty.ledger.v1.UnitService/ListUnits",
        "/grpc.health.v1.Health/Nothing",
        "/",
    ] {
        assert_refused(
            call_raw(&server, path).await,
            Code::Unimplemented,
            ErrorReason::MethodUnknown,
        );
    }
}

#[tokio::test]
async fn five_megabytes_are_too_large() {
    let server = Server::start().await;
    let answer = server.wish(&server.key(), &"x".repeat(5 * 1024 * 1024)).await;
    let status = assert_refused(answer, Code::ResourceExhausted, ErrorReason::MessageTooLarge);
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(info.metadata["size_max_bytes"], (4 * 1024 * 1024).to_string());
}

#[tokio::test]
async fn what_unpacks_to_too_much_is_too_large() {
    let config = ServerConfig {
        message_size_max_bytes: 100_000,
        ..ServerConfig::default()
    };
    let server = Server::start_with(config, |_| Nudge::none()).await;
    let mut client = server
        .policies()
        .await
        .send_compressed(tonic::codec::CompressionEncoding::Gzip);
    let answer = client
        .list_policies(with_key(list(&"x".repeat(1_000_000)), &server.key()))
        .await;
    assert_refused(answer, Code::ResourceExhausted, ErrorReason::MessageTooLarge);
}

#[tokio::test]
async fn a_panic_costs_one_call_and_tells_nothing() {
    let server = Server::start().await;
    let key = server.key();
    let mut client = server.policies().await;
    let answer = client.list_policies(with_key(list("panic"), &key)).await;
    let status = assert_refused(answer, Code::Internal, ErrorReason::Internal);
    assert!(!status.message().contains("1234"));
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(info.metadata["trace_id"].len(), 32);
    assert!(
        client.list_policies(with_key(list(""), &key)).await.is_ok(),
        "the connection lives on"
    );
}

#[tokio::test]
async fn a_fault_without_a_reason_tells_nothing() {
    let server = Server::start().await;
    let answer = server.wish(&server.key(), "bare").await;
    let status = assert_refused(answer, Code::Internal, ErrorReason::Internal);
    assert!(!status.message().contains("1234"));
}

#[tokio::test]
async fn gzip_is_taken() {
    let server = Server::start().await;
    let mut client = server
        .policies()
        .await
        .send_compressed(tonic::codec::CompressionEncoding::Gzip);
    assert!(
        client
            .list_policies(with_key(list(""), &server.key()))
            .await
            .is_ok()
    );
}
