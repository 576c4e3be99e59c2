//! The days of members that are occasions: noted when they are enrolled, and later for those who were enrolled before.

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::Member;
use super::{Enrolments, find_in_tx, storage};
use crate::occasions::{note_birthday_in_tx, note_joining_in_tx};
use crate::refusal::MembersError;

/// Notes a member's birthday and the day on which they joined.
pub(super) async fn note_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member: &Member,
) -> Result<(), MembersError> {
    let member_id = member.member_id;
    note_joining_in_tx(&mut *tx, program_id, member_id, member.create_time).await?;
    if member.profile.birth_date.is_some() {
        note_birthday_in_tx(tx, program_id, member_id, member.profile.birth_date).await?;
    }
    Ok(())
}

impl Enrolments {
    /// Notes the days of members who were enrolled before days were noted, at most so many of them. Answers how many.
    pub(crate) async fn note_days(&self, count_max: i64) -> Result<usize, MembersError> {
        let options = TransactOptions::read_only();
        let left = transact(
            &self.means.jobs,
            "list_unnoted_members",
            Scope::Suite,
            options,
            |tx| {
                in_tx(async move { Ok::<_, MembersError>(storage::list_unnoted_in_tx(tx, count_max).await?) })
            },
        )
        .await?;
        for (program_id, member_id) in &left {
            self.note_days_of(*program_id, *member_id).await?;
        }
        Ok(left.len())
    }

    async fn note_days_of(&self, program_id: ProgramId, member_id: MemberId) -> Result<(), MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.means.service, "note_member_days", scope, options, |tx| {
            in_tx(async move {
                // Under the lock: a birthday that is being changed is noted as it is afterwards.
                storage::lock_in_tx(&mut *tx, program_id, member_id).await?;
                let found = find_in_tx(&mut *tx, &self.means.vault, program_id, member_id).await?;
                // Who is closed, merged or erased is greeted no more.
                let greeted = found.filter(|(member, _)| !member.standing.status.is_final());
                if let Some((member, _)) = greeted {
                    note_in_tx(&mut *tx, program_id, &member).await?;
                }
                Ok(storage::mark_noted_in_tx(tx, program_id, member_id).await?)
            })
        })
        .await
    }
}
