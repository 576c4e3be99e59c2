//! Member tokens: what an app or a web page shows in place of a key. A token is for one member and some minutes.
//!
//! It is a PASETO v4.public, signed by a key pair that follows from the secret of an API key: whoever knows the secret can
//! sign, and the services, which keep only the public half, can verify and nothing else. So a token is a part of what its
//! key may do, needs no table of tokens, and ends with its key.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ed25519_compact::{KeyPair, Seed};
use fealty_proto::access::v1::Scope;
use fealty_types::{MemberId, ProgramId};
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
use pasetors::token::{Public, UntrustedToken};
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::key::{ApiKeySecret, SHORT_ID_LENGTH};

/// The longest that a token is good for, whoever signed it: it cannot be taken back but by revoking its key.
pub const MEMBER_TOKEN_LIFE_MAX: TimeDelta = TimeDelta::hours(1);

/// What every token begins with.
pub(crate) const TOKEN_PREFIX: &str = PublicToken::HEADER;

/// Ten times what a token with every scope takes.
const TEXT_BYTES_MAX: usize = 8_192;

/// Nothing that is signed for another purpose is taken for a token, and the key pair is none of another purpose.
const PURPOSE: &[u8] = b"fealty member token, version 1";

/// Clocks of one suite agree to within this: what was issued later has not been issued yet.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::seconds(30);

/// The key by which tokens of an API key are verified.
pub type TokenPublicKey = [u8; 32];

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberGrant {
    /// Its id, for logs.
    pub token_id: Uuid,
    /// In which program.
    pub program_id: ProgramId,
    /// For whom it speaks.
    pub member_id: MemberId,
    /// What it may do, of what its key may.
    pub scopes: Vec<Scope>,
    /// Since when it is good.
    pub issue_time: DateTime<Utc>,
    /// Until when.
    pub expire_time: DateTime<Utc>,
}

/// A text that has the form of a token.
#[derive(Clone)]
pub(crate) struct ShownToken {
    token: UntrustedToken<Public, V4>,
    short_id: [u8; SHORT_ID_LENGTH],
}

/// It is no token of that key. It says nothing about what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a member token")]
pub struct MemberTokenError;

/// The message, with the names that PASETO registers where it has some.
#[derive(Serialize, Deserialize)]
struct Claims {
    jti: Uuid,
    program: ProgramId,
    sub: MemberId,
    scopes: Vec<String>,
    iat: String,
    exp: String,
}

#[derive(Serialize, Deserialize)]
struct Footer {
    kid: String,
}

impl ApiKeySecret {
    /// The public half of the pair by which this key signs member tokens.
    #[must_use]
    pub fn token_public_key(&self) -> TokenPublicKey {
        *self.token_pair().pk
    }

    /// Signs a member token.
    pub fn sign_member_token(&self, grant: &MemberGrant) -> Result<String, MemberTokenError> {
        let claims = Claims {
            jti: grant.token_id,
            program: grant.program_id,
            sub: grant.member_id,
            scopes: grant
                .scopes
                .iter()
                .map(|scope| scope.as_str_name().to_owned())
                .collect(),
            iat: text_of(grant.issue_time),
            exp: text_of(grant.expire_time),
        };
        let footer = Footer {
            kid: self.short_id().to_owned(),
        };
        let message = serde_json::to_vec(&claims).map_err(|_| MemberTokenError)?;
        let footer = serde_json::to_vec(&footer).map_err(|_| MemberTokenError)?;
        let pair = self.token_pair();
        let secret = AsymmetricSecretKey::<V4>::from(pair.sk.as_ref()).map_err(|_| MemberTokenError)?;
        PublicToken::sign(&secret, &message, Some(&footer), Some(PURPOSE)).map_err(|_| MemberTokenError)
    }

    /// Not to be had from the hash of the secret, which is what is stored of it.
    fn token_pair(&self) -> KeyPair {
        let seed: [u8; 32] = Sha256::new()
            .chain_update(PURPOSE)
            .chain_update(self.expose())
            .finalize()
            .into();
        KeyPair::from_seed(Seed::new(seed))
    }
}

impl ShownToken {
    /// Takes a text that has the form of a token and names a key. Nothing in it is to be trusted yet.
    pub(crate) fn parse(text: &str) -> Result<Self, MemberTokenError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(MemberTokenError);
        }
        let token = UntrustedToken::<Public, V4>::try_from(text).map_err(|_| MemberTokenError)?;
        let footer: Footer =
            serde_json::from_slice(token.untrusted_footer()).map_err(|_| MemberTokenError)?;
        let short_id = footer.kid.as_bytes().try_into().map_err(|_| MemberTokenError)?;
        // What is looked up is what could be a key's.
        if footer.kid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self { token, short_id })
        } else {
            Err(MemberTokenError)
        }
    }

    /// The public part of the key that is said to have signed it.
    pub(crate) fn short_id(&self) -> [u8; SHORT_ID_LENGTH] {
        self.short_id
    }

    /// What it says, if that key signed it. Scopes that this build does not know open nothing in it.
    pub(crate) fn verify(&self, public_key: &TokenPublicKey) -> Result<MemberGrant, MemberTokenError> {
        let key = AsymmetricPublicKey::<V4>::from(public_key).map_err(|_| MemberTokenError)?;
        PublicToken::verify(&key, &self.token, None, Some(PURPOSE)).map_err(|_| MemberTokenError)?;
        let claims: Claims =
            serde_json::from_slice(self.token.untrusted_payload()).map_err(|_| MemberTokenError)?;
        Ok(MemberGrant {
            token_id: claims.jti,
            program_id: claims.program,
            member_id: claims.sub,
            scopes: claims
                .scopes
                .iter()
                .filter_map(|name| Scope::from_str_name(name))
                .collect(),
            issue_time: time_of(&claims.iat)?,
            expire_time: time_of(&claims.exp)?,
        })
    }
}

impl MemberGrant {
    /// Whether it is good now: not ended, and not made to last longer than any token may. Nobody is asked who signed it by
    /// themselves what they wrote there.
    pub(crate) fn is_sound(&self, now: DateTime<Utc>) -> bool {
        self.issue_time <= now + CLOCKS_APART_MAX
            && self.expire_time - self.issue_time <= MEMBER_TOKEN_LIFE_MAX
    }
}

impl fmt::Debug for ShownToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownToken(hidden)")
    }
}

fn text_of(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn time_of(text: &str) -> Result<DateTime<Utc>, MemberTokenError> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| MemberTokenError)?;
    Ok(time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn key(seed: u64) -> ApiKeySecret {
        ApiKeySecret::generate(&mut StdRng::seed_from_u64(seed))
    }

    fn grant() -> MemberGrant {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        MemberGrant {
            token_id: Uuid::from_u128(7),
            program_id: Uuid::from_u128(1).try_into().unwrap(),
            member_id: Uuid::from_u128(2).try_into().unwrap(),
            scopes: vec![Scope::LedgerRead, Scope::MembersRead],
            issue_time: now,
            expire_time: now + TimeDelta::minutes(15),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_and_who_signed_it() {
        let text = key(1).sign_member_token(&grant()).unwrap();
        let shown = ShownToken::parse(&text).unwrap();
        assert_eq!(shown.short_id(), key(1).short_id().as_bytes());
        assert_eq!(shown.verify(&key(1).token_public_key()), Ok(grant()));
    }

    #[test]
    fn no_other_key_has_signed_it() {
        let text = key(1).sign_member_token(&grant()).unwrap();
        let shown = ShownToken::parse(&text).unwrap();
        assert_eq!(shown.verify(&key(2).token_public_key()), Err(MemberTokenError));
    }

    #[test]
    fn what_is_stored_of_a_secret_signs_nothing() {
        let key = key(1);
        let from_stored = KeyPair::from_seed(Seed::new(key.secret_sha256()));
        assert_ne!(*from_stored.pk, key.token_public_key());
    }

    #[test]
    fn a_token_that_lasts_too_long_or_is_of_the_future_is_not_sound() {
        let now = grant().issue_time;
        assert!(grant().is_sound(now));
        let long = MemberGrant {
            expire_time: now + MEMBER_TOKEN_LIFE_MAX + TimeDelta::seconds(1),
            ..grant()
        };
        assert!(!long.is_sound(now));
        let later = MemberGrant {
            issue_time: now + TimeDelta::minutes(1),
            ..grant()
        };
        assert!(!later.is_sound(now));
    }

    proptest! {
        #[test]
        fn one_changed_character_is_noticed(place: prop::sample::Index, with in "[A-Za-z0-9_-]") {
            let text = key(1).sign_member_token(&grant()).unwrap();
            let place = TOKEN_PREFIX.len() + place.index(text.len() - TOKEN_PREFIX.len());
            let mut changed = text.clone();
            changed.replace_range(place..=place, &with);
            let taken = ShownToken::parse(&changed)
                .and_then(|shown| shown.verify(&key(1).token_public_key()));
            prop_assert_eq!(taken.is_ok(), changed == text);
        }

        #[test]
        fn any_text_is_taken_or_refused_without_a_panic(text in "(v4\\.public\\.)?\\PC{0,200}") {
            let _ = ShownToken::parse(&text);
        }
    }
}
