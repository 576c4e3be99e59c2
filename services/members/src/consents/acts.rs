//! What is said: each act is recorded once, under the member's lock, with the words that it leaves.

use chrono::{DateTime, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, uuid_v7};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{
    Asked, Change, Receipt, Shown, Word, accepted_on_enrolment, outweighing, withdrawal_time, words_of,
};
use super::{Consents, Under, check_party_in_tx, events, not_found, storage};
use crate::people::domain::Acceptance;
use crate::policies::domain::{PolicyHead, PolicyVersion};
use crate::refusal::{MembersError, Refusal};
use crate::{people, policies};

/// What somebody does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Allows something.
    Grant(Under),
    /// Allows it no longer.
    Withdraw,
    /// Accepts a policy.
    Accept(Under),
}

impl Act {
    /// Its transaction's name.
    const fn name(self) -> &'static str {
        match self {
            Self::Grant(_) => "grant_consent",
            Self::Withdraw => "withdraw_consent",
            Self::Accept(_) => "accept_policy",
        }
    }

    /// When it was said. A till's clock may be a little ahead of ours; nobody says anything in the future.
    fn time(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Grant(under) | Self::Accept(under) => under.time.unwrap_or(now).min(now),
            Self::Withdraw => now,
        }
    }
}

/// An act that is being recorded.
struct Recording<'a> {
    program_id: ProgramId,
    asked: &'a Asked,
    receipt_id: Uuid,
    /// When it was said.
    said: DateTime<Utc>,
    /// When it is recorded.
    now: DateTime<Utc>,
}

impl Consents {
    /// Records an act, unless the request has recorded it before.
    pub(super) async fn record(
        &self,
        program_id: ProgramId,
        request: &Request,
        asked: &Asked,
        act: Act,
    ) -> Result<Made<Receipt>, MembersError> {
        let receipt_id = uuid_v7(self.clock.now());
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, act.name(), scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, receipt_id, self.clock.now()).await? {
                    return get_receipt_in_tx(tx, program_id, made).await.map(Made::before);
                }
                lock_in_tx(&mut *tx, program_id, asked.member_id, act).await?;
                // The time after the wait for those before us.
                let now = self.clock.now();
                let recording = Recording {
                    program_id,
                    asked,
                    receipt_id,
                    said: act.time(now),
                    now,
                };
                self.check_named_in_tx(&mut *tx, &recording).await?;
                let receipt = match act {
                    Act::Grant(under) => recording.grant_in_tx(tx, under.version).await?,
                    Act::Withdraw => recording.withdraw_in_tx(tx).await?,
                    Act::Accept(under) => recording.accept_in_tx(tx, under.version).await?,
                };
                Ok::<_, MembersError>(Made::now(receipt))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Refuses a company that nobody named, and somebody who speaks for a member for whom they do not answer.
    async fn check_named_in_tx(
        &self,
        tx: &mut PgConnection,
        recording: &Recording<'_>,
    ) -> Result<(), MembersError> {
        let Recording {
            program_id, asked, ..
        } = *recording;
        check_party_in_tx(&mut *tx, program_id, &asked.said_to).await?;
        let Some(guardian_member_id) = asked.origin.guardian_member_id else {
            return Ok(());
        };
        if !people::is_enrolled_in_tx(&mut *tx, program_id, guardian_member_id).await? {
            return Err(not_found(guardian_member_id).into());
        }
        let (member_id, said) = (asked.member_id, recording.said);
        let answers = people::find_guardian_in_tx(tx, &self.vault, program_id, member_id, said).await?;
        if answers == Some(guardian_member_id) {
            return Ok(());
        }
        Err(Refusal::NotTheGuardian {
            member_id,
            guardian_member_id,
        }
        .into())
    }
}

impl Recording<'_> {
    async fn grant_in_tx(
        &self,
        tx: &mut PgConnection,
        version: PolicyVersion,
    ) -> Result<Receipt, MembersError> {
        let shown = self.check_shown_in_tx(&mut *tx, version).await?;
        let receipt = Receipt {
            policy: Some(Shown {
                version: shown.version,
                text_hash: shown.text_hash,
            }),
            ..self.receipt(Change::Granted)
        };
        let said = storage::load_words_in_tx(&mut *tx, self.program_id, self.asked.member_id).await?;
        let words = outweighing(&said, words_of(&receipt, receipt.consent_time));
        self.write_in_tx(tx, &receipt, &words).await?;
        Ok(receipt)
    }

    async fn withdraw_in_tx(&self, tx: &mut PgConnection) -> Result<Receipt, MembersError> {
        let receipt = self.receipt(Change::Withdrawn);
        let said = storage::load_words_in_tx(&mut *tx, self.program_id, self.asked.member_id).await?;
        let words = words_of(&receipt, withdrawal_time(&said, self.now));
        self.write_in_tx(tx, &receipt, &words).await?;
        Ok(receipt)
    }

    async fn accept_in_tx(
        &self,
        tx: &mut PgConnection,
        version: PolicyVersion,
    ) -> Result<Receipt, MembersError> {
        let shown = self.check_shown_in_tx(&mut *tx, version).await?;
        let (asked, program_id) = (self.asked, self.program_id);
        let acceptance = Acceptance {
            policy_id: shown.policy_id,
            version: shown.version,
            text_hash: shown.text_hash,
            channel: asked.origin.source.clone(),
            accept_time: self.said,
        };
        let accepted_by = asked.origin.guardian_member_id;
        let receipt = Receipt {
            origin: asked.origin.clone(),
            actor: Some(asked.actor.clone()),
            ..accepted_on_enrolment(
                self.receipt_id,
                asked.member_id,
                &acceptance,
                accepted_by,
                self.now,
            )
        };
        storage::insert_receipt_in_tx(&mut *tx, program_id, &receipt).await?;
        let accepted = (&acceptance, accepted_by);
        people::accept_policy_in_tx(tx, program_id, asked.member_id, accepted, self.now).await?;
        Ok(receipt)
    }

    fn receipt(&self, change: Change) -> Receipt {
        let asked = self.asked;
        Receipt {
            receipt_id: self.receipt_id,
            member_id: asked.member_id,
            change,
            items: asked.pick.items(),
            for_group: Some(asked.for_group),
            said_to: asked.said_to.clone(),
            origin: asked.origin.clone(),
            actor: Some(asked.actor.clone()),
            policy: None,
            consent_time: self.said,
            record_time: self.now,
        }
    }

    /// The policy that somebody was shown, if it is the one that was in force then.
    async fn check_shown_in_tx(
        &self,
        tx: &mut PgConnection,
        version: PolicyVersion,
    ) -> Result<PolicyHead, MembersError> {
        let in_force = policies::find_in_force_in_tx(tx, self.program_id, self.said).await?;
        let in_force = in_force.ok_or(Refusal::PolicyMissing)?;
        if in_force.version == version {
            return Ok(in_force);
        }
        Err(Refusal::PolicyVersionOutdated {
            policy_id: in_force.policy_id,
            policy_version: in_force.version,
        }
        .into())
    }

    async fn write_in_tx(
        &self,
        tx: &mut PgConnection,
        receipt: &Receipt,
        words: &[Word],
    ) -> Result<(), StorageError> {
        storage::insert_receipt_in_tx(&mut *tx, self.program_id, receipt).await?;
        if words.is_empty() {
            return Ok(());
        }
        storage::upsert_words_in_tx(&mut *tx, self.program_id, receipt.member_id, words).await?;
        append_in_tx(tx, self.program_id, &[events::changed(receipt)]).await
    }
}

/// Keeps the member from changes. Those who are closed or merged allow nothing any more.
async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    act: Act,
) -> Result<(), MembersError> {
    let status = people::lock_status_in_tx(tx, program_id, member_id).await?;
    let status = status.ok_or_else(|| not_found(member_id))?;
    if status.is_final() && !matches!(act, Act::Withdraw) {
        return Err(Refusal::MemberNotActive { member_id, status }.into());
    }
    Ok(())
}

/// Receipts are never deleted, so what a request made is there.
async fn get_receipt_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<Receipt, MembersError> {
    let found = storage::find_receipt_in_tx(tx, program_id, made).await?;
    Ok(found.ok_or_else(|| StorageError::corrupt("request.resource_id", "names no receipt"))?)
}
