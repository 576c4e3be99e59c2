//! Changes in one side of a transfer: the other one says so, too.

use fealty_ledger::verify::Check;

use super::{Tamper, found_by, found_only_by};

/// Begins a statement by removing an owner's side of their first transfer.
macro_rules! first_removed {
    ($owner:literal) => {
        concat!(
            "WITH gone AS (DELETE FROM transaction WHERE transaction_id = (
                               SELECT transaction_id FROM transaction WHERE owner_id = ",
            $owner,
            " AND kind = 'transfer' ORDER BY version LIMIT 1)
                           RETURNING counterpart_transaction_id) "
        )
    };
}

/// Of what the member ($1) sent the friend ($3).
pub(super) const COUNTERPARTS: &[Tamper] = &[
    found_by(
        "what was sent, everywhere in the sender's row",
        "WITH sent AS (
             UPDATE transaction SET entries = jsonb_set(jsonb_set(jsonb_set(entries, '{0,value}', '-701'),
                                                                  '{1,value}', '701'), '{0,balance}', '0'),
                                    lot_movements = jsonb_build_array(jsonb_set(lot_movements -> 0, '{value}', '-701'))
             WHERE owner_id = $1 AND kind = 'transfer' AND counterpart_owner_id = $3
               AND (entries -> 0 ->> 'value')::bigint = -700 RETURNING counterpart_transaction_id)
         SELECT t.owner_id, t.version, t.transaction_id FROM transaction t JOIN sent
             ON t.transaction_id = sent.counterpart_transaction_id",
        &[Check::Transfer, Check::Chain, Check::Moved, Check::Balance],
    ),
    found_by(
        "the receiver's side removed",
        concat!(
            first_removed!("$3"),
            "SELECT t.owner_id, t.version, t.transaction_id FROM transaction t JOIN gone
                 ON t.transaction_id = gone.counterpart_transaction_id"
        ),
        &[Check::Transfer, Check::Version, Check::Chain, Check::Moved],
    ),
    found_by(
        "the sender's side removed",
        concat!(
            first_removed!("$1"),
            "SELECT t.owner_id, t.version, t.transaction_id FROM transaction t JOIN gone
                 ON t.transaction_id = gone.counterpart_transaction_id"
        ),
        &[Check::Transfer, Check::Version, Check::Chain, Check::Moved],
    ),
    found_by(
        "both sides removed",
        concat!(
            first_removed!("$1"),
            "DELETE FROM transaction t USING gone WHERE t.transaction_id = gone.counterpart_transaction_id
             RETURNING t.owner_id, NULL::bigint, NULL::uuid"
        ),
        &[Check::Version, Check::Chain, Check::Balance, Check::Lot],
    ),
    found_only_by(
        "whom it was sent to",
        "UPDATE transaction SET counterpart_owner_id = $2 WHERE owner_id = $1 AND counterpart_owner_id = $3
         RETURNING owner_id, version, transaction_id",
        &[Check::Transfer, Check::Chain],
    ),
    found_only_by(
        "two sides that name each other crosswise",
        "UPDATE transaction t SET counterpart_transaction_id = o.counterpart_transaction_id
         FROM transaction o
         WHERE t.owner_id = $1 AND o.owner_id = $1 AND t.kind = 'transfer' AND o.kind = 'transfer'
           AND o.transaction_id <> t.transaction_id
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Transfer, Check::Chain],
    ),
    found_only_by(
        "a side that names none",
        "UPDATE transaction SET counterpart_owner_id = NULL, counterpart_transaction_id = NULL
         WHERE owner_id = $3 AND counterpart_owner_id = $1 RETURNING owner_id, version, transaction_id",
        &[Check::Transfer, Check::Chain],
    ),
    found_only_by(
        "another kind",
        "UPDATE transaction SET kind = 'move' WHERE owner_id = $3 AND counterpart_owner_id = $1
         RETURNING owner_id, version, transaction_id",
        &[Check::Transfer, Check::Chain],
    ),
    found_only_by(
        "a credit with another side",
        "UPDATE transaction SET counterpart_owner_id = $3, counterpart_transaction_id = gen_random_uuid()
         WHERE owner_id = $1 AND version = 1 RETURNING owner_id, version, transaction_id",
        &[Check::Transfer, Check::Chain],
    ),
    found_by(
        "what a correction took",
        "UPDATE transaction SET entries = jsonb_set(entries, '{1,account}', '\"program_redeemed\"')
         WHERE owner_id = $3 AND kind = 'adjust' AND (entries -> 0 ->> 'value')::bigint < 0
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "the age of what arrived, later than that",
        "UPDATE lot SET create_time = now() + interval '100 years'
         WHERE owner_id = (SELECT owner_id FROM transaction WHERE kind = 'transfer' AND version = 1)
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
];
