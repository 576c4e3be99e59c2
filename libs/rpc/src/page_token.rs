//! Page tokens: where a list goes on. Opaque to callers, and good only for the list that they were given for.
//!
//! A token is a version byte, a check and the cursor, in base64. The check is a truncated SHA-256 over the method, the
//! program, the filter and the cursor: it notices damage, and a token that is used with another method, program or
//! filter. It is no secret; a caller who makes up a token only ever sees his own program's rows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fealty_types::ProgramId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::errors::ApiError;

/// Grows when the form of tokens changes; older ones are then refused, and a list starts again.
const VERSION: u8 = 1;
/// Bytes of the check: damage goes unnoticed once in 2^128.
const CHECK_LENGTH: usize = 16;
/// Longest token taken. Cursors are a few ids and times.
const TOKEN_LENGTH_MAX: usize = 2_048;

/// Makes and reads the page tokens of one list.
#[derive(Debug, Clone)]
pub struct PageTokens {
    binding: Sha256,
}

impl PageTokens {
    /// For a method (any name that no other list has), the program whose rows it lists (None for lists of the whole
    /// suite), and everything that selects or orders them, without the page's size.
    ///
    /// A filter that cannot be written as JSON is a fault of the server.
    pub fn try_new(
        method: &str,
        program_id: Option<ProgramId>,
        filter: &impl Serialize,
    ) -> Result<Self, ApiError> {
        let filter = serde_json::to_vec(filter).map_err(|error| ApiError::internal(&error))?;
        let program = program_id.map(|id| id.to_string()).unwrap_or_default();
        let mut binding = Sha256::new_with_prefix([VERSION]);
        for part in [method.as_bytes(), program.as_bytes(), filter.as_slice()] {
            // With its length before it, no part can run into the next.
            binding.update((part.len() as u64).to_be_bytes());
            binding.update(part);
        }
        Ok(Self { binding })
    }

    /// The token of the page that begins after the cursor.
    pub fn token(&self, cursor: &impl Serialize) -> Result<String, ApiError> {
        let cursor = serde_json::to_vec(cursor).map_err(|error| ApiError::internal(&error))?;
        let mut token = Vec::with_capacity(1 + CHECK_LENGTH + cursor.len());
        token.push(VERSION);
        token.extend_from_slice(&self.check(&cursor));
        token.extend_from_slice(&cursor);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// The cursor that the list goes on after; None for the first page, whose token is empty.
    pub fn cursor<C: DeserializeOwned>(&self, token: &str) -> Result<Option<C>, ApiError> {
        if token.is_empty() {
            return Ok(None);
        }
        self.read(token)
            .map(Some)
            .ok_or_else(ApiError::page_token_invalid)
    }

    fn read<C: DeserializeOwned>(&self, token: &str) -> Option<C> {
        if token.len() > TOKEN_LENGTH_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (check, cursor) = rest.split_at_checked(CHECK_LENGTH)?;
        if *version != VERSION || *check != self.check(cursor) {
            return None;
        }
        serde_json::from_slice(cursor).ok()
    }

    fn check(&self, cursor: &[u8]) -> [u8; CHECK_LENGTH] {
        let digest = self.binding.clone().chain_update(cursor).finalize();
        let mut check = [0; CHECK_LENGTH];
        check.copy_from_slice(&digest[..CHECK_LENGTH]);
        check
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fealty_proto::types::v1::ErrorReason;
    use proptest::prelude::*;

    fn tokens(method: &str, program: u128, filter: &str) -> PageTokens {
        let program_id = ProgramId::try_from(uuid::Uuid::from_u128(program)).expect("not nil");
        PageTokens::try_new(method, Some(program_id), &filter).expect("a text is JSON")
    }

    #[test]
    fn the_empty_token_is_the_first_page() {
        assert_eq!(tokens("a", 1, "").cursor::<u64>("").ok(), Some(None));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let token = tokens("ab", 1, "c").token(&1).expect("a token");
        let error = tokens("a", 1, "bc")
            .cursor::<i32>(&token)
            .expect_err("another list");
        assert_eq!(error.reason(), ErrorReason::PageTokenInvalid);
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_in_its_own_list_only(
            cursor: (u64, String), method in "[a-z]{1,8}", filter in ".{0,8}", other in ".{0,8}", program in 1..u128::MAX,
        ) {
            let list = tokens(&method, program, &filter);
            let token = list.token(&cursor).expect("a token");
            let reads = |list: &PageTokens| list.cursor::<(u64, String)>(&token).ok().flatten();
            prop_assert_eq!(reads(&list), Some(cursor));
            prop_assert_eq!(reads(&tokens(&method, program + 1, &filter)), None);
            prop_assert_eq!(reads(&tokens(&(method.clone() + "x"), program, &filter)), None);
            prop_assert!(filter == other || reads(&tokens(&method, program, &other)).is_none());
        }

        #[test]
        fn damage_is_noticed(cursor: u64, place: prop::sample::Index, with in "[A-Za-z0-9_-]") {
            let list = tokens("m", 1, "f");
            let token = list.token(&cursor).expect("a token");
            let place = place.index(token.len());
            let mut damaged = token.clone();
            damaged.replace_range(place..=place, &with);
            prop_assert_eq!(list.cursor::<u64>(&damaged).is_ok(), damaged == token);
        }

        #[test]
        fn any_text_is_taken_or_refused_without_a_panic(text in "\\PC{0,60}") {
            let _ = tokens("m", 1, "f").cursor::<u64>(&text);
        }
    }
}
