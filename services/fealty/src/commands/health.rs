//! `fealty health`: a probe for images that have nothing else in them.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::tool;

/// How long each step may take: below what probes are usually given.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Longest answer that is read: a line for each check that fails, and room.
const ANSWER_BYTES_MAX: u64 = 16_384;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A service's admin address and path, such as `http://127.0.0.1:9102/readyz`.
    #[arg(value_name = "URL")]
    pub url: String,
}

/// Asks a service how it is, and prints what it says. Fails unless the answer is 200.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    tool::report(ask(&args.url))
}

fn ask(url: &str) -> anyhow::Result<bool> {
    let named = url.strip_prefix("http://").and_then(|rest| {
        let (authority, path) = rest.split_once('/')?;
        Some((authority, format!("/{path}")))
    });
    let Some((authority, path)) = named else {
        bail!("{url:?} is not of the form http://host:port/path");
    };
    let answer = get(authority, &path).with_context(|| format!("{authority} does not answer"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let Some(status) = head.split_whitespace().nth(1) else {
        bail!("{authority} does not speak HTTP");
    };
    if status != "200" {
        bail!("{status}: {}", body.trim());
    }
    tool::print_line(body.trim())?;
    Ok(true)
}

fn get(authority: &str, path: &str) -> anyhow::Result<String> {
    let address = authority.to_socket_addrs()?.next().context("it has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // In one piece: whoever answers early and closes must not break the rest off.
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
