//! `fealty health`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::run::{Outcome, fealty, output, printed, text};

/// Answers one request, and gives its first line.
fn answering(answer: &'static str) -> Result<(String, thread::JoinHandle<String>), std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/readyz", listener.local_addr()?);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a probe");
        let mut asked = [0; 1024];
        let count = stream.read(&mut asked).expect("a request");
        stream.write_all(answer.as_bytes()).expect("it listens");
        text(&asked[..count])
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    Ok((url, server))
}

#[test]
fn what_is_ready_is_told_and_so_is_what_is_not() -> Outcome {
    let (url, server) = answering("HTTP/1.1 200 OK\r\n\r\nready\n")?;
    assert_eq!(printed(fealty(["health", &url]))?, "ready\n");
    assert_eq!(server.join().map_err(|_| "it panicked")?, "GET /readyz HTTP/1.1");

    let (url, _server) = answering("HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready: draining\n")?;
    let refused = output(fealty(["health", &url]))?;
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains("503: not ready: draining"), "{told}");
    Ok(())
}

#[test]
fn nobody_there_is_a_failure_and_so_is_no_url() -> Outcome {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    for url in [
        format!("http://{free}/livez"),
        free.to_string(),
        format!("https://{free}/livez"),
    ] {
        assert_eq!(output(fealty(["health", &url]))?.status.code(), Some(1), "{url}");
    }
    Ok(())
}
