//! TLS from files, with and without certificates of the callers.

use std::path::{Path, PathBuf};

use fealty_proto::members::v1::policy_service_client::PolicyServiceClient;
use fealty_rpc::access::Nudge;
use fealty_rpc::server::{ServerConfig, TlsConfig};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::fixture::{Server, list, with_key};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn certificate() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    (cert.pem(), signing_key.serialize_pem())
}

async fn start(tls: TlsConfig) -> Server {
    let config = ServerConfig {
        tls: Some(tls),
        ..ServerConfig::default()
    };
    Server::start_with(config, |_| Nudge::none()).await
}

fn client(server: &Server, tls: ClientTlsConfig) -> PolicyServiceClient<Channel> {
    let endpoint =
        Endpoint::from_shared(format!("https://localhost:{}", server.address.port())).expect("a URI");
    PolicyServiceClient::new(endpoint.tls_config(tls).expect("a TLS config").connect_lazy())
}

#[tokio::test]
async fn a_call_over_tls_is_answered_and_one_without_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    let server = start(TlsConfig {
        certificate_path: write(folder.path(), "cert.pem", &certificate),
        key_path: write(folder.path(), "key.pem", &key),
        client_ca_path: None,
    })
    .await;
    let api_key = server.key();
    let mut trusting = client(
        &server,
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate)),
    );
    assert!(trusting.list_policies(with_key(list(""), &api_key)).await.is_ok());

    let plain = Endpoint::from_shared(format!("http://{}", server.address))
        .unwrap()
        .connect_lazy();
    assert!(
        PolicyServiceClient::new(plain)
            .list_policies(with_key(list(""), &api_key))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn callers_show_a_certificate_where_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    let (client_certificate, client_key) = self::certificate();
    let server = start(TlsConfig {
        certificate_path: write(folder.path(), "cert.pem", &certificate),
        key_path: write(folder.path(), "key.pem", &key),
        client_ca_path: Some(write(folder.path(), "ca.pem", &client_certificate)),
    })
    .await;
    let api_key = server.key();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate));
    assert!(
        client(&server, tls.clone())
            .list_policies(with_key(list(""), &api_key))
            .await
            .is_err()
    );
    let known = tls.identity(Identity::from_pem(&client_certificate, &client_key));
    let answer = client(&server, known)
        .list_policies(with_key(list(""), &api_key))
        .await;
    assert!(answer.is_ok(), "{answer:?}");
}
