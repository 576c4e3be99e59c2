//! Another process that owns servers, for the tests to kill.

use std::error::Error as StdError;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use fealty_local::{DataDir, start};

use crate::{BOUND, Outcome, options};

/// The folder that [`owner_for_the_other_tests`] runs in; `ephemeral` is none.
const OWNER_FOLDER: &str = "FEALTY_LOCAL_TEST_FOLDER";

/// Another process that owns servers: this test binary itself, running only the test below.
pub struct Owner {
    pub process: Child,
    /// Held open: the owner must not fail for want of a reader.
    _printed: Lines<BufReader<ChildStdout>>,
    pub folder: PathBuf,
    pub postgres_url: String,
    pub redis_url: String,
}

impl Owner {
    pub fn spawn(folder: &str) -> Result<Child, Box<dyn StdError>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "--exact",
            "owner::owner_for_the_other_tests",
            "--ignored",
            "--nocapture",
        ]);
        Ok(command.env(OWNER_FOLDER, folder).stdout(Stdio::piped()).spawn()?)
    }

    pub fn start(folder: &str) -> Result<Self, Box<dyn StdError>> {
        let mut process = Self::spawn(folder)?;
        let mut printed = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        for line in printed.by_ref() {
            if let [_, folder, postgres_url, redis_url] = line?.split('\t').collect::<Vec<_>>()[..] {
                let (postgres_url, redis_url) = (postgres_url.to_owned(), redis_url.to_owned());
                return Ok(Self {
                    _printed: printed,
                    process,
                    folder: folder.into(),
                    postgres_url,
                    redis_url,
                });
            }
        }
        Err("the owner ended before it was ready".into())
    }

    pub fn kill(&mut self) -> Outcome {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

#[tokio::test]
#[ignore = "is the other process of the other tests"]
async fn owner_for_the_other_tests() -> Outcome {
    let Some(folder) = std::env::var_os(OWNER_FOLDER) else {
        return Ok(());
    };
    let data_dir = if folder == "ephemeral" {
        DataDir::Ephemeral
    } else {
        DataDir::Kept(folder.into())
    };
    let servers = start(options(data_dir)).await?;
    let folder = servers.data_dir().display();
    println!(
        "\nready\t{folder}\t{}\t{}",
        servers.postgres_admin_url(),
        servers.redis_url()
    );
    tokio::time::sleep(BOUND).await;
    Ok(servers.stop().await?)
}
