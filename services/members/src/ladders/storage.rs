//! Ladders and where members stand on them, in the database.

mod changes;
mod definition;
mod due;
mod evaluation;
mod facts;
mod grants;
mod ladders;
mod rows;

pub use changes::StoredChange;
pub(super) use changes::{insert_changes_in_tx, list_changes_in_tx};
pub(super) use due::{
    claim_sweep_in_tx, find_due_in_tx, forget_sources_in_tx, lock_members_after_in_tx, note_swept_in_tx,
};
pub(super) use evaluation::{list_climbers_in_tx, load_balances_in_tx};
pub(super) use facts::{
    Counting, add_in_tx, find_purchase_in_tx, find_transaction_in_tx, insert_source_in_tx, load_book_in_tx,
    lock_counting_in_tx, put_together_in_tx, set_left_in_tx,
};
pub(super) use grants::{
    SealedGrant, find_grant_in_tx, insert_grant_in_tx, list_grants_in_tx, load_granted_in_tx,
    load_grants_in_tx, revoke_grant_in_tx,
};
pub(super) use ladders::{
    Head, distrust_in_tx, find_published_in_tx, find_version_in_tx, insert_version_in_tx, list_newest_in_tx,
    load_heads_in_tx, lock_program_in_tx, retire_in_tx,
};
pub(super) use rows::{
    Row, StoredCheckpoint, find_behind_in_tx, find_told_in_tx, find_who_in_tx, load_rows_in_tx,
    upsert_row_in_tx,
};
