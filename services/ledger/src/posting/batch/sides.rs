//! Whose accounts a call is about.

use chrono::DateTime;
use fealty_types::OwnerId;

use super::{Batch, Call, Refusal, Room, Spender, TransactionKind};
use crate::refusal::Resource;

/// Whose accounts a call is about, as they are led under the locks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    pub(super) account: OwnerId,
    /// Of a transfer: the receiver's.
    pub(super) counterpart: Option<OwnerId>,
}

impl Sides {
    pub(super) fn accounts(self) -> impl Iterator<Item = OwnerId> {
        std::iter::once(self.account).chain(self.counterpart)
    }
}

impl<R: Room> Batch<R> {
    /// Whose accounts a call is about: that of who has what it is about, else that of who was named.
    pub(super) fn sides_of(&self, call: &Call<R::Work>) -> Result<Sides, Refusal> {
        let account = self.account_of(call.owner_id)?;
        let counterpart = call.counterpart_id.map(|named| self.account_of(named));
        let counterpart = counterpart.transpose()?;
        Ok(Sides {
            account: self
                .holder_of(call, [Some(account), counterpart])?
                .unwrap_or(account),
            counterpart: counterpart.filter(|_| call.kind == TransactionKind::Transfer),
        })
    }

    /// Who has what the call is about, if that is kept apart from who was named. They have to be among those whom the call
    /// has locked, whoever else is by other calls of the batch: alone it would be answered the same.
    fn holder_of(
        &self,
        call: &Call<R::Work>,
        accounts: [Option<OwnerId>; 2],
    ) -> Result<Option<OwnerId>, Refusal> {
        let accounts = accounts.into_iter().flatten();
        let last_times = accounts.clone().map(|account| self.owner(account).last_time);
        let at = last_times.fold(self.now, DateTime::max);
        let Some(holder) = R::holder(&self.room, &call.work, at) else {
            return Ok(None);
        };
        let mut locked = call.owner_ids().chain(accounts);
        if locked.any(|owner_id| owner_id == holder) {
            Ok(Some(holder))
        } else {
            Err(Refusal::HeldElsewhere(holder))
        }
    }

    /// Who spends: who was named, or whom what they go on with named.
    pub(super) fn spender(&self, call: &Call<R::Work>, account: OwnerId) -> Spender<'_> {
        let named = call.on_behalf_of.unwrap_or(call.owner_id);
        let owner = self.books.find(named);
        let meant = owner.and_then(|owner| owner.standing.merged_into_owner_id);
        let owner_id = meant.unwrap_or(named);
        Spender {
            account_owner_id: account,
            named_owner_id: named,
            owner_id,
            limits: self
                .books
                .find(owner_id)
                .and_then(|owner| owner.limits.as_deref()),
        }
    }

    /// Whose account somebody uses.
    fn account_of(&self, named: OwnerId) -> Result<OwnerId, Refusal> {
        let owner = self.books.find(named);
        let owner = owner.ok_or_else(|| Refusal::not_found(Resource::Owner, named))?;
        Ok(owner.standing.account_owner_id.unwrap_or(named))
    }
}
