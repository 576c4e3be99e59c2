//! Points that were given with a later beginning, and begin by a call.

use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, TransactionId};
use sqlx::PgConnection;

use super::grpc;
use crate::posting::domain::{Activated, Command};
use crate::posting::{Moment, Plan, Posted, Room};
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

/// The room of points that begin by a call. It reads the units and writes nothing of its own.
#[derive(Debug)]
pub struct Activating;

impl Room for Activating {
    type Work = ActivatingWork;
    type Loaded = Vec<UnitTerms>;
    type Draft = ();
    type Row = ();

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        _works: &[&ActivatingWork],
    ) -> Result<Vec<UnitTerms>, StorageError> {
        units::terms_in_tx(tx, program).await
    }

    fn plan(units: &Vec<UnitTerms>, work: &ActivatingWork, moment: &Moment) -> Result<Plan<()>, Refusal> {
        let ends = units.iter();
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

    fn settle(_units: &mut Vec<UnitTerms>, _work: &ActivatingWork, (): (), _posted: &Posted) {}

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
