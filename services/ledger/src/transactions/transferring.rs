//! Transfers as they take part in postings.

use std::collections::{BTreeMap, BTreeSet};

use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;

use super::domain::{SendersDay, Terms, TransferWork};
use super::{grpc, storage};
use crate::posting::{Moment, Plan, Posted, Room};
use crate::refusal::Refusal;
use crate::units;

/// The room of transfers. It writes what each sender has sent on the day; the transactions say the rest.
#[derive(Debug)]
pub struct Transferring;

impl Room for Transferring {
    type Work = TransferWork;
    type Loaded = Terms;
    type Draft = SendersDay;
    type Row = SendersDay;

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        works: &[&TransferWork],
    ) -> Result<Terms, StorageError> {
        let named: BTreeSet<OwnerId> = works.iter().map(|work| work.owner_id).collect();
        let named: Vec<OwnerId> = named.into_iter().collect();
        let units = units::terms_in_tx(&mut *tx, program).await?;
        let accounts = storage::find_accounts_in_tx(&mut *tx, program, &named).await?;
        let senders: BTreeSet<OwnerId> = accounts.values().copied().collect();
        let senders: Vec<OwnerId> = senders.into_iter().collect();
        let sent = storage::find_sent_in_tx(tx, program, &senders).await?;
        Ok(Terms {
            units,
            accounts,
            sent,
        })
    }

    fn plan(terms: &Terms, work: &TransferWork, moment: &Moment) -> Result<Plan<SendersDay>, Refusal> {
        let (command, draft) = work.plan(terms, moment)?;
        Ok(Plan {
            command: Some(command),
            slides: Vec::new(),
            purchase_id: None,
            draft,
        })
    }

    fn settle(terms: &mut Terms, _work: &TransferWork, draft: SendersDay, _posted: &Posted) -> SendersDay {
        terms.count(&draft);
        draft
    }

    async fn write_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        rows: Vec<SendersDay>,
    ) -> Result<(), StorageError> {
        // Of several transfers of one sender, the last has counted them all.
        let days: BTreeMap<_, _> = rows
            .into_iter()
            .map(|row| ((row.owner_id, row.unit_code), row.sent))
            .collect();
        storage::upsert_sent_in_tx(tx, program, &days).await
    }

    fn present(_work: &TransferWork, posted: &Posted, _row: &SendersDay) -> Vec<u8> {
        grpc::present_transferred(posted)
    }
}
