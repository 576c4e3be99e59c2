//! `fealty.members.v1.ApiKeyService`.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::api_key_service_server::ApiKeyService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_making};
use fealty_types::{ApiKeyId, ProgramId, StaffId};
use tonic::{Request, Response, Status};

use super::domain::{ApiKey, KeyScopes, NewApiKey, program_scope};
use super::{ApiKeys, CreatedKey};
use crate::display_name::DisplayName;

const CREATE: &str = "/fealty.members.v1.ApiKeyService/CreateApiKey";
const LIST: &str = "/fealty.members.v1.ApiKeyService/ListApiKeys";

/// The rpcs of keys.
#[derive(Debug, Clone)]
pub struct ApiKeyGrpc {
    api_keys: ApiKeys,
}

impl ApiKeyGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(api_keys: ApiKeys) -> Self {
        Self { api_keys }
    }
}

#[tonic::async_trait]
impl ApiKeyService for ApiKeyGrpc {
    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Result<Response<pb::CreateApiKeyResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, new) = parse_create(program_id, message)?;
            let own = &caller.key().scopes;
            let made = self.api_keys.create(program_id, own, &attempt, &new).await?;
            Ok(made.map(present_created))
        })
        .await
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Result<Response<pb::ListApiKeysResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &())?;
            let page = PageRequest::<ApiKeyId>::parse(tokens, message.page_size, &message.page_token)?;
            let keys = self
                .api_keys
                .list(program_id, page.after(), page.count_max())
                .await?;
            let (keys, next_page_token) = page.cut(keys, |key| key.api_key_id)?;
            Ok(pb::ListApiKeysResponse {
                api_keys: keys.into_iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Result<Response<pb::RevokeApiKeyResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let api_key_id = v.check("api_key_id", fields::parse::<ApiKeyId>(&message.api_key_id));
            let api_key_id = v.finish_with(|| api_key_id)?;
            let key = self.api_keys.revoke(caller.program_id()?, api_key_id).await?;
            Ok(pb::RevokeApiKeyResponse {
                api_key: Some(present(key)),
            })
        })
        .await
    }
}

fn parse_create(
    program_id: ProgramId,
    mut message: pb::CreateApiKeyRequest,
) -> Result<(Attempt, NewApiKey), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(CREATE, &message);
    let new = v.message("api_key", message.api_key, parse_new);
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, CREATE, command_hash);
        Some((attempt, new?))
    })
}

fn parse_new(v: &mut Violations, key: pb::ApiKey) -> Option<NewApiKey> {
    let display_name = v.check("display_name", fields::parse::<DisplayName>(&key.display_name));
    let scopes = v.each("scopes", key.scopes, |v, number| {
        let scope = v.check("", fields::enumeration::<Scope>(number))?;
        v.check("", program_scope(scope))
    });
    let scopes = scopes.and_then(|scopes| v.check("scopes", KeyScopes::of_program(scopes)));
    let staff_id = v.check("staff_id", fields::optional::<StaffId>(&key.staff_id));
    // Whether it lies in the future is asked when the key is made, not of a retry that finds it made.
    let expire_time = v.check(
        "expire_time",
        fields::optional_timestamp(key.expire_time.as_ref(), TimeRange::any()),
    );
    Some(NewApiKey {
        display_name: display_name?,
        scopes: scopes?,
        staff_id: staff_id?,
        expire_time: expire_time?,
    })
}

fn present_created(created: CreatedKey) -> pb::CreateApiKeyResponse {
    pb::CreateApiKeyResponse {
        key_text: created
            .secret
            .map(|secret| secret.expose().to_owned())
            .unwrap_or_default(),
        api_key: Some(present(created.api_key)),
    }
}

fn present(key: ApiKey) -> pb::ApiKey {
    pb::ApiKey {
        api_key_id: key.api_key_id.to_string(),
        display_name: key.display_name.into(),
        short_id: key.short_id,
        scopes: key.scopes.into_iter().map(i32::from).collect(),
        staff_id: key
            .staff_id
            .map(|staff_id| staff_id.to_string())
            .unwrap_or_default(),
        expire_time: key.expire_time.map(timestamp),
        revoke_time: key.revoke_time.map(timestamp),
        create_time: Some(timestamp(key.create_time)),
    }
}
