//! The suite's own Postgres and Redis, frozen: their processes are there, and their connections are open, and nothing
//! happens until they thaw. What was under way then goes on as if no time had passed.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::killed::Server;

/// Processes of a server that stand still. They go on when this is dropped.
#[derive(Debug)]
pub struct Frozen(Vec<Pid>);

impl Server {
    /// `kill -STOP` of the server of a data folder, its children included.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn freeze(self, data_dir: &Path) -> Frozen {
        let server = self.pid(data_dir);
        // The server first: then it makes no more children. One that ends by itself meanwhile needs no signal.
        let mut frozen = vec![server];
        kill(server, Signal::SIGSTOP).expect("it can be stopped");
        for child in children_of(server) {
            if kill(child, Signal::SIGSTOP).is_ok() {
                frozen.push(child);
            }
        }
        Frozen(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            // It may have been killed meanwhile.
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid| parent_of(*pid) == Some(parent.as_raw()))
        .map(Pid::from_raw)
        .collect()
}

/// The fourth field of the line; the second, a name in brackets, may have blanks.
fn parent_of(pid: i32) -> Option<i32> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
