//! What an owner may do, and whose account they use.

use fealty_types::OwnerId;

use super::TransactionKind;
use crate::owners::domain::OwnerStatus;

/// An owner's standing, read under the owner's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What they may do.
    pub status: OwnerStatus,
    /// Whose account they earn to and spend from; `None` for their own.
    pub account_owner_id: Option<OwnerId>,
    /// Who is meant wherever they are named.
    pub merged_into_owner_id: Option<OwnerId>,
}

impl Standing {
    /// Of an owner who was just opened.
    pub const NEW: Self = Self {
        status: OwnerStatus::Active,
        account_owner_id: None,
        merged_into_owner_id: None,
    };

    /// The others of whom a posting has to know: whose account it is, and who is meant.
    pub fn others(&self) -> impl Iterator<Item = OwnerId> {
        [self.account_owner_id, self.merged_into_owner_id]
            .into_iter()
            .flatten()
    }
}

/// Why a kind of transaction is not for an owner of some status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// The owner is suspended.
    Suspended,
    /// The owner is closed.
    Closed,
}

/// Whether an owner of that status takes part in transactions of that kind. What was promised before is kept: points that
/// were set aside are spent or given back also of one who is suspended now, and given back of one who is closed; and what
/// was done can be taken back whoever they are.
///
/// A correction is the program's own doing, and whoever looks into a suspended account has most reason to make one. The
/// books of one who is closed only shrink by what was promised; to correct them, the owner is opened again, which leaves
/// its trace. A transfer is for neither, on either side: what is stolen goes no further, and nothing is sent to where
/// nobody can spend it.
#[must_use]
pub const fn barred(status: OwnerStatus, kind: TransactionKind) -> Option<Barred> {
    match (status, kind) {
        // Of one who was merged, the status of the other counts.
        (OwnerStatus::Active | OwnerStatus::Merged, _)
        | (
            OwnerStatus::Suspended,
            TransactionKind::Credit
            | TransactionKind::Purchase
            | TransactionKind::Refund
            | TransactionKind::Capture
            | TransactionKind::Release
            | TransactionKind::Expire
            | TransactionKind::Notice
            | TransactionKind::Activate
            | TransactionKind::Adjust
            | TransactionKind::Reverse,
        )
        | (
            OwnerStatus::Closed,
            TransactionKind::Refund
            | TransactionKind::Release
            | TransactionKind::Expire
            | TransactionKind::Notice
            | TransactionKind::Reverse,
        ) => None,
        (
            OwnerStatus::Suspended,
            TransactionKind::Spend
            | TransactionKind::Hold
            | TransactionKind::Move
            | TransactionKind::Transfer,
        ) => Some(Barred::Suspended),
        (
            OwnerStatus::Closed,
            TransactionKind::Credit
            | TransactionKind::Purchase
            | TransactionKind::Spend
            | TransactionKind::Hold
            | TransactionKind::Capture
            | TransactionKind::Move
            | TransactionKind::Activate
            | TransactionKind::Adjust
            | TransactionKind::Transfer,
        ) => Some(Barred::Closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: OwnerStatus) -> Vec<TransactionKind> {
        let kinds = TransactionKind::ALL.into_iter();
        kinds.filter(|kind| barred(status, *kind).is_some()).collect()
    }

    #[test]
    fn who_is_suspended_earns_and_who_is_closed_only_gives_back() {
        use TransactionKind as Kind;

        assert_eq!(refused(OwnerStatus::Active), []);
        assert_eq!(refused(OwnerStatus::Merged), []);
        assert_eq!(
            refused(OwnerStatus::Suspended),
            [Kind::Spend, Kind::Hold, Kind::Move, Kind::Transfer]
        );
        let only: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| !refused(OwnerStatus::Closed).contains(kind))
            .collect();
        assert_eq!(
            only,
            [
                Kind::Expire,
                Kind::Refund,
                Kind::Release,
                Kind::Notice,
                Kind::Reverse
            ]
        );
    }
}
