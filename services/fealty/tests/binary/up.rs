//! `fealty up`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::{Outcome, Running, Up, output, printed, processes_naming, servers, text, until, up};

/// A request of HTTP/1 to health and metrics.
fn get(url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let address = url.trim_start_matches("http://");
    let (address, path) = address.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_open(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).is_ok()
}

#[test]
fn the_printed_call_answers_and_ctrl_c_leaves_nothing() -> Outcome {
    let mut suite = Up::start(["--ephemeral"])?;

    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(&suite.first_call)
        .current_dir("/")
        .env_clear();
    let answer = printed(shell)?;
    assert!(answer.contains(&suite.program_id), "{answer}");

    let units = suite.call(&suite.key, "UnitService/ListUnits", "{}")?;
    assert!(units.status.success(), "{}", text(&units.stderr));
    for admin in &suite.admins {
        assert!(get(&format!("{admin}/readyz"))?.ends_with("ready\n"));
        assert!(get(&format!("{admin}/metrics"))?.contains("rpc_server_call_duration"));
    }

    suite.end(Signal::SIGINT)?;
    assert!(!suite.folder.exists());
    assert!(!suite.urls.iter().any(|url| is_open(url)));
    until("no process is left", || {
        processes_naming(&suite.folder).is_empty()
    })
}

#[test]
fn a_killed_suite_starts_again_with_its_key_and_a_second_one_is_told_what_runs() -> Outcome {
    let parent = tempfile::Builder::new().prefix("fealty-up-").tempdir_in("/tmp")?;
    let folder = parent.path().join("data");
    let folder_text = folder.to_str().ok_or("no text")?;
    open_to_all(parent.path())?;
    let mut first = Up::start(["--data-dir", folder_text])?;

    let second = output(up(["--data-dir", folder_text]))?;
    let told = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains(&first.running.id().to_string()), "{told}");
    for url in &first.urls {
        assert!(told.contains(url.trim_start_matches("http://")), "{told}");
    }

    first.running.signal(Signal::SIGKILL)?;
    first.running.wait()?;
    let mut again = Up::start(["--data-dir", folder_text])?;
    assert_eq!((&again.key, &again.program_id), (&first.key, &first.program_id));
    for method in ["ProgramService/GetProgram", "UnitService/ListUnits"] {
        let answer = again.call(&first.key, method, "{}")?;
        assert!(answer.status.success(), "{}", text(&answer.stderr));
    }

    again.end(Signal::SIGTERM)?;
    assert!(!folder.join("fealty.lock").exists());
    until("no process is left", || processes_naming(&folder).is_empty())
}

#[test]
fn a_private_server_that_is_killed_is_started_again_where_it_was() -> Outcome {
    let mut suite = Up::start(["--ephemeral"])?;
    for name in ["redis", "postgres"] {
        let pid_file = suite.folder.join("run").join(format!("{name}.pid"));
        let killed = pid_in(&pid_file)?;
        kill(killed, Signal::SIGKILL)?;
        until("another one runs", || {
            pid_in(&pid_file).is_ok_and(|pid| pid != killed)
        })?;
        suite
            .running
            .until_it_says(&format!("the private {name} has ended"))?;
        until("calls are answered", || {
            let answer = suite.call(&suite.key, "UnitService/ListUnits", "{}");
            answer.is_ok_and(|answer| answer.status.success())
        })?;
    }
    until("all are ready", || {
        let mut answers = suite.admins.iter().map(|admin| get(&format!("{admin}/readyz")));
        answers.all(|answer| answer.is_ok_and(|answer| answer.ends_with("ready\n")))
    })?;
    suite.end(Signal::SIGTERM)?;
    until("no process is left", || {
        processes_naming(&suite.folder).is_empty()
    })
}

fn pid_in(file: &Path) -> Result<Pid, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(file)?;
    Ok(Pid::from_raw(text.lines().next().unwrap_or_default().parse()?))
}

#[test]
fn a_taken_port_is_named_with_its_flag_and_nothing_is_left_behind() -> Outcome {
    let holder = TcpListener::bind("127.0.0.1:0")?;
    let port = holder.local_addr()?.port().to_string();
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("data");
    let folder_text = folder.to_str().ok_or("no text")?;

    let refused = output(up(["--data-dir", folder_text, "--ledger-port", &port]))?;
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains(&port) && told.contains("--ledger-port"), "{told}");
    assert!(!told.contains("panicked") && !told.contains("Os {"), "{told}");
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test]
async fn given_servers_are_used_by_the_folder_that_holds_their_secrets_and_no_other() -> Outcome {
    let given = fealty_local::start(servers()).await?;
    let (postgres, redis) = (given.postgres_admin_url(), given.redis_url());
    let parent = tempfile::Builder::new().prefix("fealty-up-").tempdir_in("/tmp")?;
    open_to_all(parent.path())?;
    let folder = |name: &str| parent.path().join(name).to_string_lossy().into_owned();
    let (mine, another) = (folder("mine"), folder("another"));

    let mut first = Up::start([
        "--data-dir",
        &mine,
        "--postgres-url",
        postgres,
        "--redis-url",
        redis,
    ])?;
    let answer = first.call(&first.key, "UnitService/ListUnits", "{}")?;
    assert!(answer.status.success(), "{}", text(&answer.stderr));
    assert!(
        !first.running.errors().contains("private"),
        "{}",
        first.running.errors()
    );
    first.end(Signal::SIGTERM)?;

    let refused = output(up([
        "--data-dir",
        &another,
        "--postgres-url",
        postgres,
        "--redis-url",
        redis,
    ]))?;
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(
        told.contains("fealty_members") && told.contains("up.json"),
        "{told}"
    );

    let mut again = Up::start([
        "--data-dir",
        &mine,
        "--postgres-url",
        postgres,
        "--redis-url",
        redis,
    ])?;
    assert_eq!(again.key, first.key);
    again.end(Signal::SIGTERM)?;
    Ok(given.stop().await?)
}

#[test]
fn a_start_that_is_broken_off_leaves_nothing_that_runs() -> Outcome {
    let parent = tempfile::Builder::new().prefix("fealty-up-").tempdir_in("/tmp")?;
    open_to_all(parent.path())?;
    let folder = parent.path().join("data");
    let mut running = Running::start(up(["--data-dir", folder.to_str().ok_or("no text")?]))?;
    running.until_it_says("A private Redis answers")?;
    running.signal(Signal::SIGINT)?;
    running.wait()?;
    assert!(!folder.join("fealty.lock").exists());
    until("no process is left", || processes_naming(&folder).is_empty())
}

#[test]
fn what_would_keep_data_is_not_ephemeral() -> Outcome {
    let refused = output(up([
        "--ephemeral",
        "--postgres-url",
        "postgres://postgres@127.0.0.1:1/postgres",
    ]))?;
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    Ok(())
}

/// As root the servers run as another user, who must be able to come in.
fn open_to_all(folder: &Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}
