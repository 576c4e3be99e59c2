//! Who read which personal data. A read is on record before it is answered.
//!
//! A call that would answer a staff member with personal data notes so first, and waits until that is committed. Notes of
//! calls that come together are committed together: one task writes what queued while its last commit was in flight. The
//! queue is bounded; when it is full the call is refused, and nothing was read. Machines' keys are noted for exports only:
//! whose till looks up a card is not known here, and the till's own books say it.
//!
//! A service with personal data has this table, of which its roles may only read and insert:
//!
//! ```sql
//! CREATE TABLE personal_read (
//!     program uuid NOT NULL,
//!     read_id uuid NOT NULL,
//!     actor text NOT NULL,
//!     read_time timestamptz NOT NULL,
//!     member_id uuid NOT NULL,
//!     fields text[] NOT NULL,
//!     method text NOT NULL,
//!     PRIMARY KEY (program, read_id)
//! );
//! CREATE INDEX personal_read_member ON personal_read (program, member_id, read_id);
//! CREATE INDEX personal_read_actor ON personal_read (program, actor, read_id);
//! ```

pub mod grpc;
mod storage;

use std::time::Duration;

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_types::{MemberId, ProgramId, SharedClock, uuid_v7};
use sqlx::postgres::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Calls that wait to be noted: as many as a replica serves at once before it says that it is full.
const QUEUE_CALLS_MAX: usize = 1_024;

/// Calls that are committed together. A call has at most a page of members, so a commit has at most some ten thousand rows.
const BATCH_CALLS_MAX: usize = 64;

/// When those who found the queue full may try again: some commits later.
const FULL_RETRY_AFTER: Duration = Duration::from_millis(200);

/// What was read of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalRead {
    /// Whose data.
    pub member_id: MemberId,
    /// Which of it, as the answer names it; without commas.
    pub fields: Vec<String>,
}

/// A read on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Its id, which orders it by its time.
    pub read_id: Uuid,
    /// In which program.
    pub program_id: ProgramId,
    /// Who.
    pub actor: String,
    /// When.
    pub read_time: DateTime<Utc>,
    /// What.
    pub read: PersonalRead,
    /// By which call.
    pub method: String,
}

/// A call's notes, and who waits for them.
struct Entry {
    rows: Vec<Noted>,
    written: oneshot::Sender<bool>,
}

/// Notes reads.
#[derive(Debug, Clone)]
pub struct ReadAudit {
    queue: mpsc::Sender<Entry>,
    clock: SharedClock,
}

/// Writes what was noted.
#[derive(Debug)]
pub struct ReadAuditWriter {
    queue: mpsc::Receiver<Entry>,
    jobs: PgPool,
}

/// What notes, and what writes: with the jobs' role, since those who call together belong to different programs.
#[must_use]
pub fn read_audit(jobs: PgPool, clock: SharedClock) -> (ReadAudit, ReadAuditWriter) {
    let (sender, queue) = mpsc::channel(QUEUE_CALLS_MAX);
    let audit = ReadAudit { queue: sender, clock };
    (audit, ReadAuditWriter { queue, jobs })
}

impl ReadAudit {
    /// Notes what a call is about to answer, if it answers a staff member. Returns when that is committed.
    pub async fn note(
        &self,
        caller: &Caller,
        method: &'static str,
        reads: Vec<PersonalRead>,
    ) -> Result<(), ApiError> {
        if caller.key().staff_id.is_none() {
            return Ok(());
        }
        self.note_always(caller, method, reads).await
    }

    /// Notes what a call is about to answer, whoever asks.
    pub async fn note_always(
        &self,
        caller: &Caller,
        method: &'static str,
        reads: Vec<PersonalRead>,
    ) -> Result<(), ApiError> {
        if reads.is_empty() {
            return Ok(());
        }
        let (program_id, read_time) = (caller.program_id()?, self.clock.now());
        let rows = reads.into_iter().map(|read| Noted {
            read_id: uuid_v7(read_time),
            program_id,
            actor: caller.actor(),
            read_time,
            read,
            method: method.to_owned(),
        });
        let (written, answer) = oneshot::channel();
        let entry = Entry {
            rows: rows.collect(),
            written,
        };
        self.queue
            .try_send(entry)
            .map_err(|_| ApiError::overloaded(FULL_RETRY_AFTER))?;
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(ApiError::dependency_unavailable("postgres")),
        }
    }
}

impl ReadAuditWriter {
    /// Writes again and again; ends only by being dropped, or when nobody can note anything any more.
    pub async fn keep_writing(mut self) {
        let mut entries = Vec::with_capacity(BATCH_CALLS_MAX);
        while self.queue.recv_many(&mut entries, BATCH_CALLS_MAX).await > 0 {
            let rows: Vec<&Noted> = entries.iter().flat_map(|entry| &entry.rows).collect();
            let written = match write(&self.jobs, &rows).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(%error, "reads of personal data could not be noted: they are refused");
                    false
                }
            };
            for entry in entries.drain(..) {
                // Who went away meanwhile was not answered: one note too many.
                let _ = entry.written.send(written);
            }
        }
    }
}

async fn write(jobs: &PgPool, rows: &[&Noted]) -> Result<(), StorageError> {
    let options = TransactOptions::default().repeatable();
    transact(jobs, "note_personal_reads", Scope::Suite, options, |tx| {
        in_tx(async move { storage::insert_in_tx(tx, rows).await })
    })
    .await
}

#[cfg(test)]
mod tests {
    use fealty_postgres::{PoolConfig, connect_lazy};
    use fealty_rpc::access::CallerKey;
    use fealty_rpc::access::ProgramContext;
    use fealty_types::{ApiKeyId, StaffId, SystemClock};
    use tonic::Code;

    use super::*;

    fn caller(staff_id: Option<StaffId>) -> Caller {
        let program_id = ProgramId::generate_at(DateTime::UNIX_EPOCH);
        let key = CallerKey {
            api_key_id: ApiKeyId::generate_at(DateTime::UNIX_EPOCH),
            short_id: "short".to_owned(),
            program_id: Some(program_id),
            staff_id,
            scopes: Vec::new(),
        };
        let program = ProgramContext {
            program_id,
            time_zone: chrono_tz::UTC,
            currency: "GBP".parse().unwrap(),
        };
        Caller::new(key, Some(program))
    }

    fn reads() -> Vec<PersonalRead> {
        vec![PersonalRead {
            member_id: MemberId::generate_at(DateTime::UNIX_EPOCH),
            fields: vec!["profile".to_owned()],
        }]
    }

    #[tokio::test]
    async fn a_full_queue_refuses_staff_at_once_and_leaves_machines_alone() {
        let url = "postgres://nobody@127.0.0.1:1/nothing";
        let jobs = connect_lazy(url, "test", &PoolConfig::default()).unwrap();
        // The writer never runs.
        let (audit, _writer) = read_audit(jobs, SystemClock::shared());
        let staff = caller(Some(StaffId::generate_at(DateTime::UNIX_EPOCH)));
        let mut waiting = Vec::new();
        for _ in 0..QUEUE_CALLS_MAX {
            let mut note = Box::pin(audit.note(&staff, "/x", reads()));
            assert!(futures::poll!(&mut note).is_pending());
            waiting.push(note);
        }
        let refused = audit.note(&staff, "/x", reads()).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        audit.note(&caller(None), "/x", reads()).await.unwrap();
    }
}
