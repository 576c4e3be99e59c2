//! Reflection and health, without a key.

use fealty_proto::members::v1::policy_service_server::SERVICE_NAME;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::fixture::Server;

#[tokio::test]
async fn v1_names_the_services_and_describes_them() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;

    let server = Server::start().await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let asks = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol(SERVICE_NAME.to_owned()),
    ]
    .map(|ask| v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(ask),
    });
    let mut answers = client
        .server_reflection_info(tokio_stream::iter(asks))
        .await
        .unwrap()
        .into_inner();

    let listed = answers
        .message()
        .await
        .unwrap()
        .and_then(|answer| answer.message_response);
    let Some(MessageResponse::ListServicesResponse(listed)) = listed else {
        panic!("no list: {listed:?}");
    };
    let names: Vec<_> = listed
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(
        names.contains(&SERVICE_NAME) && names.contains(&"grpc.health.v1.Health"),
        "{names:?}"
    );
    assert!(
        !names.contains(&"fealty.ledger.v1.UnitService"),
        "not served here: {names:?}"
    );

    let described = answers
        .message()
        .await
        .unwrap()
        .and_then(|answer| answer.message_response);
    assert!(
        matches!(described, Some(MessageResponse::FileDescriptorResponse(_))),
        "{described:?}"
    );
}

#[tokio::test]
async fn v1alpha_answers_too() {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;

    let server = Server::start().await;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client
        .server_reflection_info(tokio_stream::iter([ask]))
        .await
        .unwrap()
        .into_inner();
    let listed = answers
        .message()
        .await
        .unwrap()
        .and_then(|answer| answer.message_response);
    assert!(
        matches!(listed, Some(MessageResponse::ListServicesResponse(_))),
        "{listed:?}"
    );
}

#[tokio::test]
async fn health_needs_no_key() {
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel().await);
    assert!(client.check(HealthCheckRequest::default()).await.is_ok());
}
