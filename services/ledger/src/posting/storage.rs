//! The posting room's SQL. Every function runs in the caller's transaction.

mod accounts;
mod earlier;
mod ended;
mod holds;
mod locks;
mod lot_row;
mod lots;
mod notices;
mod rows;
mod state;
mod write;

pub(crate) use accounts::AccountChange;
pub(crate) use earlier::{Earlier, EarlierRequest, find_earlier_in_tx};
pub(crate) use ended::{Ended, list_ended_in_tx, lock_idle_owners_in_tx};
pub(crate) use holds::HoldRow;
pub(crate) use locks::{Locked, Patience, list_others_in_tx, lock_in_tx};
pub(crate) use lot_row::LotRow;
pub(crate) use notices::{
    Holder, NewNotice, insert_notices_in_tx, list_holders_in_tx, list_telling_programs_in_tx, list_told_in_tx,
};
pub(crate) use rows::{EntryRow, MovementRow, PinRow};
pub(crate) use state::{Now, add_holdings_in_tx, find_closed_lots_in_tx, find_states_in_tx};
pub(crate) use write::{NewTransaction, Outcome, OwnerChange, write_in_tx};
