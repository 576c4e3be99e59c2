//! Reads the file, row by row, ahead of the lanes by a bounded number.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use anyhow::Context as _;
use csv::{Reader, ReaderBuilder, StringRecord};
use tokio::sync::mpsc;

use super::args::Args;
use super::rows::{Columns, Rejection, Row};
use super::send::Stopped;

/// Receipts whose repetition is noticed: eight bytes each, so at most about 100 MB. In a larger file a repetition
/// beyond is still never counted twice by the ledger; the reconciliation then shows the difference.
const RECEIPT_COUNT_MAX: usize = 8_000_000;

/// A row on its way.
#[derive(Debug)]
pub struct Numbered {
    /// 0, 1, 2 ... in the file.
    pub index: u64,
    /// Its line in the file.
    pub line: u64,
    /// Where in the file it ends.
    pub end_bytes: u64,
    /// What it means.
    pub row: Row,
}

/// An open file with a header that has all mapped columns.
pub struct Input {
    reader: Reader<File>,
    columns: Columns,
    receipts: Receipts,
}

impl Input {
    /// Opens the file.
    pub fn open(args: &Args) -> anyhow::Result<Self> {
        let mut reader = open(&args.file)?;
        let header = reader.headers().context("the file has no header row")?.clone();
        let columns = Columns::find(&header, &args.map, args.time_zone).map_err(|missing| {
            let there: Vec<&str> = header.iter().collect();
            anyhow::anyhow!(
                "the file has no column {}; it has {}. Name them with --map",
                missing.join(", "),
                there.join(", ")
            )
        })?;
        Ok(Self {
            reader,
            columns,
            receipts: Receipts::default(),
        })
    }

    /// Sends the rows from `first` on, until the file or the receiver ends. Gives the rows of the whole file if it came to
    /// its end. Blocks: not for an async task.
    pub fn send_from(mut self, first: u64, rows: &mpsc::Sender<Numbered>) -> Result<Option<u64>, Stopped> {
        let mut record = StringRecord::new();
        let mut index = 0;
        loop {
            let line = self.reader.position().line();
            let row = match self.reader.read_record(&mut record) {
                Ok(false) => return Ok(Some(index)),
                Ok(true) => self
                    .receipts
                    .check(self.columns.read(&record))
                    .of_lines(lines(&record, &self.reader)),
                // After this the reader would say that the file is at its end.
                Err(source) if source.is_io_error() => return Err(Stopped::Read { line, source }),
                Err(_) => Row::Rejected {
                    amount_minor: 0,
                    reason: Rejection::Malformed,
                },
            };
            let numbered = Numbered {
                index,
                line: record.position().map_or(line, csv::Position::line),
                end_bytes: self.reader.position().byte(),
                row,
            };
            if index >= first && rows.blocking_send(numbered).is_err() {
                return Ok(None);
            }
            index += 1;
        }
    }
}

/// Lines that a record takes up.
fn lines(record: &StringRecord, reader: &Reader<File>) -> u64 {
    let first = record.position().map_or(0, csv::Position::line);
    reader.position().line().saturating_sub(first)
}

fn open(path: &Path) -> anyhow::Result<Reader<File>> {
    ReaderBuilder::new()
        .flexible(true)
        .from_path(path)
        .with_context(|| format!("cannot read {}", path.display()))
}

/// The receipts that stood in earlier lines.
#[derive(Debug, Default)]
struct Receipts {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Receipts {
    fn check(&mut self, row: Row) -> Row {
        let (receipt, amount_minor) = match &row {
            Row::Purchase(movement) => (&movement.receipt, movement.amount_minor),
            Row::Refund(movement) => (&movement.receipt, -movement.amount_minor),
            Row::Anonymous { .. } | Row::Rejected { .. } => return row,
        };
        if self.seen.len() >= RECEIPT_COUNT_MAX || self.seen.insert(self.hasher.hash_one(receipt)) {
            return row;
        }
        Row::Rejected {
            amount_minor,
            reason: Rejection::RepeatedReceipt,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn rows(text: &str, first: u64) -> Vec<Numbered> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("in.csv");
        std::fs::write(&path, text).expect("writes");
        let cli = Cli::parse_from(["import", path.to_str().expect("utf-8"), "--key", "k"]);
        let (sender, mut receiver) = mpsc::channel(100);
        Input::open(&cli.args)
            .expect("opens")
            .send_from(first, &sender)
            .expect("reads");
        drop(sender);
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    const FILE: &str = "receipt,customer,time,amount_minor\n\
        1,a,2010-01-01T00:00:00,5\n\
        2,a,2010-01-01T00:00:00,6\n\
        1,b,2010-01-01T00:00:00,7\n\
        \"broken\n";

    #[test]
    fn rows_carry_their_line_and_a_repeated_receipt_is_rejected() {
        let rows = rows(FILE, 0);
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert!(matches!(
            rows[2].row,
            Row::Rejected {
                amount_minor: 7,
                reason: Rejection::RepeatedReceipt
            }
        ));
        assert!(matches!(rows[3].row, Row::Rejected { .. }));
    }

    #[test]
    fn the_rows_that_an_open_quote_swallows_are_named() {
        let text = "receipt,customer,time,amount_minor\n1,\"a,2010-01-01,5\n2,b,2010-01-01T00:00:00,6\n";
        let rows = rows(text, 0);
        let Row::Rejected { reason, .. } = &rows[0].row else {
            panic!("{rows:?}");
        };
        assert_eq!(*reason, Rejection::OpenQuote { line_count: 2 });
        assert!(reason.explain().contains('2'), "{}", reason.explain());
    }

    #[test]
    fn a_resumed_file_skips_what_is_done_and_still_knows_its_receipts() {
        let rows = rows(FILE, 2);
        assert_eq!(rows[0].index, 2);
        assert!(matches!(rows[0].row, Row::Rejected { .. }));
    }
}
