//! Data about members that was disclosed to somebody outside, and on what basis. Where the other side of the contract has
//! to be told, the record and the event that says so are one commit.

pub mod domain;
pub mod grpc;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_proto::events::v1::DisclosureNotificationDue;
use fealty_proto::events::v1::event::Payload;
use fealty_service::events::new_event;
use fealty_types::{MemberId, ProgramId, uuid_v7};
use fealty_vault::{DataKey, Personal, Vault};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::means::Means;
use crate::people;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{Basis, Disclosure};
use storage::SealedDisclosure;

/// Records and lists disclosures.
#[derive(Debug, Clone)]
pub struct Disclosures {
    means: Means,
}

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct NewDisclosure {
    /// About whom.
    pub member_id: MemberId,
    /// On what basis.
    pub basis: Basis,
    /// To whom.
    pub recipient: Personal,
    /// What.
    pub content: Personal,
    /// When; now if the caller does not say.
    pub disclose_time: Option<DateTime<Utc>>,
    /// Who records it.
    pub actor: String,
}

impl Disclosures {
    /// Over the service's database, its vault and what tells the feed.
    #[must_use]
    pub const fn new(means: Means) -> Self {
        Self { means }
    }

    /// The time by which what is said is judged.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.means.clock.now()
    }

    /// Records a disclosure.
    pub async fn record(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewDisclosure,
    ) -> Result<Made<Disclosure>, MembersError> {
        let vault = &self.means.vault;
        let request = &people::keyed(vault, program_id, request);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.means.service, "record_disclosure", scope, options, |tx| {
            in_tx(async move {
                let now = self.means.clock.now();
                let disclosure_id = uuid_v7(now);
                if let Some(earlier) = claim_in_tx(&mut *tx, request, disclosure_id, now).await? {
                    let found = get_in_tx(tx, vault, program_id, (new.member_id, earlier)).await?;
                    return Ok(Made::before(found));
                }
                people::lock_status_in_tx(&mut *tx, program_id, new.member_id)
                    .await?
                    .ok_or_else(|| not_found(new.member_id))?;
                let key = key_in_tx(&mut *tx, vault, program_id, new.member_id).await?;
                let disclosure = new.at(disclosure_id, now);
                let field = |name| field_of(disclosure_id, name);
                let recipient = key.seal(&field("recipient"), &new.recipient);
                let content = key.seal(&field("content"), &new.content);
                storage::insert_in_tx(&mut *tx, program_id, &disclosure, (&recipient, &content)).await?;
                if new.basis.is_to_be_told() {
                    append_in_tx(tx, program_id, &[notification_due(&disclosure)]).await?;
                }
                Ok::<_, MembersError>(Made::now(disclosure))
            })
        })
        .await?;
        self.means.waker.wake();
        Ok(made)
    }

    /// What was disclosed about a member, newest first.
    pub async fn list(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        before: Option<(DateTime<Utc>, Uuid)>,
        count_max: i64,
    ) -> Result<Vec<Disclosure>, MembersError> {
        let vault = &self.means.vault;
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.means.service, "list_disclosures", scope, options, |tx| {
            in_tx(async move {
                let key = key_in_tx(&mut *tx, vault, program_id, member_id).await?;
                let place = (before, count_max);
                let found = storage::list_in_tx(tx, program_id, member_id, None, place).await?;
                let opened: Result<_, StorageError> = found.into_iter().map(|one| open(&key, one)).collect();
                Ok::<_, MembersError>(opened?)
            })
        })
        .await
    }
}

impl NewDisclosure {
    fn at(&self, disclosure_id: Uuid, now: DateTime<Utc>) -> Disclosure {
        Disclosure {
            disclosure_id,
            member_id: self.member_id,
            basis: self.basis,
            recipient: Some(self.recipient.clone()),
            content: Some(self.content.clone()),
            disclose_time: self.disclose_time.unwrap_or(now).min(now),
            actor: self.actor.clone(),
            create_time: now,
        }
    }
}

async fn key_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<DataKey, MembersError> {
    let found = people::find_key_in_tx(tx, vault, program_id, member_id).await?;
    found.ok_or_else(|| not_found(member_id).into())
}

async fn get_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    (member_id, disclosure_id): (MemberId, Uuid),
) -> Result<Disclosure, MembersError> {
    let key = key_in_tx(&mut *tx, vault, program_id, member_id).await?;
    let found = storage::list_in_tx(tx, program_id, member_id, Some(disclosure_id), (None, 1)).await?;
    let found = found.into_iter().next();
    let found = found.ok_or_else(|| StorageError::corrupt("request.resource_id", "made no disclosure"))?;
    Ok(open(&key, found)?)
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}

/// What a value is bound to: its own row.
fn field_of(disclosure_id: Uuid, column: &str) -> String {
    format!("disclosure/{disclosure_id}/{column}")
}

fn open(key: &DataKey, sealed: SealedDisclosure) -> Result<Disclosure, StorageError> {
    let text = |name: &'static str, bytes: Option<Vec<u8>>| {
        bytes
            .map(|bytes| key.open_field(&field_of(sealed.disclosure_id, name), &bytes))
            .transpose()
            .map_err(|error| StorageError::corrupt(name, error))
    };
    Ok(Disclosure {
        disclosure_id: sealed.disclosure_id,
        member_id: sealed.member_id,
        basis: storage::parse_basis(&sealed.basis)?,
        recipient: text("recipient", sealed.recipient)?,
        content: text("content", sealed.content)?,
        disclose_time: sealed.disclose_time,
        actor: sealed.actor,
        create_time: sealed.create_time,
    })
}

fn notification_due(disclosure: &Disclosure) -> NewEvent {
    let payload = Payload::DisclosureNotificationDue(DisclosureNotificationDue {
        disclosure_id: disclosure.disclosure_id.to_string(),
    });
    let (member_id, now) = (disclosure.member_id.as_uuid(), disclosure.create_time);
    new_event(member_id, payload, now, now)
}
