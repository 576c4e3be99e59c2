//! Runs `fealty import` as a user does.

use std::fs;
use std::path::PathBuf;

use fealty::services::ServiceName;
use fealty_tests::process::Process;
use fealty_tests::shop::Shop;
use fealty_tests::suite::Suite;
use serde_json::Value;
use tempfile::TempDir;

const MAP: &str =
    "receipt=invoice,customer=customer_id,time=date,amount_minor=amount_pence,cancellation=is_cancellation";

/// A file, and everything to import it with.
pub struct Import {
    /// The file.
    pub file: PathBuf,
    folder: TempDir,
    program: &'static str,
    arguments: Vec<String>,
}

impl Import {
    /// Of a file with this text, into this shop.
    pub fn of(suite: &Suite, shop: &Shop, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders.csv");
        fs::write(&file, text).expect("it can be written");
        let addresses = suite.addresses();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let arguments = [
            "import",
            "purchases",
            &file.to_string_lossy(),
            "--map",
            MAP,
            "--time-zone",
            "Europe/London",
            "--members",
            addresses.of(ServiceName::Members),
            "--ledger",
            addresses.of(ServiceName::Ledger),
            "--key",
            &shop.key,
            "--report",
            &path("report.json"),
            "--state-dir",
            &path("state"),
            "--enrol",
        ];
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            program: suite.program(),
            file,
            folder,
        }
    }

    /// Unknown customers are not to be enrolled.
    pub fn without_enrolment(mut self) -> Self {
        self.arguments.retain(|argument| argument != "--enrol");
        self
    }

    /// Starts it.
    pub fn start(&self, more: &[&str]) -> Process {
        let mut command = std::process::Command::new(self.program);
        command.args(&self.arguments).args(more);
        Process::start("fealty import", command, None)
    }

    /// The name under which the ledger keeps the receipts.
    pub fn source(&self) -> String {
        self.report()["source"]
            .as_str()
            .expect("it is reported")
            .to_owned()
    }

    /// What the last run reported.
    pub fn report(&self) -> Value {
        let text = fs::read(self.folder.path().join("report.json")).expect("a report");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    /// The rejected rows of the last run: lines and reasons, in the file's order.
    pub fn rejected(&self) -> Vec<(u64, String)> {
        let report = self.report();
        let Some(path) = report["rejected_file"].as_str() else {
            return Vec::new();
        };
        let mut reader = csv::Reader::from_path(path).expect("the file of rejected rows");
        let rows = reader.records().map(|record| {
            let record = record.expect("a row");
            (record[0].parse().expect("a line"), record[1].to_owned())
        });
        rows.collect()
    }

    /// Only the lines.
    pub fn rejected_lines(&self) -> Vec<u64> {
        self.rejected().into_iter().map(|(line, _)| line).collect()
    }
}
