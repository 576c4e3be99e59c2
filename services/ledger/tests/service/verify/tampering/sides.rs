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
        "whom an open hold was made for",
        "UPDATE hold SET on_behalf_of = NULL WHERE on_behalf_of = $2 AND status = 'open'
         RETURNING owner_id, NULL::bigint, hold_id",
        &[Check::Hold],
    ),
    found_only_by(
        "whom a captured hold was made for",
        "UPDATE hold h SET on_behalf_of = $1 FROM transaction t
         WHERE h.on_behalf_of = $2 AND t.hold_id = h.hold_id AND t.kind = 'capture'
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Hold],
    ),
    found_by(
        "for whom a hold was captured, everywhere but in the hash",
        "WITH changed AS (UPDATE hold SET on_behalf_of = NULL WHERE on_behalf_of = $2 AND status = 'captured'
                          RETURNING hold_id)
         UPDATE transaction t SET on_behalf_of = NULL FROM changed
         WHERE t.hold_id = changed.hold_id RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Chain],
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
    found_by(
        "what a reversal took back",
        "UPDATE reversal r SET value = r.value + 1 FROM transaction t
         WHERE t.owner_id = $1 AND t.transaction_id = r.reversal_id
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Reversal],
    ),
    found_by(
        "a reversal removed",
        "WITH gone AS (DELETE FROM reversal WHERE value_before = 0 RETURNING reversal_id)
         SELECT t.owner_id, t.version, t.transaction_id FROM gone JOIN transaction t ON t.transaction_id = gone.reversal_id
         WHERE t.owner_id = $1",
        &[Check::Reversal],
    ),
    found_only_by(
        "a reversal out of nothing",
        "WITH made AS (
             INSERT INTO reversal SELECT r.program, r.transaction_id, r.value_before + r.value, 1, gen_random_uuid()
             FROM reversal r ORDER BY r.transaction_id, r.value_before DESC LIMIT 1
             RETURNING transaction_id)
         SELECT t.owner_id, NULL::bigint, NULL::uuid FROM made JOIN transaction t ON t.transaction_id = made.transaction_id",
        &[Check::Reversal],
    ),
    found_by(
        "which transaction was taken back",
        "UPDATE transaction t SET reversed_transaction_id = (
             SELECT o.transaction_id FROM transaction o WHERE o.owner_id = $1 AND o.version = 1)
         WHERE t.owner_id = $1 AND t.kind = 'reverse' RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Reversal, Check::Chain],
    ),
    found_by(
        "which hold was captured",
        "UPDATE transaction t SET hold_id = (SELECT h.hold_id FROM hold h WHERE h.owner_id = $1 AND h.status = 'open' LIMIT 1)
         WHERE t.owner_id = $1 AND t.kind = 'capture' RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Hold, Check::Chain],
    ),
    found_by(
        "from which lots a hold was captured",
        "UPDATE hold h SET pins = jsonb_set(h.pins, '{0,captured}', '1') FROM transaction t
         WHERE h.owner_id = $1 AND h.status = 'captured' AND t.hold_id = h.hold_id AND h.captured_value > 1
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Hold],
    ),
    found_by(
        "the lot to which points came back",
        "UPDATE transaction t SET lot_movements = jsonb_set(lot_movements, '{0,lot}', to_jsonb(gen_random_uuid()::text))
         WHERE t.owner_id = $1 AND t.kind = 'reverse' AND (lot_movements #>> '{0,value}')::bigint > 0
         RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Lot, Check::Chain],
    ),
    found_by(
        "more taken back than was given",
        "UPDATE transaction t SET entries = (
             SELECT jsonb_agg(jsonb_set(e, '{value}', to_jsonb((e ->> 'value')::bigint * 100)))
             FROM jsonb_array_elements(entries) AS e)
         WHERE t.owner_id = $1 AND t.kind = 'reverse' RETURNING t.owner_id, t.version, t.transaction_id",
        &[Check::Reversal, Check::Chain],
    ),
];
