//! Codes: issued, closed, and what is sent by them.

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, uuid_v7};
use fealty_vault::Personal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::brought::{device_hash, require_active_in_tx};
use super::domain::{Code, IssuedCode, OPEN_CODES_MAX};
use super::{Referrals, storage};
use crate::refusal::{MembersError, Refusal, Resource};

/// A code to be made.
#[derive(Debug, Clone)]
pub(super) struct NewCode {
    pub(super) member_id: MemberId,
    /// None for one that is made up.
    pub(super) code: Option<Code>,
    /// The device that it was asked for on.
    pub(super) device: Option<Personal>,
}

impl Referrals {
    /// Gives a member a code.
    pub(super) async fn issue(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewCode,
    ) -> Result<Made<IssuedCode>, MembersError> {
        let now = self.clock.now();
        let code_id = uuid_v7(now);
        let request = &crate::people::keyed(&self.vault, program_id, request);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "issue_referral_code", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, code_id, now).await? {
                    return find_issued_in_tx(tx, program_id, (new.member_id, made))
                        .await
                        .map(Made::before);
                }
                let issued = self.issue_in_tx(tx, program_id, (code_id, new), now).await?;
                Ok::<_, MembersError>(Made::now(issued))
            })
        })
        .await
    }

    async fn issue_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        (code_id, new): (Uuid, &NewCode),
        now: DateTime<Utc>,
    ) -> Result<IssuedCode, MembersError> {
        let member_id = new.member_id;
        // Keeps another call from passing the bound beside this one.
        crate::people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
        require_active_in_tx(&mut *tx, program_id, member_id).await?;
        if storage::count_open_codes_in_tx(&mut *tx, program_id, member_id).await? >= OPEN_CODES_MAX {
            return Err(Refusal::CountExceeded {
                resource: "open referral codes",
                count_max: usize::try_from(OPEN_CODES_MAX).unwrap_or(usize::MAX),
            }
            .into());
        }
        let issued = IssuedCode {
            code: new.code.clone().unwrap_or_else(|| Code::made_of(&Uuid::new_v4())),
            code_id,
            member_id,
            invite_count: 0,
            referral_count: 0,
            create_time: now,
            close_time: None,
        };
        if !storage::insert_code_in_tx(&mut *tx, program_id, &issued).await? {
            return Err(Refusal::exists(Resource::ReferralCode, &issued.code).into());
        }
        if let Some(device) = &new.device {
            let seen = (device_hash(&self.vault, program_id, device), member_id);
            storage::note_device_in_tx(tx, program_id, seen, now).await?;
        }
        Ok(issued)
    }

    /// A member's codes, newest first.
    pub(super) async fn list_codes(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        before: Option<Uuid>,
        count_max: i64,
    ) -> Result<Vec<IssuedCode>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        let listed = transact(&self.service, "list_referral_codes", scope, options, |tx| {
            in_tx(storage::list_codes_in_tx(
                tx, program_id, member_id, before, count_max,
            ))
        });
        Ok(listed.await?)
    }

    /// Ends a code.
    pub(super) async fn close(&self, program_id: ProgramId, code: &Code) -> Result<IssuedCode, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "close_referral_code", scope, options, |tx| {
            in_tx(async move {
                storage::close_code_in_tx(&mut *tx, program_id, code, now).await?;
                let found = storage::find_code_in_tx(tx, program_id, code).await?;
                found.ok_or_else(|| not_found(code).into())
            })
        })
        .await
    }

    /// Counts invitations that were sent by a code.
    pub(super) async fn report(
        &self,
        program_id: ProgramId,
        request: &Request,
        (code, invite_count): (&Code, i32),
    ) -> Result<Made<IssuedCode>, MembersError> {
        let now = self.clock.now();
        let invite_id = uuid_v7(now);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "report_referral_invites", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, invite_id, now).await?;
                if claimed.is_none() {
                    let found = storage::read_code_in_tx(&mut *tx, program_id, code).await?;
                    let (member_id, _) = found
                        .filter(|(_, is_open)| *is_open)
                        .ok_or_else(|| not_found(code))?;
                    let sent = (invite_id, code, member_id);
                    storage::insert_invite_in_tx(&mut *tx, program_id, sent, (invite_count, now)).await?;
                }
                let found = storage::find_code_in_tx(tx, program_id, code).await?;
                Ok::<_, MembersError>(Made {
                    resource: found.ok_or_else(|| not_found(code))?,
                    replayed: claimed.is_some(),
                })
            })
        })
        .await
    }
}

async fn find_issued_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (member_id, code_id): (MemberId, Uuid),
) -> Result<IssuedCode, MembersError> {
    // The one that is not after itself.
    let next = Uuid::from_u128(code_id.as_u128().saturating_add(1));
    let found = storage::list_codes_in_tx(tx, program_id, member_id, Some(next), 1).await?;
    let found = found.into_iter().find(|code| code.code_id == code_id);
    Ok(found.ok_or_else(|| StorageError::corrupt("request.resource_id", "names no code"))?)
}

fn not_found(code: &Code) -> Refusal {
    Refusal::not_found(Resource::ReferralCode, code)
}
