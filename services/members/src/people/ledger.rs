//! The door to the ledger, which opens an owner for everybody who is enrolled.

use std::time::Duration;

use fealty_client::{CallError, ClientConfig, ConnectError, LedgerClient};
use fealty_postgres::Deadline;
use fealty_proto::ledger::v1::{OpenOwnerRequest, OwnerKind};
use fealty_service::config::{PeerConfig, ports};
use fealty_types::{MemberId, ProgramId};
use tonic::Code;

use crate::refusal::MembersError;

/// Longest wait for the ledger: a restart of it takes less, and whoever enrols a person stands before them.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What of the caller's time the ledger may take, in quarters: the rest is for saying so, also when it does not answer.
const WAIT_QUARTERS: u32 = 3;

/// Connections to the ledger. It takes a hundred calls at once on each: as many as people are enrolled at once.
const CONNECTION_COUNT: usize = 4;

/// Calls the ledger.
#[derive(Debug, Clone)]
pub struct LedgerDoor {
    client: LedgerClient,
}

impl LedgerDoor {
    /// Prepares the door. It connects with its first call.
    pub fn try_new(config: &PeerConfig<{ ports::LEDGER }>) -> Result<Self, ConnectError> {
        let client = LedgerClient::try_new(&ClientConfig {
            connection_count: CONNECTION_COUNT,
            ..config.client()
        })?;
        Ok(Self { client })
    }

    /// Opens the member's owner. Opening it again changes nothing.
    pub(super) async fn open_owner(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<(), MembersError> {
        let left = Deadline::current().map_or(WAIT_MAX, Deadline::remaining);
        let wait = WAIT_MAX.min(left / 4 * WAIT_QUARTERS);
        let request = OpenOwnerRequest {
            // One member is one attempt, whoever makes it and however often: the call, its retries, the job.
            request_id: member_id.to_string(),
            owner_id: member_id.to_string(),
            kind: OwnerKind::Member.into(),
        };
        let ledger = self.client.for_program(program_id).within(wait);
        match ledger.open_owner(request).await {
            Ok(_) => Ok(()),
            Err(error) => {
                log(&error, member_id);
                Err(MembersError::LedgerAway)
            }
        }
    }
}

/// A ledger that does not answer is the operator's to know of; one that refuses us has to be set right by them.
fn log(error: &CallError, member_id: MemberId) {
    match error.code {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
            tracing::warn!(%error, %member_id, "the ledger has not opened an owner");
        }
        _ => tracing::error!(%error, %member_id, "the ledger refuses to open an owner"),
    }
}
