//! `fealty.access.v1.ReadAuditService`, in every service with personal data alike.

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::read_audit_service_server::ReadAuditService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PAGE_SIZE_DEFAULT, PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_types::ProgramId;
use sqlx::postgres::PgPool;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::Noted;
use super::storage::{self, Filter};
use crate::call::serve;
use crate::status::storage_status;

/// The call.
const LIST: &str = "/fealty.access.v1.ReadAuditService/ListPersonalReads";

/// Most rows of an answer.
const PAGE_SIZE_MAX: i32 = 500;

/// Longest name of an actor: a kind and an id.
const ACTOR_LENGTH_MAX: usize = 100;

/// Lists who read what.
#[derive(Debug, Clone)]
pub struct ReadAuditGrpc {
    service: PgPool,
}

impl ReadAuditGrpc {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool) -> Self {
        Self { service }
    }
}

#[tonic::async_trait]
impl ReadAuditService for ReadAuditGrpc {
    async fn list_personal_reads(
        &self,
        request: Request<pb::ListPersonalReadsRequest>,
    ) -> Result<Response<pb::ListPersonalReadsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (filter, page) = parse(program_id, &message)?;
            let (filter, before, count_max) = (&filter, page.after(), page.count_max());
            let scope = Scope::Program(program_id);
            let options = TransactOptions::read_only();
            let reads = transact(&self.service, "list_personal_reads", scope, options, |tx| {
                in_tx(async move { storage::list_in_tx(tx, program_id, filter, before, count_max).await })
            })
            .await
            .map_err(|error| storage_status(&error))?;
            let (reads, next_page_token) = page.cut(reads, |read| read.read_id)?;
            Ok(pb::ListPersonalReadsResponse {
                reads: reads.into_iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse(
    program_id: ProgramId,
    message: &pb::ListPersonalReadsRequest,
) -> Result<(Filter, PageRequest<Uuid>), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::optional(&message.member_id));
    let actor = v.check("actor", fields::optional_text(&message.actor, ACTOR_LENGTH_MAX));
    let size = fields::page_size(message.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
    let size = v.check("page_size", size.and_then(PageSize::parse));
    let (filter, size) = v.finish_with(|| {
        let filter = Filter {
            member_id: member_id?,
            actor: actor?,
        };
        Some((filter, size?))
    })?;
    let bound = (filter.member_id, &filter.actor);
    let tokens = PageTokens::try_new(LIST, Some(program_id), &bound)?;
    let page = PageRequest::try_new(tokens, size, &message.page_token)?;
    Ok((filter, page))
}

fn present(noted: Noted) -> pb::PersonalRead {
    pb::PersonalRead {
        read_id: noted.read_id.to_string(),
        actor: noted.actor,
        read_time: Some(timestamp(noted.read_time)),
        member_id: noted.read.member_id.to_string(),
        fields: noted.read.fields,
        method: noted.method,
    }
}
