//! Credits, spends and corrections as they take part in postings.

use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, ProgramId};
use sqlx::PgConnection;

use super::domain::{PointsTerms, PointsWork};
use super::grpc;
use crate::posting::{Moment, Plan, Posted, Room};
use crate::refusal::Refusal;
use crate::units;
use crate::units::domain::UnitTerms;

/// The room of credits, spends and corrections. They read the units and write nothing of their own: the transaction says it all.
#[derive(Debug)]
pub struct Points;

impl Room for Points {
    type Work = PointsWork;
    type Loaded = Vec<UnitTerms>;
    type Draft = ();
    type Row = ();

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        _works: &[&PointsWork],
    ) -> Result<Vec<UnitTerms>, StorageError> {
        units::terms_in_tx(tx, program).await
    }

    fn budget_code<'a>(_units: &'a Vec<UnitTerms>, work: &'a PointsWork) -> Option<&'a BudgetCode> {
        match &work.terms {
            PointsTerms::Credit(credit) => credit.budget_code.as_ref(),
            PointsTerms::Spend | PointsTerms::Adjust(_) => None,
        }
    }

    fn plan(units: &Vec<UnitTerms>, work: &PointsWork, moment: &Moment) -> Result<Plan<()>, Refusal> {
        let (command, slides) = work.plan(units, moment)?;
        Ok(Plan {
            command: Some(command),
            slides,
            purchase_id: None,
            draft: (),
        })
    }

    fn settle(_units: &mut Vec<UnitTerms>, _work: &PointsWork, (): (), _posted: &Posted) {}

    async fn write_in_tx(
        _tx: &mut PgConnection,
        _program: ProgramId,
        _rows: Vec<()>,
    ) -> Result<(), StorageError> {
        Ok(())
    }

    fn present(work: &PointsWork, posted: &Posted, (): &()) -> Vec<u8> {
        grpc::present_posted(work.direction(), posted)
    }
}
