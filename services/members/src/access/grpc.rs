//! `fealty.access.v1.AccessFeedService`.

use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::access_change::Record;
use fealty_proto::access::v1::access_feed_service_server::AccessFeedService;
use fealty_rpc::fields;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::serve;
use tonic::{Request, Response, Status};

use super::AccessFeed;
use super::domain::{AccessChange, AccessRecord, StaffState};
use crate::api_keys::domain::ApiKey;
use crate::programs::domain::Program;

/// Changes of a page whose reader does not say.
const FEED_PAGE_SIZE_DEFAULT: i32 = 500;

/// Most changes of a page: with some 300 bytes each, well within one message.
const FEED_PAGE_SIZE_MAX: i32 = 1_000;

/// The rpcs of the feed.
#[derive(Debug, Clone)]
pub struct AccessFeedGrpc {
    feed: AccessFeed,
}

impl AccessFeedGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(feed: AccessFeed) -> Self {
        Self { feed }
    }
}

#[tonic::async_trait]
impl AccessFeedService for AccessFeedGrpc {
    async fn list_access_changes(
        &self,
        request: Request<pb::ListAccessChangesRequest>,
    ) -> Result<Response<pb::ListAccessChangesResponse>, Status> {
        serve(request, async |_caller, message| {
            let mut v = Violations::default();
            let size = v.check(
                "page_size",
                fields::page_size(message.page_size, FEED_PAGE_SIZE_DEFAULT, FEED_PAGE_SIZE_MAX),
            );
            let count_max = v.finish_with(|| usize::try_from(size?).ok())?;
            let page = self.feed.list_changes(&message.resume_token, count_max).await?;
            Ok(pb::ListAccessChangesResponse {
                changes: page.changes.into_iter().map(present).collect(),
                next_resume_token: page.next_resume_token,
                more: page.more,
            })
        })
        .await
    }
}

fn present(change: AccessChange) -> pb::AccessChange {
    let record = match change.record {
        AccessRecord::Program(program) => Record::Program(present_program(&program)),
        AccessRecord::ApiKey(key) => Record::ApiKey(present_key(key)),
        AccessRecord::Staff(staff) => Record::Staff(present_staff(staff)),
    };
    pb::AccessChange {
        record: Some(record),
        sequence: change.sequence,
    }
}

fn present_program(program: &Program) -> pb::ProgramRecord {
    pb::ProgramRecord {
        program_id: program.program_id.to_string(),
        time_zone: program.time_zone.name().to_owned(),
        currency_code: program.currency_code.to_string(),
        active: program.active,
    }
}

fn present_key(key: ApiKey) -> pb::ApiKeyRecord {
    pb::ApiKeyRecord {
        api_key_id: key.api_key_id.to_string(),
        program_id: key
            .program_id
            .map(|program_id| program_id.to_string())
            .unwrap_or_default(),
        staff_id: key
            .staff_id
            .map(|staff_id| staff_id.to_string())
            .unwrap_or_default(),
        short_id: key.short_id,
        secret_sha256: key.secret_sha256.to_vec().into(),
        scopes: key.scopes.into_iter().map(i32::from).collect(),
        revoke_time: key.revoke_time.map(timestamp),
        expire_time: key.expire_time.map(timestamp),
        token_public_key: key
            .token_public_key
            .map(|bytes| bytes.to_vec().into())
            .unwrap_or_default(),
    }
}

fn present_staff(staff: StaffState) -> pb::StaffRecord {
    pb::StaffRecord {
        staff_id: staff.staff_id.to_string(),
        program_id: staff.program_id.to_string(),
        active: staff.active,
    }
}
