//! Follows the statements that a client of Postgres sends, so that a connection can be cut at any of them.

use std::mem;

/// Bytes kept of a message: BEGIN with its settings fits.
const HEAD_LEN: usize = 256;

/// Length and code of the messages that come before the first one with a type.
const STARTUP_HEAD_LEN: usize = 8;

/// Type and length of all others.
const HEADER_LEN: usize = 5;

/// What a client may ask for before it greets: to speak TLS. It greets afterwards.
const SSL_REQUEST: u32 = 80_877_103;

/// On which side of a statement a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The server never sees the statement.
    Before,
    /// The server has done it, and its answer is lost.
    After,
}

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutAt {
    /// Transactions that pass before: zero is the next one that begins.
    pub transaction: usize,
    /// Which of its statements: BEGIN is the first, and COMMIT the last.
    pub statement: usize,
    /// On which side of it.
    pub side: Side,
    /// Whether the server is gone from then on, until it is restored.
    pub is_gone: bool,
}

/// What is watched, on all connections.
#[derive(Debug, Default)]
pub(super) struct Watch {
    begin: Option<Vec<u8>>,
    begun_count: usize,
    committed: Vec<usize>,
    cut: Option<CutAt>,
}

impl Watch {
    pub(super) fn start(&mut self, begin: &[u8]) {
        *self = Self {
            begin: Some(begin.to_vec()),
            ..Self::default()
        };
    }

    pub(super) fn cut_at(&mut self, cut: CutAt) {
        self.cut = Some(cut);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.cut.is_some()
    }

    pub(super) fn committed(&self) -> Vec<usize> {
        self.committed.clone()
    }
}

/// What a client sends on one connection.
#[derive(Debug, Default)]
pub(super) struct Statements {
    is_greeted: bool,
    /// The beginning of the message that is under way.
    head: Vec<u8>,
    /// What is to come of it; zero before its header is whole.
    left_len: usize,
    /// The watched transaction that is open: its number, and how many statements it has had.
    open: Option<(usize, usize)>,
}

impl Statements {
    /// Follows some bytes; answers where to cut, if it is at a statement in them.
    pub(super) fn follow(&mut self, bytes: &[u8], watch: &mut Watch) -> Option<CutAt> {
        let mut cut = None;
        for byte in bytes {
            if let Some(message) = self.push(*byte) {
                cut = cut.or_else(|| self.sent(&message, watch));
            }
        }
        cut
    }

    /// The message that ends with this byte.
    fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        if self.left_len == 0 {
            self.head.push(byte);
            self.begin_message()?;
        } else {
            if self.head.len() < HEAD_LEN {
                self.head.push(byte);
            }
            self.left_len -= 1;
        }
        if self.left_len > 0 {
            return None;
        }
        let message = mem::take(&mut self.head);
        let was_greeted = self.is_greeted;
        self.is_greeted = was_greeted || !is_ssl_request(&message);
        was_greeted.then_some(message)
    }

    /// What is to come of a message whose header is whole.
    fn begin_message(&mut self) -> Option<()> {
        let (len_at, header_len) = if self.is_greeted {
            (1, HEADER_LEN)
        } else {
            (0, STARTUP_HEAD_LEN)
        };
        if self.head.len() < header_len {
            return None;
        }
        // The length counts itself, and not the type before it.
        let len = number(&self.head[len_at..]);
        self.left_len = (len + len_at).saturating_sub(header_len);
        Some(())
    }

    fn sent(&mut self, message: &[u8], watch: &mut Watch) -> Option<CutAt> {
        let text = match message[0] {
            b'Q' => &message[HEADER_LEN..],
            b'E' => &[],
            _ => return None,
        };
        if let Some(begin) = &watch.begin
            && contains(text, b"BEGIN")
            && contains(text, begin)
        {
            self.open = Some((watch.begun_count, 0));
            watch.begun_count += 1;
        }
        let (transaction, statement) = self.open.as_mut()?;
        *statement += 1;
        let (transaction, statement) = (*transaction, *statement);
        if text.starts_with(b"COMMIT") || text.starts_with(b"ROLLBACK") {
            self.open = None;
            if text.starts_with(b"COMMIT") {
                watch.committed.push(statement);
            }
        }
        watch
            .cut
            .take_if(|cut| (cut.transaction, cut.statement) == (transaction, statement))
    }
}

fn is_ssl_request(message: &[u8]) -> bool {
    message.len() == STARTUP_HEAD_LEN && number(&message[4..]) == SSL_REQUEST as usize
}

fn number(bytes: &[u8]) -> usize {
    bytes[..4]
        .iter()
        .fold(0, |number, byte| (number << 8) | usize::from(*byte))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len() + 4).unwrap();
        [&[kind], &len.to_be_bytes()[..], body].concat()
    }

    fn greeting() -> Vec<u8> {
        let body = b"user\0nobody\0\0";
        let len = u32::try_from(body.len() + 8).unwrap();
        [&len.to_be_bytes()[..], &196_608_u32.to_be_bytes(), body].concat()
    }

    fn session() -> Vec<u8> {
        let ssl_request = [&8_u32.to_be_bytes()[..], &SSL_REQUEST.to_be_bytes()].concat();
        [
            ssl_request,
            greeting(),
            message(b'Q', b"BEGIN READ ONLY\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'Q', b"COMMIT\0"),
            message(b'Q', b"BEGIN READ WRITE; SET x\0"),
            message(b'P', &vec![b'x'; 70_000]),
            message(b'S', b""),
            message(b'B', b"values"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'Q', b"COMMIT\0"),
        ]
        .concat()
    }

    #[test]
    fn statements_are_counted_however_the_bytes_arrive() {
        for chunk_len in [1, 7, 16_384, 1_000_000] {
            let (mut watch, mut statements) = (Watch::default(), Statements::default());
            watch.start(b"READ WRITE");
            for chunk in session().chunks(chunk_len) {
                assert_eq!(statements.follow(chunk, &mut watch), None);
            }
            assert_eq!(watch.committed(), [3]);
        }
    }

    #[test]
    fn a_cut_is_met_once_at_its_statement() {
        for statement in 1..=3 {
            let (mut watch, mut statements) = (Watch::default(), Statements::default());
            watch.start(b"READ WRITE");
            let cut = CutAt {
                transaction: 1,
                statement,
                side: Side::After,
                is_gone: false,
            };
            watch.cut_at(cut);
            assert_eq!(
                statements.follow(&session(), &mut watch),
                None,
                "of the one before"
            );
            assert!(watch.is_waiting());
            let mut again = Statements::default();
            assert_eq!(again.follow(&session(), &mut watch), Some(cut));
            assert!(!watch.is_waiting());
        }
    }
}
