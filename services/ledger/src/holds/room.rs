//! How holds take part in postings.

use std::collections::BTreeSet;

use fealty_postgres::StorageError;
use fealty_types::{HoldId, ProgramId};
use sqlx::PgConnection;

use super::domain::{Decided, Ground, HoldWork, OwnersHold};
use super::{grpc, storage};
use crate::posting::domain::Hold;
use crate::posting::{Moment, Plan, Posted, Room};
use crate::refusal::Refusal;
use crate::units;

/// The room of holds. It writes nothing of its own: a hold is a part of its owner, whom the posting writes.
#[derive(Debug)]
pub struct Holding;

/// What settling needs.
#[derive(Debug)]
pub enum Draft {
    /// The posting tells what became of that hold.
    Posted(HoldId),
    /// It stayed like that.
    Stayed(Hold),
}

impl Room for Holding {
    type Work = HoldWork;
    type Loaded = Ground;
    type Draft = Draft;
    type Row = Hold;

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        works: &[&HoldWork],
    ) -> Result<Ground, StorageError> {
        let named: BTreeSet<HoldId> = works.iter().filter_map(|work| work.names()).collect();
        let named: Vec<HoldId> = named.into_iter().collect();
        let units = units::terms_in_tx(&mut *tx, program).await?;
        // Their owners are locked, so what is read of them stays.
        let holds = storage::find_many_in_tx(tx, program, &named).await?;
        let holds = holds.into_iter().map(|held| (held.hold.hold_id, held)).collect();
        Ok(Ground { units, holds })
    }

    fn plan(ground: &Ground, work: &HoldWork, moment: &Moment) -> Result<Plan<Draft>, Refusal> {
        let (command, slides, draft) = match work.plan(ground, moment)? {
            Decided::Changes(hold_id, command, slides) => (Some(command), slides, Draft::Posted(hold_id)),
            Decided::Stays(hold) => (None, Vec::new(), Draft::Stayed(hold)),
        };
        Ok(Plan {
            command,
            slides,
            purchase_id: None,
            draft,
        })
    }

    fn settle(ground: &mut Ground, _work: &HoldWork, draft: Draft, posted: &Posted) -> Hold {
        let hold = match draft {
            Draft::Stayed(hold) => hold,
            Draft::Posted(hold_id) => {
                let found = posted.holds.iter().find(|hold| hold.hold_id == hold_id);
                found.expect("the command was about this hold").clone()
            }
        };
        let after = OwnersHold {
            owner_id: posted.transaction.owner_id,
            hold: hold.clone(),
        };
        ground.holds.insert(hold.hold_id, after);
        hold
    }

    async fn write_in_tx(
        _tx: &mut PgConnection,
        _program: ProgramId,
        _rows: Vec<Hold>,
    ) -> Result<(), StorageError> {
        Ok(())
    }

    fn present(work: &HoldWork, posted: &Posted, row: &Hold) -> Vec<u8> {
        grpc::encode_posted(work, posted, row)
    }
}
