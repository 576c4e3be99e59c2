//! Points that were given with a later beginning, and begin by a call.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, TransactionId};
use sqlx::PgConnection;

use super::domain::Waiting;
use super::{grpc, storage};
use crate::posting::domain::{Activated, Command};
use crate::posting::{Moment, Plan, Posted, Room, Seen};
use crate::refusal::Refusal;
use crate::units;
use crate::units::domain::UnitTerms;

/// Points that are to begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivatingWork {
    /// What gave them.
    pub credited_by: TransactionId,
    /// The program's days begin and end there.
    pub zone: Tz,
}

/// The room of points that begin by a call. It reads the units, and who has what waits; it writes nothing of its own.
#[derive(Debug)]
pub struct Activating;

/// What activations are judged by.
#[derive(Debug)]
pub struct Ground {
    units: Vec<UnitTerms>,
    waiting: Waiting,
}

impl Room for Activating {
    type Work = ActivatingWork;
    type Loaded = Ground;
    type Draft = ();
    type Row = ();

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        works: &[&ActivatingWork],
    ) -> Result<Ground, StorageError> {
        let named = works.iter().map(|work| work.credited_by).collect();
        Ok(Ground {
            units: units::terms_in_tx(&mut *tx, program).await?,
            waiting: storage::find_waiting_in_tx(tx, program, named).await?,
        })
    }

    fn holder(ground: &Ground, work: &ActivatingWork, at: DateTime<Utc>) -> Option<OwnerId> {
        ground.waiting.holder(work.credited_by, at)
    }

    fn plan(ground: &Ground, work: &ActivatingWork, moment: &Moment) -> Result<Plan<()>, Refusal> {
        let ends = ground.units.iter();
        let ends = ends.map(|unit| (unit.code.clone(), unit.lot_end(moment.record_time, work.zone)));
        Ok(Plan {
            command: Some(Command::Activate(Activated {
                credited_by: work.credited_by,
                ends: ends.collect(),
            })),
            slides: Vec::new(),
            purchase_id: None,
            draft: (),
        })
    }

    fn see(ground: &mut Ground, seen: &Seen<'_>) {
        ground.waiting.see(seen);
    }

    fn settle(_ground: &mut Ground, _work: &ActivatingWork, (): (), _posted: &Posted) {}

    async fn write_in_tx(
        _tx: &mut PgConnection,
        _program: ProgramId,
        _rows: Vec<()>,
    ) -> Result<(), StorageError> {
        Ok(())
    }

    fn present(_work: &ActivatingWork, posted: &Posted, (): &()) -> Vec<u8> {
        grpc::present_activated(posted)
    }
}
