//! Where log lines go: to standard error.
//!
//! Each call writes one line, and a write per call costs a busy service a tenth of its time. So those lines are gathered
//! by a thread of their own, which writes whatever came while it was writing. All others go out at once: what is told
//! right before an end by force is not lost.

use std::io::{self, BufWriter, Stderr, Write};

use tracing::Metadata;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// The target of the line that each call writes.
pub const CALL_TARGET: &str = "fealty::call";

/// Lines that wait to be written: some megabytes. Beyond them callers wait, as they would for standard error itself.
const LINES_WAITING_MAX: usize = 16_384;

/// Bytes of one write: what a pipe of Linux takes at once.
const WRITE_BYTES: usize = 64 * 1024;

/// Makes the writers of lines.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    of_calls: NonBlocking,
}

impl Lines {
    /// Lines of calls are written as long as the guard lives; dropped, it waits until the last one is out.
    pub(crate) fn new() -> (Self, WorkerGuard) {
        let (of_calls, guard) = NonBlockingBuilder::default()
            .lossy(false)
            .buffered_lines_limit(LINES_WAITING_MAX)
            .thread_name("log-lines")
            .finish(BufWriter::with_capacity(WRITE_BYTES, io::stderr()));
        (Self { of_calls }, guard)
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = LineWriter;

    fn make_writer(&self) -> LineWriter {
        LineWriter::AtOnce(io::stderr())
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> LineWriter {
        if metadata.target() == CALL_TARGET {
            LineWriter::Gathered(self.of_calls.clone())
        } else {
            self.make_writer()
        }
    }
}

/// Writes a line.
#[derive(Debug)]
pub(crate) enum LineWriter {
    AtOnce(Stderr),
    Gathered(NonBlocking),
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::AtOnce(stderr) => stderr.write(bytes),
            Self::Gathered(lines) => lines.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::AtOnce(stderr) => stderr.flush(),
            Self::Gathered(lines) => lines.flush(),
        }
    }
}
