//! Baseline (b): Postgres's own benchmark on the same server, with its own client: `pgbench -N`, one row updated, one read
//! and one inserted per transaction.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use url::Url;

use crate::options::Round;
use crate::postgres::Postgres;

const DATABASE: &str = "fealty_bench_pgbench";
/// Two million rows: larger than the buffers would be too slow to make, smaller would be a fight for few rows.
const SCALE: &str = "20";
const CLIENTS: &str = "32";

/// Transactions per second.
pub async fn simple_update(postgres: &Postgres, round: Round) -> anyhow::Result<f64> {
    let program = Path::new(&postgres.program_dir().await?).join("pgbench");
    let program = if program.exists() {
        program
    } else {
        "pgbench".into()
    };
    let pgbench = Pgbench {
        program: &program,
        url: postgres.create_database(DATABASE).await?.parse()?,
    };
    pgbench.run(&["-i", "-q", "-s", SCALE]).await?;
    let threads = std::thread::available_parallelism()?.to_string();
    let run = async |seconds: u64| {
        let seconds = seconds.max(1).to_string();
        let args = [
            "-N", "-n", "-M", "prepared", "-c", CLIENTS, "-j", &threads, "-T", &seconds,
        ];
        pgbench.run(&args).await
    };
    run(round.warm_up.as_secs()).await?;
    let printed = run(round.measured.as_secs()).await?;
    postgres.drop_database(DATABASE).await?;
    per_second(&printed).with_context(|| format!("pgbench does not say how many: {printed}"))
}

struct Pgbench<'a> {
    program: &'a Path,
    url: Url,
}

impl Pgbench<'_> {
    async fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let password = self.url.password().unwrap_or_default();
        let output = Command::new(self.program)
            .args(args)
            .env("PGHOST", self.url.host_str().unwrap_or_default())
            .env("PGPORT", self.url.port().unwrap_or(5432).to_string())
            .env("PGUSER", self.url.username())
            .env("PGPASSWORD", percent_decoded(password))
            .env("PGDATABASE", self.url.path().trim_start_matches('/'))
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| {
                let program = self.program.display();
                format!("{program} cannot be run: it comes with the server's package (Debian: postgresql)")
            })?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench {}: {said}", args.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Of `tps = 7712.3 (without initial connection time)`.
fn per_second(printed: &str) -> Option<f64> {
    let line = printed.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_it_prints() {
        let printed = "number of clients: 32\ntps = 7712.5 (without initial connection time)\n";
        assert_eq!(per_second(printed), Some(7_712.5));
        assert_eq!(per_second("nothing"), None);
    }
}
