//! Each call is one line, and no line holds a secret.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::Server;

/// Collects what is logged by the thread that the test runs on.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn of_calls(&self) -> Vec<serde_json::Value> {
        let bytes = self.0.lock().expect("not poisoned").clone();
        let lines = String::from_utf8(bytes).expect("text");
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        lines
            .filter(|line: &serde_json::Value| line["target"] == "fealty::call")
            .collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn each_call_is_one_line_without_payload_or_secret() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(lines.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let server = Server::start().await;
    let key = server.key();
    assert!(server.wish(&key, "the payload").await.is_ok());
    assert!(
        server
            .wish(&server.key_with(|record| record.scopes.clear()), "the payload")
            .await
            .is_err()
    );

    let calls = lines.of_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    let fields = &calls[0]["fields"];
    assert_eq!(fields["method"], "fealty.members.v1.PolicyService/ListPolicies");
    assert_eq!(fields["code"], "OK");
    assert_eq!(fields["key"], key.short_id());
    assert_eq!(fields["program"], server.program_id.to_string());
    assert!(
        fields["duration_ms"]
            .as_f64()
            .is_some_and(|duration| duration > 0.0)
    );
    assert_eq!(calls[1]["fields"]["reason"], "SCOPE_MISSING");

    let everything = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        !everything.contains(key.expose()) && !everything.contains("the payload"),
        "{everything}"
    );
}
