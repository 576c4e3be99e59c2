//! Joining and leaving a household, and merging: one commit each, under the locks of all whom it concerns.

use std::collections::{HashMap, HashSet};

use fealty_postgres::requests::{self, Made};
use fealty_postgres::{Scope, StorageError, TransactError, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;

use super::domain::{self, DissolvePolicy, Owner, Redirection, Step};
use super::{Attempt, Owners, storage};
use crate::balances::domain::OwnerBalance;
use crate::balances::{Known, Redirect};
use crate::posting::Move;
use crate::posting::domain::OwnerState;
use crate::refusal::{LedgerError, Refusal, Resource};

/// Runs of a move whose owners are led elsewhere while it waits for their locks. Each needs another move of the same
/// owners in between, which happens to an owner a few times in their life.
const RUNS_MAX: u32 = 5;

const MOVE_OWNER: &str = "move_owner";

/// Owners that may use one account: a household's members, and everybody who was ever merged into one of them. Whatever
/// the account's owner is merged into writes a version of each, in one short transaction.
const USERS_PER_ACCOUNT_MAX: i64 = 500;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The owner uses the household's account from now on.
    Join {
        owner_id: OwnerId,
        household_owner_id: OwnerId,
    },
    /// The owner uses their own again.
    Leave { owner_id: OwnerId },
    /// The one owner is the other from now on.
    Merge {
        from_owner_id: OwnerId,
        into_owner_id: OwnerId,
    },
    /// The household is over.
    Dissolve {
        household_owner_id: OwnerId,
        heir_owner_id: OwnerId,
        policy: DissolvePolicy,
    },
}

impl What {
    /// Whose account goes elsewhere.
    const fn moving(self) -> OwnerId {
        match self {
            Self::Join { owner_id, .. } | Self::Leave { owner_id } => owner_id,
            Self::Merge { from_owner_id, .. } => from_owner_id,
            Self::Dissolve {
                household_owner_id, ..
            } => household_owner_id,
        }
    }

    /// Whose account may go elsewhere: who stays of two that are merged can take the other's place in a household.
    fn all_moving(self) -> Vec<OwnerId> {
        match self {
            Self::Join { owner_id, .. } | Self::Leave { owner_id } => vec![owner_id],
            Self::Merge {
                from_owner_id,
                into_owner_id,
            } => vec![from_owner_id, into_owner_id],
            Self::Dissolve {
                household_owner_id, ..
            } => vec![household_owner_id],
        }
    }

    /// The other owner that is named, if there is one.
    const fn other(self) -> Option<OwnerId> {
        match self {
            Self::Join {
                household_owner_id, ..
            } => Some(household_owner_id),
            Self::Leave { .. } => None,
            Self::Merge { into_owner_id, .. } => Some(into_owner_id),
            Self::Dissolve { heir_owner_id, .. } => Some(heir_owner_id),
        }
    }

    /// As statements tell it.
    fn reason(self) -> String {
        match self {
            Self::Join {
                owner_id,
                household_owner_id,
            } => format!("{owner_id} joins the household {household_owner_id}"),
            Self::Leave { owner_id } => format!("{owner_id} leaves the household"),
            Self::Merge {
                from_owner_id,
                into_owner_id,
            } => format!("{from_owner_id} is merged into {into_owner_id}"),
            Self::Dissolve {
                household_owner_id, ..
            } => format!("the household {household_owner_id} is dissolved"),
        }
    }
}

/// The owners that were named, as they are now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    /// Whose account went elsewhere.
    pub(super) owner: Owner,
    /// The other; the same where only one was named.
    pub(super) other: Owner,
}

/// A move that is decided or was made before.
struct Done {
    made: Made<Moved>,
    /// What may be shown of whom from now on.
    known: Vec<Known>,
    /// Whom it concerns, also where nothing is known of them here.
    changed: HashSet<OwnerId>,
}

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Somebody came to it while it waited for the locks, whom it has not locked.
    #[error("an owner was led elsewhere meanwhile")]
    Elsewhere,
}

impl From<StorageError> for MoveError {
    fn from(error: StorageError) -> Self {
        Self::Ledger(error.into())
    }
}

impl TransactError for MoveError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Ledger(error) => error.storage(),
            Self::Elsewhere => None,
        }
    }
}

impl Owners {
    /// Carries out a move once, however often its request comes.
    pub(super) async fn move_owner(
        &self,
        program: ProgramId,
        attempt: &Attempt,
        what: What,
    ) -> Result<Made<Moved>, LedgerError> {
        let balances = self.posting.balances();
        let named = std::iter::once(what.moving()).chain(what.other());
        let mut debt = balances.owe(program, named);
        let done = self.commit(program, attempt, what).await?;
        self.posting.wake_feed();
        debt.committed(done.changed);
        balances.write_through(program, &done.known, debt).await;
        Ok(done.made)
    }

    async fn commit(&self, program: ProgramId, attempt: &Attempt, what: What) -> Result<Done, LedgerError> {
        // Repeatable: whoever comes again finds the request claimed.
        let options = TransactOptions::default().repeatable();
        for _ in 0..RUNS_MAX {
            let committed = transact(&self.pool, MOVE_OWNER, Scope::Program(program), options, |tx| {
                in_tx(self.run_in_tx(tx, program, attempt, what))
            });
            match committed.await {
                Ok(done) => return Ok(done),
                Err(MoveError::Ledger(error)) => return Err(error),
                Err(MoveError::Elsewhere) => {}
            }
        }
        let transaction = MOVE_OWNER;
        Err(StorageError::LimitExceeded { transaction }.into())
    }

    async fn run_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        attempt: &Attempt,
        what: What,
    ) -> Result<Done, MoveError> {
        let (now, made) = (self.clock.now(), what.moving().as_uuid());
        let claimed = requests::claim_in_tx(&mut *tx, &attempt.request, made, now).await;
        let is_replay = claimed.map_err(LedgerError::from)?.is_some();
        let mut parties = Parties::lock_in_tx(&mut *tx, program, what).await?;
        if is_replay {
            // The answer to its COMMIT may have been lost: then this is the first to know of it.
            return Ok(Done {
                changed: parties.ids().collect(),
                known: Vec::new(),
                made: Made::before(parties.moved(what)?),
            });
        }
        let Some(plan) = parties.plan(what).map_err(LedgerError::from)? else {
            return Ok(Done {
                changed: HashSet::new(),
                known: Vec::new(),
                made: Made::now(parties.moved(what)?),
            });
        };
        require_room_in_tx(&mut *tx, program, &plan).await?;
        let order = Move {
            points: plan.points,
            sharing: plan.sharing.clone(),
            redirected: plan.redirections.iter().map(|it| it.owner_id).collect(),
            actor: attempt.actor.clone(),
            reason: what.reason(),
        };
        let concerned: Vec<OwnerId> = parties.ids().collect();
        let states = self
            .posting
            .move_in_tx(&mut *tx, program, &concerned, &order)
            .await?;
        storage::redirect_in_tx(tx, program, &plan.redirections).await?;
        let known = plan.known(&states);
        parties.apply(&plan.redirections, &states);
        Ok(Done {
            changed: known.iter().map(Known::owner_id).collect(),
            known,
            made: Made::now(parties.moved(what)?),
        })
    }
}

/// Refuses to lead more owners to an account than may use it.
async fn require_room_in_tx(tx: &mut PgConnection, program: ProgramId, plan: &Plan) -> Result<(), MoveError> {
    let Some(account) = plan.redirections.first().and_then(|it| it.account_owner_id) else {
        return Ok(());
    };
    let coming = i64::try_from(plan.redirections.len()).unwrap_or(i64::MAX);
    let there = storage::count_users_in_tx(tx, program, account).await?;
    if there.saturating_add(coming) <= USERS_PER_ACCOUNT_MAX {
        return Ok(());
    }
    let refusal = Refusal::CountExceeded {
        resource: Resource::Owner,
        count_max: USERS_PER_ACCOUNT_MAX,
    };
    Err(LedgerError::from(refusal).into())
}

/// All whom a move concerns, locked.
struct Parties {
    owners: HashMap<OwnerId, Owner>,
}

/// What a move comes to.
struct Plan {
    /// Whose account is emptied into which.
    points: Option<(OwnerId, OwnerId)>,
    /// Who has an equal share of them first, beside who takes the rest.
    sharing: Vec<OwnerId>,
    /// Who uses another account from now on; whose move it is first.
    redirections: Vec<Redirection>,
}

impl Parties {
    /// Locks them, and reads them in a new statement, because the locking one may have waited.
    async fn lock_in_tx(tx: &mut PgConnection, program: ProgramId, what: What) -> Result<Self, MoveError> {
        let named: Vec<OwnerId> = std::iter::once(what.moving()).chain(what.other()).collect();
        let moving = what.all_moving();
        let locked = storage::lock_parties_in_tx(&mut *tx, program, &named, &moving).await?;
        let read = storage::find_parties_in_tx(tx, program, &locked, &moving).await?;
        let locked: HashSet<OwnerId> = locked.into_iter().collect();
        let led_to = |owner_id: &OwnerId| {
            let owner = read.iter().find(|owner| owner.owner_id == *owner_id);
            owner.is_none_or(|owner| locked.contains(&owner.account_owner_id()))
        };
        if read.iter().all(|owner| locked.contains(&owner.owner_id)) && named.iter().all(led_to) {
            let owners = read.into_iter().map(|owner| (owner.owner_id, owner)).collect();
            Ok(Self { owners })
        } else {
            Err(MoveError::Elsewhere)
        }
    }

    fn ids(&self) -> impl Iterator<Item = OwnerId> {
        self.owners.keys().copied()
    }

    fn get(&self, owner_id: OwnerId) -> Result<&Owner, Refusal> {
        let owner = self.owners.get(&owner_id);
        owner.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id))
    }

    fn moved(&self, what: What) -> Result<Moved, LedgerError> {
        let owner = *self.get(what.moving())?;
        let other = what.other().map_or(Ok(&owner), |other| self.get(other))?;
        Ok(Moved { owner, other: *other })
    }

    /// What is to be done; `None` if it is so already.
    fn plan(&self, what: What) -> Result<Option<Plan>, Refusal> {
        let others: Vec<Owner> = self.owners.values().copied().collect();
        let owner = self.get(what.moving())?;
        let (step, account, redirections) = match what {
            What::Join {
                household_owner_id: account,
                ..
            } => {
                let step = domain::join(owner, self.get(account)?)?;
                (step, account, domain::redirect(owner, account, &others))
            }
            What::Leave { owner_id } => {
                let step = domain::leave(owner)?;
                (step, owner_id, domain::redirect(owner, owner_id, &others))
            }
            What::Merge { into_owner_id, .. } => {
                let into = self.get(into_owner_id)?;
                let step = domain::merge(owner, into)?;
                if let Some(household) = domain::place_to_take(owner, into) {
                    return self.plan_with_place(owner, into, self.get(household)?).map(Some);
                }
                let redirections = domain::redirect_merged(owner, into, &others);
                (step, into.account_owner_id(), redirections)
            }
            What::Dissolve {
                heir_owner_id,
                policy,
                ..
            } => return self.plan_dissolution(owner, self.get(heir_owner_id)?, policy),
        };
        if step == Step::Nothing {
            return Ok(None);
        }
        // What a household has is not one member's to take along.
        let has_own = owner.account_owner_id.is_none() && account != owner.owner_id;
        Ok(Some(Plan {
            points: has_own.then_some((owner.owner_id, account)),
            sharing: Vec::new(),
            redirections,
        }))
    }

    /// A merge of a household's member into one who has an account of their own: they join it in the same commit.
    fn plan_with_place(&self, from: &Owner, into: &Owner, household: &Owner) -> Result<Plan, Refusal> {
        domain::join(into, household)?;
        let others: Vec<Owner> = self.owners.values().copied().collect();
        let at_home = Owner {
            account_owner_id: Some(household.owner_id),
            ..*into
        };
        let mut redirections = domain::redirect(into, household.owner_id, &others);
        redirections.extend(domain::redirect_merged(from, &at_home, &others));
        Ok(Plan {
            points: Some((into.owner_id, household.owner_id)),
            sharing: Vec::new(),
            redirections,
        })
    }

    fn plan_dissolution(
        &self,
        household: &Owner,
        heir: &Owner,
        policy: DissolvePolicy,
    ) -> Result<Option<Plan>, Refusal> {
        let others: Vec<Owner> = self.owners.values().copied().collect();
        let dissolution = domain::dissolve(household, heir, policy, &others)?;
        Ok(dissolution.map(|it| Plan {
            points: Some((household.owner_id, heir.owner_id)),
            sharing: it.sharing,
            redirections: it.redirections,
        }))
    }

    /// The owners as they are once the plan is carried out.
    fn apply(&mut self, redirections: &[Redirection], states: &HashMap<OwnerId, OwnerState>) {
        for (owner_id, owner) in &mut self.owners {
            if let Some(state) = states.get(owner_id) {
                owner.version = state.version;
            }
        }
        for redirection in redirections {
            if let Some(owner) = self.owners.get_mut(&redirection.owner_id) {
                owner.account_owner_id = redirection.account_owner_id;
                owner.merged_into_owner_id = redirection.merged_into_owner_id;
                owner.status = redirection.status;
            }
        }
    }
}

impl Plan {
    /// What may be shown of everybody whom it changes.
    fn known(&self, states: &HashMap<OwnerId, OwnerState>) -> Vec<Known> {
        let balance = |owner_id: OwnerId| {
            let state = states.get(&owner_id)?;
            Some(Known::Balance(OwnerBalance::of(owner_id, state, state.last_time)))
        };
        let redirected = self.redirections.iter().filter_map(|it| {
            let Some(account_owner_id) = it.account_owner_id else {
                return balance(it.owner_id);
            };
            Some(Known::Redirect(Redirect {
                owner_id: it.owner_id,
                version: states.get(&it.owner_id)?.version,
                account_owner_id,
                account_version: states.get(&account_owner_id)?.version,
            }))
        });
        let taken = self.points.and_then(|(_, into)| balance(into));
        redirected.chain(taken).collect()
    }
}
