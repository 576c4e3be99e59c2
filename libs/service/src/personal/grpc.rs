//! `fealty.access.v1.PersonalDataService`, in every service alike.

use std::fmt;
use std::sync::Arc;

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::personal_data_service_server::PersonalDataService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Violations;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::{DataKey, MasterKeyId, Person, SealedKey, Vault};
use sqlx::PgConnection;
use tonic::{Request, Response, Status};

use super::{Cursor, PersonalTable, Record, export_in_tx};
use crate::call::serve;
use crate::ground::Ground;
use crate::read_audit::{PersonalRead, ReadAudit};
use crate::status::storage_status;

/// The call.
const EXPORT: &str = "/fealty.access.v1.PersonalDataService/ExportPersonalData";

/// Rows of an answer whose caller does not say.
const PAGE_SIZE_DEFAULT: i32 = 100;

/// Most rows of an answer: what a person has of one kind is mostly less, and a row has some hundred bytes.
const PAGE_SIZE_MAX: i32 = 500;

/// Where a service keeps people's keys, and what it seals with.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The vault.
    pub vault: Vault,
    /// `SELECT data_key, master_key_id ...` of the program `$1` and the member `$2`.
    pub statement: &'static str,
    /// What notes who read.
    pub audit: ReadAudit,
}

/// Answers for what one service keeps about a person.
#[derive(Clone)]
pub struct PersonalDataGrpc {
    ground: Ground,
    tables: &'static [PersonalTable],
    keys: Option<Arc<Keys>>,
}

impl fmt::Debug for PersonalDataGrpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonalDataGrpc({})", self.ground.name)
    }
}

impl PersonalDataGrpc {
    /// Over these tables. Without keys for services that encrypt nothing.
    #[must_use]
    pub fn new(ground: &Ground, tables: &'static [PersonalTable], keys: Option<Keys>) -> Self {
        Self {
            ground: ground.clone(),
            tables,
            keys: keys.map(Arc::new),
        }
    }

    async fn read(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        after: Option<Cursor>,
        count_max: i64,
    ) -> Result<Vec<Record>, StorageError> {
        let after = after.as_ref();
        let scope = Scope::Program(program_id);
        // One snapshot: a person who is erased meanwhile is there with their key, or not at all.
        let options = TransactOptions::read_only().isolation(Isolation::RepeatableRead);
        transact(&self.ground.service, "export_person", scope, options, |tx| {
            in_tx(async move {
                let key = match &self.keys {
                    Some(keys) => find_key_in_tx(&mut *tx, keys, (program_id, member_id)).await?,
                    None => None,
                };
                let whose = (program_id, member_id);
                export_in_tx(tx, self.tables, whose, key.as_ref(), (after, count_max)).await
            })
        })
        .await
    }
}

async fn find_key_in_tx(
    tx: &mut PgConnection,
    keys: &Keys,
    (program_id, member_id): (ProgramId, MemberId),
) -> Result<Option<DataKey>, StorageError> {
    let row: Option<(Vec<u8>, String)> = sqlx::query_as(keys.statement)
        .bind(program_id.as_uuid())
        .bind(member_id.as_uuid())
        .fetch_optional(tx)
        .await?;
    let person = Person {
        program_id,
        member_id,
    };
    row.map(|(bytes, master_key_id)| {
        let stored = SealedKey {
            master_key_id: MasterKeyId::from_stored(master_key_id),
            bytes,
        };
        keys.vault
            .open_key(person, &stored)
            .map_err(|error| StorageError::corrupt("data_key", error))
    })
    .transpose()
}

#[tonic::async_trait]
impl PersonalDataService for PersonalDataGrpc {
    async fn export_personal_data(
        &self,
        request: Request<pb::ExportPersonalDataRequest>,
    ) -> Result<Response<pb::ExportPersonalDataResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, page) = parse(program_id, &message)?;
            let records = self
                .read(program_id, member_id, page.after(), page.count_max())
                .await
                .map_err(|error| storage_status(&error))?;
            if let Some(keys) = &self.keys
                && !records.is_empty()
            {
                let mut fields: Vec<String> = records.iter().map(|record| record.kind.to_owned()).collect();
                fields.dedup();
                let read = PersonalRead { member_id, fields };
                keys.audit.note_always(&caller, EXPORT, vec![read]).await?;
            }
            let size_bytes = |record: &(Record, pb::PersonalRecord)| prost::Message::encoded_len(&record.1);
            let cursor = |record: &(Record, pb::PersonalRecord)| Cursor {
                kind: record.0.kind.to_owned(),
                key: Some(record.0.key.clone()),
            };
            let records = records.into_iter().map(present).collect::<Result<_, _>>()?;
            let (records, next_page_token) = page.cut_within(records, size_bytes, cursor)?;
            Ok(pb::ExportPersonalDataResponse {
                records: records.into_iter().map(|(_, record)| record).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse(
    program_id: ProgramId,
    message: &pb::ExportPersonalDataRequest,
) -> Result<(MemberId, PageRequest<Cursor>), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let size = fields::page_size(message.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
    let size = v.check("page_size", size.and_then(PageSize::parse));
    let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
    let tokens = PageTokens::try_new(EXPORT, Some(program_id), &member_id)?;
    Ok((
        member_id,
        PageRequest::try_new(tokens, size, &message.page_token)?,
    ))
}

fn present(record: Record) -> Result<(Record, pb::PersonalRecord), ApiError> {
    let content_json = serde_json::to_string(&record.content).map_err(|error| ApiError::internal(&error))?;
    let told = pb::PersonalRecord {
        kind: record.kind.to_owned(),
        content_json,
    };
    Ok((record, told))
}
