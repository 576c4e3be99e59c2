//! All rooms that take part in postings, as one room: a batch holds calls of any of them.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{BudgetCode, OwnerId, ProgramId};
use sqlx::PgConnection;

use super::room::{Moment, Plan, Posted, Room, Seen};
use crate::holds::Holding;
use crate::purchases::{Recording, Refunding};
use crate::refusal::Refusal;
use crate::transactions::{Activating, Points, Reversing, Transferring};

/// Whoever has works in a batch was asked to read for them.
const READ: &str = "a room reads before its works are decided";

/// Makes one room of many. Each is asked only for works of its own, and only if the batch has any; within a batch, works
/// of all rooms are decided in the order in which they came.
macro_rules! rooms {
    ($($name:ident, $field:ident: $room:ty;)+) => {
        /// A work of any room.
        #[derive(Debug)]
        pub enum Work {
            $(#[doc = concat!("Of [`", stringify!($room), "`].")] $name(<$room as Room>::Work),)+
        }

        $(impl From<<$room as Room>::Work> for Work {
            fn from(work: <$room as Room>::Work) -> Self {
                Self::$name(work)
            }
        })+

        /// What the rooms read; nothing of those that had no work.
        pub struct Loaded {
            $($field: Option<<$room as Room>::Loaded>,)+
        }

        /// What planning found out, by room.
        pub enum Draft {
            $(#[doc = "Of that room."] $name(<$room as Room>::Draft),)+
        }

        /// What is written, by room.
        pub enum Row {
            $(#[doc = "Of that room."] $name(<$room as Room>::Row),)+
        }

        impl Room for AllRooms {
            type Work = Work;
            type Loaded = Loaded;
            type Draft = Draft;
            type Row = Row;

            async fn load_in_tx(
                tx: &mut PgConnection,
                program: ProgramId,
                works: &[&Work],
            ) -> Result<Loaded, StorageError> {
                $(let $field: Vec<_> = works.iter().filter_map(|work| match work {
                    Work::$name(work) => Some(work),
                    _ => None,
                }).collect();)+
                Ok(Loaded {
                    $($field: if $field.is_empty() {
                        None
                    } else {
                        Some(<$room>::load_in_tx(&mut *tx, program, &$field).await?)
                    },)+
                })
            }

            fn budget_code<'a>(loaded: &'a Loaded, work: &'a Work) -> Option<&'a BudgetCode> {
                match work {
                    $(Work::$name(work) => <$room>::budget_code(loaded.$field.as_ref()?, work),)+
                }
            }

            fn holder(loaded: &Loaded, work: &Work, at: DateTime<Utc>) -> Option<OwnerId> {
                match work {
                    $(Work::$name(work) => <$room>::holder(loaded.$field.as_ref()?, work, at),)+
                }
            }

            fn plan(loaded: &Loaded, work: &Work, moment: &Moment) -> Result<Plan<Draft>, Refusal> {
                match work {
                    $(Work::$name(work) => {
                        let loaded = loaded.$field.as_ref().expect(READ);
                        Ok(<$room>::plan(loaded, work, moment)?.map_draft(Draft::$name))
                    })+
                }
            }

            fn see(loaded: &mut Loaded, seen: &Seen<'_>) {
                $(if let Some(loaded) = loaded.$field.as_mut() {
                    <$room>::see(loaded, seen);
                })+
            }

            fn settle(loaded: &mut Loaded, work: &Work, draft: Draft, posted: &Posted) -> Row {
                match (work, draft) {
                    $((Work::$name(work), Draft::$name(draft)) => {
                        let loaded = loaded.$field.as_mut().expect(READ);
                        Row::$name(<$room>::settle(loaded, work, draft, posted))
                    })+
                    _ => unreachable!("a work's draft is of its own room"),
                }
            }

            async fn write_in_tx(
                tx: &mut PgConnection,
                program: ProgramId,
                rows: Vec<Row>,
            ) -> Result<(), StorageError> {
                $(let mut $field = Vec::new();)+
                for row in rows {
                    match row {
                        $(Row::$name(row) => $field.push(row),)+
                    }
                }
                $(if !$field.is_empty() {
                    <$room>::write_in_tx(&mut *tx, program, $field).await?;
                })+
                Ok(())
            }

            fn present(work: &Work, posted: &Posted, row: &Row) -> Vec<u8> {
                match (work, row) {
                    $((Work::$name(work), Row::$name(row)) => <$room>::present(work, posted, row),)+
                    _ => unreachable!("a work's row is of its own room"),
                }
            }
        }
    };
}

/// All of them.
#[derive(Debug)]
pub struct AllRooms;

rooms! {
    Points, points: Points;
    Activation, activations: Activating;
    Transfer, transfers: Transferring;
    Hold, holds: Holding;
    Purchase, purchases: Recording;
    Refund, refunds: Refunding;
    Reverse, reversals: Reversing;
}
