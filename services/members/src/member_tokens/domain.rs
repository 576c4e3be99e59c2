//! What a member token may carry, for whom and for how long. Pure.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use fealty_proto::access::v1::Scope;
use fealty_types::MemberId;

use crate::people::domain::MemberStatus;
use crate::refusal::Refusal;

/// How long a token is good for whose issuer does not say: longer than most people look at their points.
pub const TIME_TO_LIVE_DEFAULT: TimeDelta = TimeDelta::minutes(15);

/// What the scopes that only read are called by.
const READ_SUFFIX: &str = "_READ";

/// A token to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// For whom.
    pub member_id: MemberId,
    /// What it may do; nothing said is everything that only reads.
    pub scopes: Vec<Scope>,
    /// How long it is good for.
    pub time_to_live: TimeDelta,
}

/// What a token is to carry: what is asked for, if the key has it; unasked, what the key has that only reads. `grantable` is
/// what a token can carry at all.
pub fn choose(asked: &[Scope], own: &[Scope], grantable: &BTreeSet<Scope>) -> Result<Vec<Scope>, Refusal> {
    if let Some(lacking) = asked.iter().find(|scope| !own.contains(scope)) {
        return Err(Refusal::ScopeMissing(*lacking));
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let reads = |scope: &&Scope| scope.as_str_name().ends_with(READ_SUFFIX);
    let reading = own.iter().filter(reads).filter(|scope| grantable.contains(scope));
    let reading: Vec<Scope> = reading.copied().collect();
    if reading.is_empty() {
        return Err(Refusal::FieldInvalid {
            field: "scopes",
            description: "must be named: the key has none that only reads and that a token can carry",
        });
    }
    Ok(reading)
}

/// Who may do nothing any more is shown nothing either; who may only not spend still looks.
pub fn check_member(member_id: MemberId, status: MemberStatus) -> Result<(), Refusal> {
    match status {
        MemberStatus::Active | MemberStatus::Suspended => Ok(()),
        MemberStatus::Closed | MemberStatus::Merged | MemberStatus::Excluded => {
            Err(Refusal::MemberNotActive { member_id, status })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grantable() -> BTreeSet<Scope> {
        BTreeSet::from([Scope::LedgerRead, Scope::RedemptionsWrite])
    }

    #[test]
    fn unasked_a_token_reads_what_its_key_reads_of_members() {
        let own = [Scope::LedgerRead, Scope::LedgerWrite, Scope::AccessRead];
        assert_eq!(choose(&[], &own, &grantable()), Ok(vec![Scope::LedgerRead]));
    }

    #[test]
    fn nobody_hands_out_what_they_lack() {
        assert_eq!(
            choose(&[Scope::LedgerRead], &[Scope::RewardsRead], &grantable()),
            Err(Refusal::ScopeMissing(Scope::LedgerRead))
        );
        assert!(choose(&[], &[Scope::LedgerWrite], &grantable()).is_err());
    }
}
