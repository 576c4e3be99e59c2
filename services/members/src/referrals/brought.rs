//! How it is recorded who brought whom.

use chrono::{DateTime, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, uuid_v7};
use fealty_vault::{LookupHash, Personal, Vault};
use sqlx::PgConnection;

use super::domain::{BroughtBy, Check, EnrolmentReferral, Newcomer, Referral, Source, State, Verdict};
use super::{Referrals, Told, events, get_in_tx, storage};
use crate::people;
use crate::people::domain::MemberStatus;
use crate::refusal::{MembersError, Refusal, Resource};

/// What a device's keyed hash is bound to.
const DEVICE: &str = "REFERRAL_DEVICE";

/// A device, by its keyed hash.
pub(super) fn device_hash(vault: &Vault, program_id: ProgramId, device: &Personal) -> LookupHash {
    vault.lookup_hash(program_id, DEVICE, device)
}

/// Records who brought somebody who is being enrolled, in the transaction that stores them: their identifiers and traits are
/// there already.
pub(crate) async fn record_at_enrolment_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    (program_id, member_id): (ProgramId, MemberId),
    brought: &EnrolmentReferral,
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    let (referrer, source, code) = match &brought.by {
        BroughtBy::Code(code) => {
            let found = storage::read_code_in_tx(&mut *tx, program_id, code).await?;
            let open = found.filter(|(_, is_open)| *is_open);
            let (referrer, _) = open.ok_or_else(|| Refusal::not_found(Resource::ReferralCode, code))?;
            (referrer, Source::Code, Some(code.to_string()))
        }
        BroughtBy::Card(card) => {
            let referrer = people::find_bearer_of_in_tx(&mut *tx, vault, program_id, card).await?;
            (referrer, Source::Card, None)
        }
        BroughtBy::Member(referrer) => (*referrer, Source::ByHand, None),
    };
    require_active_in_tx(&mut *tx, program_id, referrer).await?;
    let device = brought
        .device
        .as_ref()
        .map(|device| device_hash(vault, program_id, device));
    let newcomer = Newcomer { member_id, device };
    let checks = storage::checks_in_tx(&mut *tx, program_id, &newcomer, referrer).await?;
    let new = NewReferral {
        newcomer: &newcomer,
        referrer,
        source,
        code,
    };
    new.insert_in_tx(tx, program_id, checks, now).await?;
    Ok(())
}

/// What others are told of the referral of somebody whose enrolment is finished now.
pub(crate) async fn tell_enrolled_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    if let Some(referral) = storage::find_in_tx(&mut *tx, program_id, member_id).await? {
        append_in_tx(tx, program_id, &[events::became(&referral, now)]).await?;
    }
    Ok(())
}

struct NewReferral<'a> {
    newcomer: &'a Newcomer,
    referrer: MemberId,
    source: Source,
    code: Option<String>,
}

impl NewReferral<'_> {
    /// Stores it, as the program's settings judge what speaks against it.
    async fn insert_in_tx(
        self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        checks: Vec<Check>,
        now: DateTime<Utc>,
    ) -> Result<Referral, MembersError> {
        let settings = storage::find_settings_in_tx(&mut *tx, program_id).await?;
        let state = match settings.judge(&checks) {
            Verdict::Stands => State::Pending,
            Verdict::Held => State::Held,
            Verdict::Refused => {
                return Err(Refusal::ReferralRefused {
                    referrer_member_id: self.referrer,
                    checks,
                }
                .into());
            }
        };
        let referral = Referral {
            referral_id: uuid_v7(now),
            member_id: self.newcomer.member_id,
            referrer_member_id: self.referrer,
            source: self.source,
            code: self.code,
            state,
            checks,
            purchase_id: None,
            record_time: now,
            qualify_time: None,
        };
        if !storage::insert_in_tx(&mut *tx, program_id, &referral).await? {
            return Err(Refusal::exists(Resource::Referral, referral.member_id).into());
        }
        if let Some(device) = self.newcomer.device {
            let seen = (device, referral.member_id);
            storage::note_device_in_tx(tx, program_id, seen, now).await?;
        }
        Ok(referral)
    }
}

impl Referrals {
    /// Records by hand who brought a member.
    pub(super) async fn record(
        &self,
        program_id: ProgramId,
        request: &Request,
        (member_id, referrer): (MemberId, MemberId),
    ) -> Result<Made<Told>, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "record_referral", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, member_id.as_uuid(), now).await?;
                if claimed.is_some() {
                    return get_in_tx(tx, program_id, member_id).await.map(Made::before);
                }
                // One at a time: two that close a circle together would each see half of it.
                storage::lock_settings_in_tx(&mut *tx, program_id).await?;
                require_active_in_tx(&mut *tx, program_id, member_id).await?;
                require_active_in_tx(&mut *tx, program_id, referrer).await?;
                let newcomer = Newcomer {
                    member_id,
                    device: None,
                };
                let mut checks = storage::checks_in_tx(&mut *tx, program_id, &newcomer, referrer).await?;
                if storage::find_loop_in_tx(&mut *tx, program_id, member_id, referrer).await? {
                    checks.push(Check::Loop);
                }
                let new = NewReferral {
                    newcomer: &newcomer,
                    referrer,
                    source: Source::ByHand,
                    code: None,
                };
                let referral = new.insert_in_tx(&mut *tx, program_id, checks, now).await?;
                append_in_tx(tx, program_id, &[events::became(&referral, now)]).await?;
                let rewards = Vec::new();
                Ok::<_, MembersError>(Made::now(Told { referral, rewards }))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }
}

/// Refuses who is no active member.
pub(super) async fn require_active_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<(), MembersError> {
    match people::find_status_in_tx(tx, program_id, member_id).await? {
        Some(MemberStatus::Active) => Ok(()),
        Some(status) => Err(Refusal::MemberNotActive { member_id, status }.into()),
        None => Err(Refusal::not_found(Resource::Member, member_id).into()),
    }
}
