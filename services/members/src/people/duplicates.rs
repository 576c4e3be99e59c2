//! Records that may be of one person: whoever merges them looks at both first.

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use fealty_vault::LookupHash;

use super::domain::{Duplicates, candidates};
use super::{People, not_found, storage};
use crate::refusal::MembersError;

/// Traits that one page looks at: some tens of milliseconds of an index, so that a program of millions is walked page by
/// page and no call runs long. More than all identifiers of a household's members have together.
const LOOKED_AT_MAX: i64 = 5_000;

/// Some candidates, and where looking goes on.
#[derive(Debug, Clone)]
pub struct DuplicatesPage {
    /// In no order that means anything.
    pub found: Vec<Duplicates<LookupHash>>,
    /// The last that was looked at; None when that was all.
    pub next: Option<LookupHash>,
}

impl People {
    /// Members who have something in common after a place; those who have something in common with one member, where
    /// `like` is given.
    pub async fn list_duplicates(
        &self,
        program_id: ProgramId,
        like: Option<MemberId>,
        after: Option<LookupHash>,
        count_max: usize,
    ) -> Result<DuplicatesPage, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        let rows = transact(&self.service, "list_duplicate_candidates", scope, options, |tx| {
            in_tx(async move {
                if let Some(member_id) = like
                    && !storage::is_enrolled_in_tx(&mut *tx, program_id, member_id).await?
                {
                    return Err(not_found(member_id).into());
                }
                Ok::<_, MembersError>(
                    storage::list_traits_in_tx(tx, program_id, like, after, LOOKED_AT_MAX).await?,
                )
            })
        })
        .await?;
        let is_whole = i64::try_from(rows.len()).unwrap_or(i64::MAX) < LOOKED_AT_MAX;
        let (mut found, mut next) = candidates(&rows, is_whole);
        if found.len() > count_max {
            found.truncate(count_max);
            next = found.last().map(|last| last.value_hash);
        }
        Ok(DuplicatesPage { found, next })
    }
}
