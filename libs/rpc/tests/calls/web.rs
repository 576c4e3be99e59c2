//! gRPC-Web over HTTP/1.1, as a browser speaks it.

use std::io;

use fealty_rpc::access::{ApiKeySecret, Nudge};
use fealty_rpc::server::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{PATIENCE, Server};

const PATH: &str = "/fealty.members.v1.PolicyService/ListPolicies";
/// A message of no bytes: not compressed, length 0.
const EMPTY_MESSAGE: [u8; 5] = [0; 5];

async fn http1(server: &Server, head: &str, body: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(server.address).await?;
    let head = format!(
        "{head}\r\nhost: shop\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("an end")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn call(server: &Server, key: Option<&ApiKeySecret>, extra: &str) -> String {
    let authorization = key.map_or_else(String::new, |key| {
        format!("\r\nauthorization: Bearer {}", key.expose())
    });
    let head =
        format!("POST {PATH} HTTP/1.1\r\ncontent-type: application/grpc-web+proto{authorization}{extra}");
    http1(server, &head, &EMPTY_MESSAGE).await.expect("an answer")
}

async fn start_for_shop() -> Server {
    let config = ServerConfig {
        web_origins: vec!["https://shop.example".to_owned()],
        ..ServerConfig::default()
    };
    Server::start_with(config, |_| Nudge::none()).await
}

#[tokio::test]
async fn a_web_call_is_answered() {
    let server = Server::start().await;
    let answer = call(&server, Some(&server.key()), "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("grpc-status:0") && answer.contains(&server.program_id.to_string()),
        "{answer}"
    );
}

#[tokio::test]
async fn a_web_call_is_refused_with_a_reason() {
    let server = Server::start().await;
    let answer = call(&server, None, "").await;
    assert!(
        answer.contains("grpc-status: 16") && answer.contains("grpc-status-details-bin"),
        "{answer}"
    );
}

#[tokio::test]
async fn only_pages_of_allowed_origins_may_call() {
    let server = start_for_shop().await;
    let key = server.key();
    let answer = call(&server, Some(&key), "\r\norigin: https://shop.example").await;
    assert!(
        answer.contains("access-control-allow-origin: https://shop.example"),
        "{answer}"
    );
    let answer = call(&server, Some(&key), "\r\norigin: https://evil.example").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let server = start_for_shop().await;
    let head = format!(
        "OPTIONS {PATH} HTTP/1.1\r\norigin: https://shop.example\r\naccess-control-request-method: POST"
    );
    let answer = http1(&server, &head, &[]).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 204") && answer.contains("access-control-allow-headers"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_not_grpc_is_turned_away() {
    let server = Server::start().await;
    let answer = http1(&server, "GET / HTTP/1.1", &[]).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
