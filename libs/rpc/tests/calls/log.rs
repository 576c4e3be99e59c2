//! Each call is one line, and no line holds a secret.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::Server;

/// What all tests of this binary log. Collected for the whole process, because `tracing` remembers of each place whether
/// anybody listens: a listener of one thread comes too late now and then.
static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
    lines
});

/// Listens from now on. Every server of the tests begins with it.
pub fn listen() {
    LazyLock::force(&LINES);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("text")
    }

    /// The lines about calls with that key.
    fn of_calls_with(&self, short_id: &str) -> Vec<serde_json::Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines
            .filter(|line: &serde_json::Value| {
                line["target"] == "fealty::call" && line["fields"]["key"] == short_id
            })
            .map(|mut line| line["fields"].take())
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
    let server = Server::start().await;
    let key = server.key();
    assert!(server.wish(&key, "the payload").await.is_ok());
    assert!(server.wish(&key, "bare").await.is_err());

    let calls = LINES.of_calls_with(key.short_id());
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[0]["method"], "fealty.members.v1.PolicyService/ListPolicies");
    assert_eq!(calls[0]["code"], "OK");
    assert_eq!(calls[0]["program"], server.program_id.to_string());
    assert!(
        calls[0]["duration_ms"]
            .as_f64()
            .is_some_and(|duration| duration > 0.0)
    );
    assert_eq!(
        (&calls[1]["code"], &calls[1]["reason"]),
        (&"INTERNAL".into(), &"INTERNAL".into())
    );

    let text = LINES.text();
    assert!(
        text.contains("the database's password"),
        "what callers are not shown is in the log"
    );
    assert!(!text.contains(key.expose()) && !text.contains("the payload"));
}
