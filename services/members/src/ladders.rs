//! Tiers and clubs: ladders that members climb by what they earn, spend or how often they buy.
//!
//! What counts is kept by days, whatever ladders there are. Where somebody stands follows from that alone
//! ([`domain`]), so nothing is right only because a job ran: what is stored of a tier says until when it can be believed,
//! and past that instant whoever asks judges anew.

pub mod domain;
mod evaluating;
mod following;
mod granting;
pub mod grpc;
mod keeping;
mod person;
mod settling;
mod storage;
mod telling;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{ProgramId, SharedClock, uuid_v7};
use fealty_vault::Vault;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::refusal::{MembersError, Refusal, Resource};
use domain::{Definition, LADDERS_MAX, Ladder, LadderCode, VERSIONS_MAX, day_of};
pub use evaluating::Progress;
pub(crate) use following::count_in_tx;
pub use granting::ShownGrant;
pub(crate) use keeping::Keeping;
pub(crate) use settling::settle_in_tx;
use storage::Head;
pub use storage::StoredChange;
pub(crate) use telling::tiers_in_tx;
pub use telling::{Entitlement, HeldTier, Standing};

/// What ladders say no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LadderRefusal {
    /// Another version was published meanwhile.
    Outdated {
        /// Of which ladder.
        ladder_code: LadderCode,
        /// The newest.
        version: i64,
    },
    /// The ladder is retired.
    Retired(LadderCode),
    /// The version in force has no such tier.
    TierUnknown {
        /// Of which ladder.
        ladder_code: LadderCode,
        /// Which.
        tier_code: String,
    },
    /// A tier of another ladder has that code.
    TierTaken {
        /// Of which ladder.
        ladder_code: LadderCode,
        /// Which.
        tier_code: String,
    },
    /// There are as many as there may be.
    Full {
        /// Of what.
        resource: &'static str,
        /// How many there may be.
        count_max: i64,
    },
}

/// A version to be published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// What the ladder is to be.
    pub definition: Definition,
    /// The newest version that the publisher knows; 0 for none.
    pub known_version: i64,
    /// A staff member or a key.
    pub actor: String,
}

/// What can be done with ladders, and asked of them.
#[derive(Debug, Clone)]
pub struct Ladders {
    service: PgPool,
    vault: Vault,
    clock: SharedClock,
    waker: FeedWaker,
}

impl Ladders {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, vault: Vault, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
            vault,
            clock,
            waker,
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Puts a version into force.
    pub async fn publish(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &Publication,
    ) -> Result<Made<Ladder>, MembersError> {
        let publication_id = uuid_v7(self.clock.now());
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "publish_ladder", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, publication_id, self.clock.now()).await? {
                    let ladder = storage::find_published_in_tx(tx, program_id, made).await?;
                    let lost = || StorageError::corrupt("request.resource_id", "names no ladder");
                    return Ok(Made::before(ladder.ok_or_else(lost)?));
                }
                let zone = storage::lock_program_in_tx(&mut *tx, program_id).await?;
                let heads = storage::load_heads_in_tx(&mut *tx, program_id).await?;
                let version = next_version(&heads, new)?;
                // The time after the wait for those before us.
                let now = self.clock.now();
                let ladder = Ladder {
                    definition: new.definition.clone(),
                    version,
                    start_day: day_of(now, zone),
                    create_time: now,
                    retire_time: None,
                };
                storage::insert_version_in_tx(tx, program_id, &ladder, (publication_id, &new.actor)).await?;
                Ok(Made::now(ladder))
            })
        })
        .await
    }

    /// A version of a ladder, or the newest.
    pub async fn get(
        &self,
        program_id: ProgramId,
        ladder_code: &LadderCode,
        version: Option<i64>,
    ) -> Result<Ladder, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "get_ladder", scope, options, |tx| {
            in_tx(async move { get_in_tx(tx, program_id, ladder_code, version).await })
        })
        .await
    }

    /// The newest versions of ladders after one of them, by their codes.
    pub async fn list(
        &self,
        program_id: ProgramId,
        after: Option<&str>,
        count_max: i64,
    ) -> Result<Vec<Ladder>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_ladders", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_newest_in_tx(tx, program_id, after, count_max).await?) })
        })
        .await
    }

    /// Ends a ladder.
    pub async fn retire(
        &self,
        program_id: ProgramId,
        request: &Request,
        ladder_code: &LadderCode,
    ) -> Result<Made<Ladder>, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "retire_ladder", scope, options, |tx| {
            in_tx(async move {
                let before = claim_in_tx(&mut *tx, request, uuid_v7(now), now).await?;
                storage::lock_program_in_tx(&mut *tx, program_id).await?;
                if before.is_none() {
                    storage::retire_in_tx(&mut *tx, program_id, ladder_code, now).await?;
                }
                let ladder = get_in_tx(tx, program_id, ladder_code, None).await?;
                Ok(match before {
                    Some(_) => Made::before(ladder),
                    None => Made::now(ladder),
                })
            })
        })
        .await
    }

    /// How a member came into their tiers and out of them, before one of the changes, newest first.
    pub async fn list_changes(
        &self,
        program_id: ProgramId,
        member_id: fealty_types::MemberId,
        before: Option<i64>,
        count_max: i64,
    ) -> Result<Vec<StoredChange>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_tier_changes", scope, options, |tx| {
            in_tx(async move {
                check_enrolled_in_tx(&mut *tx, program_id, member_id).await?;
                Ok(storage::list_changes_in_tx(tx, program_id, member_id, before, count_max).await?)
            })
        })
        .await
    }
}

/// What was told of anybody's tiers in a program is believed no more: whoever asks judges anew, and so does the job.
pub(crate) async fn distrust_in_tx(tx: &mut PgConnection, program_id: ProgramId) -> Result<(), StorageError> {
    storage::distrust_in_tx(tx, program_id).await
}

async fn check_enrolled_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: fealty_types::MemberId,
) -> Result<(), MembersError> {
    if crate::people::is_enrolled_in_tx(tx, program_id, member_id).await? {
        Ok(())
    } else {
        Err(Refusal::not_found(Resource::Member, member_id).into())
    }
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    ladder_code: &LadderCode,
    version: Option<i64>,
) -> Result<Ladder, MembersError> {
    let found = storage::find_version_in_tx(tx, program_id, ladder_code, version).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Ladder, ladder_code).into())
}

/// The number of a version that is to be published, if nothing speaks against it.
fn next_version(heads: &[Head], new: &Publication) -> Result<i64, LadderRefusal> {
    let code = &new.definition.ladder_code;
    let own = heads.iter().find(|head| head.ladder_code == *code);
    let version = own
        .and_then(|head| head.versions.last())
        .map_or(0, |newest| newest.version);
    if own.is_some_and(|head| head.retire_time.is_some()) {
        return Err(LadderRefusal::Retired(code.clone()));
    }
    if version != new.known_version {
        return Err(LadderRefusal::Outdated {
            ladder_code: code.clone(),
            version,
        });
    }
    if own.is_none() && heads.len() >= LADDERS_MAX {
        return Err(LadderRefusal::Full {
            resource: "ladders",
            count_max: i64::try_from(LADDERS_MAX).unwrap_or(i64::MAX),
        });
    }
    if version >= VERSIONS_MAX {
        return Err(LadderRefusal::Full {
            resource: "ladder_versions",
            count_max: VERSIONS_MAX,
        });
    }
    let others = heads
        .iter()
        .filter(|head| head.ladder_code != *code && head.retire_time.is_none());
    for other in others.filter_map(|head| head.versions.last()) {
        for tier in &new.definition.tiers {
            if other.definition.rank_of(&tier.code).is_some() {
                return Err(LadderRefusal::TierTaken {
                    ladder_code: other.definition.ladder_code.clone(),
                    tier_code: tier.code.to_string(),
                });
            }
        }
    }
    Ok(version + 1)
}

impl From<LadderRefusal> for MembersError {
    fn from(refusal: LadderRefusal) -> Self {
        Refusal::Ladder(refusal).into()
    }
}

/// Whether an instant is still to come.
fn is_ahead(time: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    time.is_none_or(|time| now < time)
}
