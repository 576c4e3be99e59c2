//! A look into the suite's own Redis, by its protocol: what the keys hold, whatever they are.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

/// Everything in the private Redis of a data folder: each key, and its value as Redis dumps it.
///
/// # Panics
/// When Redis does not answer.
#[must_use]
pub fn contents(data_dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let state = fs::read(data_dir.join("state.json")).expect("a data folder has its state");
    let state: serde_json::Value = serde_json::from_slice(&state).expect("it is JSON");
    let port = state["redis_port"].as_u64().expect("a private Redis");
    let settings = fs::read_to_string(data_dir.join("redis/redis.conf")).expect("a private Redis");
    let password = settings
        .lines()
        .find_map(|line| line.strip_prefix("requirepass "));
    let stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).expect("a port"))).expect("it answers");
    let mut redis = BufReader::new(stream);
    if let Some(password) = password {
        ask(&mut redis, &[b"AUTH", password.trim().as_bytes()]);
    }
    let keys = ask(&mut redis, &[b"KEYS", b"*"]);
    let dump = |key: Vec<u8>| {
        let value = ask(&mut redis, &[b"DUMP", &key]).pop().unwrap_or_default();
        (key, value)
    };
    keys.into_iter().map(dump).collect()
}

/// Sends a command and reads its answer: strings, however deep they lie.
fn ask(redis: &mut BufReader<TcpStream>, words: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    redis.get_mut().write_all(&command).expect("it listens");
    answer(redis)
}

fn answer(redis: &mut BufReader<TcpStream>) -> Vec<Vec<u8>> {
    let mut line = String::new();
    redis.read_line(&mut line).expect("an answer");
    let (kind, rest) = line.trim_end().split_at(1);
    match kind {
        "+" | ":" => vec![rest.as_bytes().to_vec()],
        "$" => {
            let Ok(length) = rest.parse::<usize>() else {
                // It ended meanwhile.
                return Vec::new();
            };
            let mut bytes = vec![0; length + 2];
            redis.read_exact(&mut bytes).expect("as long as it says");
            bytes.truncate(length);
            vec![bytes]
        }
        "*" => {
            let count: usize = rest.parse().expect("a number");
            (0..count).flat_map(|_| answer(redis)).collect()
        }
        _ => panic!("Redis answers {line:?}"),
    }
}
