//! What went wrong, told by SQLSTATE and the constraint's name, never by the text of a message: texts are translated
//! and reworded, codes are not.

use std::io;

use sqlx::Error;

/// What kind of failure the database or the way to it reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Another transaction came first, and this one cannot be ordered after it (40001). Run it again.
    Serialization,
    /// Two transactions waited for each other, and this one was chosen to end (40P01). Run it again.
    Deadlock,
    /// A unique constraint or index of that name already holds such a row (23505).
    UniqueViolation(String),
    /// A foreign key of that name points nowhere, or is still pointed to (23503).
    ForeignKeyViolation(String),
    /// A check of that name refused the row (23514).
    CheckViolation(String),
    /// The statement's values are at fault (classes 21, 22 and the rest of 23): it fails every time.
    DataError,
    /// The row belongs to another program, or the role lacks the right (42501): the second fence held.
    Fenced,
    /// The server is out of connections, memory or disk, or is going down (classes 53, 57, 58), or no connection of
    /// the pool came free in time.
    Resources,
    /// The connection could not be made or was lost. Whether an open COMMIT took effect is unknown.
    Connection,
    /// A time limit of the server ended the statement, the wait for a lock, or the idle transaction.
    Timeout,
    /// Anything else: a fault in the statement, the schema or the driver.
    Other,
}

impl Failure {
    /// Whether the server rolled the transaction back only because of its neighbours.
    #[must_use]
    pub const fn is_contention(&self) -> bool {
        matches!(self, Self::Serialization | Self::Deadlock)
    }

    /// A short fixed word for metrics and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Serialization => "serialization",
            Self::Deadlock => "deadlock",
            Self::UniqueViolation(_) => "unique_violation",
            Self::ForeignKeyViolation(_) => "foreign_key_violation",
            Self::CheckViolation(_) => "check_violation",
            Self::DataError => "data",
            Self::Fenced => "fenced",
            Self::Resources => "resources",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Other => "other",
        }
    }
}

/// Classifies an error of sqlx.
#[must_use]
pub fn classify(error: &Error) -> Failure {
    match error {
        Error::Database(database) => {
            let constraint = || database.constraint().unwrap_or_default().to_owned();
            of_code(database.code().as_deref().unwrap_or_default(), constraint)
        }
        Error::Io(io) => of_io(io),
        // A server or a proxy that hangs up on the greeting is reported as a protocol error: as one that answered zero.
        Error::Protocol(_)
        | Error::Tls(_)
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed => Failure::Connection,
        Error::PoolTimedOut => Failure::Resources,
        Error::Encode(_) => Failure::DataError,
        _ => Failure::Other,
    }
}

fn of_io(error: &io::Error) -> Failure {
    // A URL that names a socket file or certificate that is not there is found out when connecting, too.
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Failure::Other,
        _ => Failure::Connection,
    }
}

/// Classifies a SQLSTATE. The constraint is asked for only where it matters.
fn of_code(code: &str, constraint: impl FnOnce() -> String) -> Failure {
    match code {
        "40001" => Failure::Serialization,
        "40P01" => Failure::Deadlock,
        "23505" => Failure::UniqueViolation(constraint()),
        "23503" => Failure::ForeignKeyViolation(constraint()),
        "23514" => Failure::CheckViolation(constraint()),
        "42501" => Failure::Fenced,
        // query_canceled (statement_timeout), lock_not_available, idle_in_transaction_session_timeout,
        // transaction_timeout.
        "57014" | "55P03" | "25P03" | "25P04" => Failure::Timeout,
        // statement_completion_unknown: as if the connection had been lost.
        "40003" => Failure::Connection,
        _ => of_class(code.get(..2).unwrap_or_default()),
    }
}

fn of_class(class: &str) -> Failure {
    match class {
        "08" => Failure::Connection,
        "21" | "22" | "23" => Failure::DataError,
        "53" | "57" | "58" => Failure::Resources,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> Failure {
        of_code(code, || "by_name".to_owned())
    }

    #[test]
    fn codes_have_their_kinds() {
        let table = [
            ("40001", Failure::Serialization),
            ("40P01", Failure::Deadlock),
            ("40003", Failure::Connection),
            ("23505", Failure::UniqueViolation("by_name".to_owned())),
            ("23503", Failure::ForeignKeyViolation("by_name".to_owned())),
            ("23514", Failure::CheckViolation("by_name".to_owned())),
            ("23502", Failure::DataError),
            ("22003", Failure::DataError),
            ("21000", Failure::DataError),
            ("42501", Failure::Fenced),
            ("53300", Failure::Resources),
            ("57P01", Failure::Resources),
            ("58030", Failure::Resources),
            ("57014", Failure::Timeout),
            ("55P03", Failure::Timeout),
            ("25P03", Failure::Timeout),
            ("08006", Failure::Connection),
            ("42P01", Failure::Other),
            ("", Failure::Other),
            ("é", Failure::Other),
        ];
        for (code, kind) in table {
            assert_eq!(of(code), kind, "{code}");
        }
    }

    #[test]
    fn a_lost_socket_is_a_lost_connection() {
        let lost = Error::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(classify(&lost), Failure::Connection);
        assert_eq!(classify(&Error::PoolTimedOut), Failure::Resources);
        assert_eq!(classify(&Error::RowNotFound), Failure::Other);
    }
}
