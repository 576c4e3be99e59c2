//! The file of rejected rows: each with its line and the reason, none silently lost, also over a kill.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::rows::Rejection;

/// Appends rejected rows.
#[derive(Debug)]
pub struct RejectedRows {
    writer: BufWriter<File>,
    size_bytes: u64,
}

impl RejectedRows {
    /// Goes on after what belongs to rows that are done; what a killed run wrote beyond is written again.
    pub fn open(path: &Path, size_bytes: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)?;
        file.set_len(size_bytes)?;
        file.seek(SeekFrom::Start(size_bytes))?;
        let mut rows = Self {
            writer: BufWriter::new(file),
            size_bytes,
        };
        if size_bytes == 0 {
            rows.write("line,reason\n")?;
        }
        Ok(rows)
    }

    /// Appends one.
    pub fn push(&mut self, line: u64, reason: &Rejection) -> io::Result<()> {
        let reason = reason.explain().replace('"', "\"\"").replace(['\n', '\r'], " ");
        self.write(&format!("{line},\"{reason}\"\n"))
    }

    /// Hands everything to the file. Gives its size.
    pub fn flush(&mut self) -> io::Result<u64> {
        self.writer.flush()?;
        Ok(self.size_bytes)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())?;
        self.size_bytes += text.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_notes_is_written_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rejected.csv");
        let mut rows = RejectedRows::open(&path, 0).expect("opens");
        rows.push(7, &Rejection::BadTime).expect("writes");
        let noted = rows.flush().expect("flushes");
        rows.push(9, &Rejection::BadAmount).expect("writes");
        rows.flush().expect("flushes");
        drop(rows);

        let mut rows = RejectedRows::open(&path, noted).expect("opens");
        rows.push(9, &Rejection::BadAmount).expect("writes");
        rows.flush().expect("flushes");
        let text = std::fs::read_to_string(&path).expect("reads");
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.split(',').next().unwrap_or(""))
            .collect();
        assert_eq!(lines, ["line", "7", "9"]);
    }
}
