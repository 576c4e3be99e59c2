//! Asks a service how it is, as a probe does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A probe that takes longer has failed.
const PROBE_BOUND: Duration = Duration::from_secs(5);

/// The status and the text of an answer to a GET, or none.
#[must_use]
pub fn get(url: &str, path: &str) -> Option<(u16, String)> {
    let authority = url.strip_prefix("http://")?;
    let mut stream = TcpStream::connect_timeout(&authority.parse().ok()?, PROBE_BOUND).ok()?;
    stream.set_read_timeout(Some(PROBE_BOUND)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let code = answer.split_whitespace().nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((code, body.to_owned()))
}
