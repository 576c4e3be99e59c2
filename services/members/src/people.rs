//! The people of a program: enrolled with their consent, known by what they chose to tell, found by their identifiers.
//!
//! Who is enrolled is known to the ledger first, and to nobody before ([`Enrolments`]).

mod asked;
mod cards;
mod days;
pub mod domain;
mod duplicates;
mod enrol;
mod events;
pub mod grpc;
mod guardians;
mod identifiers;
mod listing;
mod merging;
mod noting;
mod seal;
mod storage;
mod tiers;
mod traits;
mod updating;
mod verifying;

use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{IdentifierId, MemberId, ProgramId, SharedClock};
use fealty_vault::{DataKey, Person, Personal, Vault};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

pub(crate) use asked::{find_bearer_of_in_tx, find_guardian_in_tx, find_key_in_tx, find_status_in_tx};
pub use cards::{Block, Replacement};
pub use duplicates::DuplicatesPage;
pub use enrol::Enrolments;
pub(crate) use guardians::check_takes_wards_in_tx;
pub use listing::{Found, Wanted};
pub(crate) use merging::take_over_identifiers_in_tx;
pub(crate) use seal::{keyed, lookup_hash};
pub(crate) use storage::{accept_policy_in_tx, parse_status};
pub use tiers::NewTier;
pub(crate) use traits::note_missing as note_missing_traits;
pub use updating::Update;
pub use verifying::Verified;

use crate::ladders::tiers_in_tx;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{IdentifierValue, Member, MemberStatus};

/// Looks for who has a card that somebody gets at that moment: the second finds them, or the card has gone on to another.
const LOOKS_MAX: usize = 2;

/// What can be done with the people of a program, but for enrolling them.
#[derive(Debug, Clone)]
pub struct People {
    service: PgPool,
    vault: Vault,
    clock: SharedClock,
    waker: FeedWaker,
}

impl People {
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

    /// A member.
    pub async fn get(&self, program_id: ProgramId, member_id: MemberId) -> Result<Member, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_member", scope, options, |tx| {
            in_tx(async move {
                let found = find_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                let (mut member, _) = found.ok_or_else(|| not_found(member_id))?;
                self.add_tiers_in_tx(tx, program_id, [&mut member]).await?;
                Ok(member)
            })
        })
        .await
    }

    /// The member who bears an identifier, and which of theirs it is.
    pub async fn lookup(
        &self,
        program_id: ProgramId,
        value: &IdentifierValue,
    ) -> Result<(Member, IdentifierId), MembersError> {
        let value_hash = lookup_hash(&self.vault, program_id, value);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "lookup_member", scope, options, |tx| {
            in_tx(async move {
                let nobody = Refusal::NobodyBears {
                    kind: value.kind().field(),
                    card_status: None,
                };
                for _ in 0..LOOKS_MAX {
                    if let Some(bearer) = storage::find_bearer_in_tx(&mut *tx, program_id, value_hash).await?
                    {
                        if let Some(card) = bearer.card {
                            card.check_finds()?;
                        }
                        let found = find_in_tx(&mut *tx, &self.vault, program_id, bearer.member_id).await?;
                        let (mut member, _) = found.ok_or(nobody)?;
                        self.add_tiers_in_tx(tx, program_id, [&mut member]).await?;
                        return Ok((member, bearer.identifier_id));
                    }
                    let why = cards::nobody_by_in_tx(&mut *tx, program_id, value.kind(), value_hash).await?;
                    if let Some(why) = why {
                        return Err(why.into());
                    }
                }
                Err(nobody.into())
            })
        })
        .await
    }

    /// Adds the tiers that members have now.
    async fn add_tiers_in_tx<'a>(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        members: impl IntoIterator<Item = &'a mut Member>,
    ) -> Result<(), StorageError> {
        let members: Vec<&mut Member> = members.into_iter().collect();
        let ids: Vec<MemberId> = members.iter().map(|member| member.member_id).collect();
        let mut tiers = tiers_in_tx(tx, program_id, &ids, self.clock.now()).await?;
        for member in members {
            member.standing.tiers = tiers.remove(&member.member_id).unwrap_or_default();
        }
        Ok(())
    }
}

/// Keeps everybody else from changing a member until the end of the transaction, and says what they may do. None when
/// the program has no such member, or none whose enrolment is finished.
pub(crate) async fn lock_status_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<MemberStatus>, StorageError> {
    storage::lock_status_in_tx(tx, program_id, member_id).await
}

/// Whether the program has a member whose enrolment is finished, whatever they may still do.
pub(crate) async fn is_enrolled_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<bool, StorageError> {
    storage::is_enrolled_in_tx(tx, program_id, member_id).await
}

/// Seals words about a member under the member's key.
pub(crate) async fn seal_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    person: Person,
    field: &str,
    words: &Personal,
) -> Result<Vec<u8>, MembersError> {
    let found = find_in_tx(tx, vault, person.program_id, person.member_id).await?;
    let (_, key) = found.ok_or_else(|| not_found(person.member_id))?;
    Ok(key.seal(field, words))
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Member, member_id)
}

/// The member, if their enrolment is finished, and their key.
async fn find_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Option<(Member, DataKey)>, MembersError> {
    let sealed = storage::find_in_tx(tx, program_id, member_id).await?;
    let finished = sealed.filter(|sealed| sealed.ledger_confirmed);
    let opened: Result<_, StorageError> = finished
        .map(|sealed| seal::open(vault, program_id, sealed))
        .transpose();
    Ok(opened?)
}

/// The same, kept from changes by anybody else; they must exist.
async fn lock_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<(Member, DataKey), MembersError> {
    if !storage::lock_in_tx(&mut *tx, program_id, member_id).await? {
        return Err(not_found(member_id).into());
    }
    // Read after the lock: what another one changed while we waited is seen.
    let found = find_in_tx(tx, vault, program_id, member_id).await?;
    found.ok_or_else(|| not_found(member_id).into())
}
