//! Changes in the rows beside transactions.

use fealty_ledger::verify::Check;

use super::{Tamper, found_by, found_only_by};

/// In the rows beside transactions.
pub(super) const SIDES: &[Tamper] = &[
    found_by(
        "what an open hold holds",
        "UPDATE hold h SET value = h.value + 1 FROM transaction t
         WHERE h.owner_id = $1 AND h.status = 'open' AND t.transaction_id = h.hold_id
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Hold],
    ),
    found_by(
        "what was captured of a hold",
        "UPDATE hold SET captured_value = captured_value + 1
         WHERE owner_id = $1 AND status = 'captured' AND captured_value < value
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Hold],
    ),
    found_by(
        "what became of a hold",
        "UPDATE hold h SET status = 'released', captured_value = 0
         WHERE owner_id = $1 AND status = 'captured' AND captured_value < value
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Hold],
    ),
    found_by(
        "an open hold that is over",
        "UPDATE hold SET status = 'released' WHERE owner_id = $1 AND status = 'open'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Hold, Check::Lot],
    ),
    found_by(
        "what a hold claims",
        "UPDATE hold h SET pins = jsonb_set(h.pins, '{0,value}', '1') FROM transaction t
         WHERE h.owner_id = $1 AND h.status = 'open' AND t.transaction_id = h.hold_id
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Hold, Check::Lot],
    ),
    found_by(
        "a hold removed",
        "WITH gone AS (DELETE FROM hold WHERE owner_id = $1 AND status = 'open' RETURNING hold_id)
         SELECT t.owner_id, t.version, t.transaction_id FROM gone JOIN transaction t ON t.transaction_id = gone.hold_id",
        &[Check::Hold],
    ),
    found_only_by(
        "a hold out of nothing",
        "INSERT INTO hold SELECT (new).* FROM (
             SELECT jsonb_populate_record(NULL::hold, to_jsonb(h) || jsonb_build_object('hold_id', gen_random_uuid())) AS new
             FROM hold h WHERE h.owner_id = $1 AND h.status = 'open') AS made
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Hold],
    ),
    found_only_by(
        "the money of a purchase",
        "UPDATE purchase p SET money_minor = p.money_minor + 1 FROM transaction t
         WHERE p.owner_id = $1 AND t.transaction_id = p.purchase_id RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Purchase],
    ),
    found_only_by(
        "what a purchase earned",
        "UPDATE purchase p SET earned_values = '{1}' FROM transaction t
         WHERE p.owner_id = $1 AND t.transaction_id = p.purchase_id RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Purchase],
    ),
    found_only_by(
        "what was refunded of a purchase",
        "UPDATE purchase SET refunded_minor = 0 WHERE owner_id = $1 AND refunded_minor > 0
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Refund],
    ),
    found_only_by(
        "a purchase removed",
        "WITH gone AS (DELETE FROM purchase WHERE owner_id = $1 AND refunded_minor = 0 RETURNING purchase_id)
         SELECT t.owner_id, t.version, t.transaction_id FROM gone JOIN transaction t ON t.transaction_id = gone.purchase_id",
        &[Check::Purchase],
    ),
    found_only_by(
        "a purchase out of nothing",
        "INSERT INTO purchase SELECT (new).* FROM (
             SELECT jsonb_populate_record(NULL::purchase, to_jsonb(p) || jsonb_build_object('purchase_id', gen_random_uuid())) AS new
             FROM purchase p WHERE p.owner_id = $1 AND p.refunded_minor = 0 LIMIT 1) AS made
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Purchase],
    ),
    found_by(
        "the money of a refund",
        "UPDATE refund r SET money_minor = r.money_minor + 1 FROM transaction t
         WHERE r.owner_id = $1 AND r.purchase_id IS NOT NULL AND t.transaction_id = r.refund_id
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Refund],
    ),
    found_by(
        "a refund removed",
        "WITH gone AS (DELETE FROM refund WHERE owner_id = $1 AND purchase_id IS NOT NULL RETURNING refund_id)
         SELECT t.owner_id, t.version, t.transaction_id FROM gone JOIN transaction t ON t.transaction_id = gone.refund_id",
        &[Check::Refund],
    ),
];
