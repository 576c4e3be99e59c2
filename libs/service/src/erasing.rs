//! Erases a service's part of those whom members has erased, and says so.
//!
//! The service follows members' events by a position of its own, so what it is told is applied once, and again after its
//! database was restored. Applying writes the erasure down (`person_erasure`), and a job then confirms it to members: both
//! may be done again. The row also outlives the person: whatever comes late about them is refused by it.
//!
//! ```sql
//! CREATE TABLE person_erasure (
//!     program uuid NOT NULL,
//!     member_id uuid NOT NULL,
//!     erasure_id uuid NOT NULL,
//!     erase_time timestamptz NOT NULL,
//!     confirm_time timestamptz,
//!     PRIMARY KEY (program, member_id)
//! );
//! CREATE INDEX person_erasure_open ON person_erasure (erase_time) WHERE confirm_time IS NULL;
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use fealty_client::{EventsClient, MembersClient};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType, MemberErased};
use fealty_proto::members::v1::ConfirmErasureRequest;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::violations::Violations;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use tokio::time::sleep;
use uuid::Uuid;

use crate::config::PeerConfig;
use crate::consumer::{ConsumeError, Consumer, Handler, Source};
use crate::ground::Ground;

/// The consumer's name among a service's positions.
const CONSUMER: &str = "members_erasures";

/// How often unconfirmed erasures are looked for.
const CONFIRM_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for members' answer.
const CONFIRM_WAIT_MAX: Duration = Duration::from_secs(3);

/// Erasures that are confirmed in one round.
const CONFIRM_COUNT_MAX: i64 = 100;

/// Erases what a service keeps of people.
pub trait ErasePerson: Send + Sync + 'static {
    /// Erases a person, by all their records. Again changes nothing. Runs with the jobs' role.
    fn erase_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        member_ids: &[MemberId],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;
}

/// What a service needs to follow erasures.
#[derive(Debug, Clone)]
pub struct Erasing {
    ground: Ground,
    events: EventsClient,
    members: MembersClient,
}

struct ErasureHandler<E> {
    ground: Ground,
    erase: E,
}

impl<E: ErasePerson> Handler for ErasureHandler<E> {
    async fn apply_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let Some(Payload::MemberErased(erased)) = &event.payload else {
            return Ok(());
        };
        let (program_id, erasure_id, member_ids) =
            read(event, erased).map_err(|error| ConsumeError::Poison(error.to_string()))?;
        let now = self.ground.clock.now();
        self.erase
            .erase_in_tx(&mut *tx, program_id, &member_ids, now)
            .await?;
        Ok(note_in_tx(tx, program_id, erasure_id, (&member_ids, now)).await?)
    }
}

fn read(event: &Event, erased: &MemberErased) -> Result<(ProgramId, Uuid, Vec<MemberId>), ApiError> {
    let mut v = Violations::default();
    let program_id = v.check("program_id", fields::parse::<ProgramId>(&event.program_id));
    let erasure_id = v.check("erasure_id", fields::parse::<Uuid>(&erased.erasure_id));
    let member_ids = v.each("member_ids", &erased.member_ids, |v, id| {
        v.check("", fields::parse::<MemberId>(id))
    });
    v.finish_with(|| Some((program_id?, erasure_id?, member_ids?)))
}

impl Erasing {
    /// None while there is no key to members.
    pub fn try_new<const PORT: u16>(
        ground: &Ground,
        members: &PeerConfig<PORT>,
    ) -> Result<Option<Self>, fealty_client::ConnectError> {
        if !members.has_key() {
            return Ok(None);
        }
        Ok(Some(Self {
            ground: ground.clone(),
            events: EventsClient::try_new(&members.client())?,
            members: MembersClient::try_new(&members.client())?,
        }))
    }
}

/// Follows members; ends only by being dropped. Without a key to members nobody is erased here.
pub async fn keep_erasing(erasing: Option<Erasing>, erase: impl ErasePerson) {
    let Some(erasing) = erasing else {
        tracing::warn!("no members.service_key is set: whoever members erases stays here");
        return std::future::pending().await;
    };
    let source = Source {
        events: erasing.events.clone(),
        event_types: vec![EventType::MemberErased],
    };
    let handler = ErasureHandler {
        ground: erasing.ground.clone(),
        erase,
    };
    let consumer = Consumer::new(CONSUMER, source, &erasing.ground, handler);
    tokio::join!(
        Box::pin(consumer.clone().keep_consuming()),
        Box::pin(consumer.keep_retrying()),
        Box::pin(keep_confirming(erasing)),
    );
}

async fn keep_confirming(erasing: Erasing) {
    loop {
        if let Err(error) = confirm_open(&erasing).await {
            tracing::warn!(service = erasing.ground.name, %error, "erasures are confirmed in the next round");
        }
        sleep(CONFIRM_INTERVAL).await;
    }
}

async fn confirm_open(erasing: &Erasing) -> Result<(), StorageError> {
    for (program_id, erasure_id) in list_open(&erasing.ground).await? {
        let request = ConfirmErasureRequest {
            erasure_id: erasure_id.to_string(),
            service: erasing.ground.name.to_owned(),
        };
        let members = erasing.members.for_program(program_id).within(CONFIRM_WAIT_MAX);
        match members.confirm_erasure(request).await {
            Ok(_) => {}
            // Members was restored to before it: its operator's list brings the erasure back, and its event with it.
            Err(error) if error.reason == Some(ErrorReason::ResourceNotFound) => {
                tracing::warn!(%erasure_id, "members does not know an erasure that was done here");
            }
            Err(error) => {
                tracing::warn!(%error, %erasure_id, "members was not told of an erasure");
                return Ok(());
            }
        }
        set_confirmed(&erasing.ground, program_id, erasure_id).await?;
    }
    Ok(())
}

/// Whether somebody was erased: nothing new about them is taken.
pub async fn is_erased_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    let found: Option<i32> =
        sqlx::query_scalar("SELECT 1 FROM person_erasure WHERE program = $1 AND member_id = $2")
            .bind(program_id.as_uuid())
            .bind(member_id.as_uuid())
            .fetch_optional(tx)
            .await?;
    Ok(found.is_some())
}

/// Notes the erasure, anew where members tells of it again: then it is confirmed again, too.
async fn note_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    erasure_id: Uuid,
    (member_ids, now): (&[MemberId], DateTime<Utc>),
) -> Result<(), StorageError> {
    let member_ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
    sqlx::query(
        "INSERT INTO person_erasure AS e (program, member_id, erasure_id, erase_time) \
         SELECT $1, u.member_id, $2, $4 FROM unnest($3::uuid[]) AS u (member_id) \
         ON CONFLICT (program, member_id) DO UPDATE SET erasure_id = EXCLUDED.erasure_id, confirm_time = NULL",
    )
    .bind(program_id.as_uuid())
    .bind(erasure_id)
    .bind(member_ids)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn list_open(ground: &Ground) -> Result<Vec<(ProgramId, Uuid)>, StorageError> {
    let options = TransactOptions::read_only();
    let rows: Vec<(ProgramId, Uuid)> = transact(
        &ground.jobs,
        "unconfirmed_erasures",
        Scope::Suite,
        options,
        |tx| {
            in_tx(async move {
                let rows = sqlx::query_as(
                    "SELECT program, erasure_id FROM person_erasure WHERE confirm_time IS NULL \
                     GROUP BY program, erasure_id ORDER BY min(erase_time) LIMIT $1",
                )
                .bind(CONFIRM_COUNT_MAX)
                .fetch_all(tx)
                .await?;
                Ok::<_, StorageError>(rows)
            })
        },
    )
    .await?;
    Ok(rows)
}

async fn set_confirmed(ground: &Ground, program_id: ProgramId, erasure_id: Uuid) -> Result<(), StorageError> {
    let now = ground.clock.now();
    let options = TransactOptions::default().repeatable();
    transact(&ground.jobs, "confirmed_erasure", Scope::Suite, options, |tx| {
        in_tx(async move {
            sqlx::query(
                "UPDATE person_erasure SET confirm_time = $3 \
                 WHERE program = $1 AND erasure_id = $2 AND confirm_time IS NULL",
            )
            .bind(program_id.as_uuid())
            .bind(erasure_id)
            .bind(now)
            .execute(tx)
            .await?;
            Ok::<_, StorageError>(())
        })
    })
    .await
}
