//! Member tokens: what an app or a web page shows in place of a key. Issued by means of the key that asks for them, and kept
//! nowhere: every service verifies them by itself.

pub mod domain;
pub mod grpc;

use std::collections::BTreeSet;

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_proto::MemberAccess;
use fealty_proto::access::v1::Scope as AccessScope;
use fealty_rpc::access::{ApiKeySecret, CallerKey, MemberGrant};
use fealty_types::{ProgramId, SharedClock, uuid_v7};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::api_keys;
use crate::people;
use crate::refusal::{MembersError, Refusal, Resource};
use domain::{NewToken, check_member, choose};

/// What can be done about member tokens.
#[derive(Debug, Clone)]
pub struct MemberTokens {
    service: PgPool,
    clock: SharedClock,
}

/// A token that was issued just now.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What it says.
    pub grant: MemberGrant,
    /// Its text.
    pub text: String,
}

impl MemberTokens {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// Issues a token by means of the key that the caller showed.
    pub async fn issue(
        &self,
        program_id: ProgramId,
        (key, secret): (&CallerKey, &ApiKeySecret),
        new: &NewToken,
    ) -> Result<Issued, MembersError> {
        let scopes = choose(&new.scopes, &key.scopes, &grantable())?;
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "issue_member_token", scope, options, |tx| {
            in_tx(async move {
                check_key_in_tx(&mut *tx, program_id, (key, secret)).await?;
                let status = people::find_status_in_tx(tx, program_id, new.member_id).await?;
                let status = status.ok_or_else(|| Refusal::not_found(Resource::Member, new.member_id))?;
                Ok::<_, MembersError>(check_member(new.member_id, status)?)
            })
        })
        .await?;
        let now = self.clock.now();
        let grant = MemberGrant {
            token_id: uuid_v7(now),
            program_id,
            member_id: new.member_id,
            scopes,
            issue_time: now,
            expire_time: now + new.time_to_live,
        };
        let text = secret.sign_member_token(&grant);
        let text = text.map_err(|_| Refusal::KeyIssuesNoTokens)?;
        Ok(Issued { grant, text })
    }
}

/// The scopes of the methods that take member tokens.
#[must_use]
pub fn grantable() -> BTreeSet<AccessScope> {
    fealty_proto::methods()
        .values()
        .filter(|method| method.member_access != MemberAccess::Denied)
        .filter_map(|method| method.scope)
        .collect()
}

/// Whether the services know by what to verify what the key signs.
async fn check_key_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (key, secret): (&CallerKey, &ApiKeySecret),
) -> Result<(), MembersError> {
    let stored = api_keys::storage::find_in_tx(tx, key.program_id, key.api_key_id).await?;
    let known_by = stored.and_then(|stored| stored.token_public_key);
    if key.program_id == Some(program_id) && known_by == Some(secret.token_public_key()) {
        Ok(())
    } else {
        Err(Refusal::KeyIssuesNoTokens.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_administers_anything() {
        let grantable = grantable();
        assert!(grantable.contains(&AccessScope::LedgerRead));
        for scope in [
            AccessScope::AccessWrite,
            AccessScope::ProgramsWrite,
            AccessScope::MemberTokensWrite,
            AccessScope::LedgerWrite,
            AccessScope::LedgerAdjust,
            AccessScope::PurchasesWrite,
            AccessScope::AccessFeed,
            AccessScope::PersonalDataErase,
            AccessScope::PersonalDataExport,
        ] {
            assert!(!grantable.contains(&scope), "{scope:?}");
        }
    }
}
