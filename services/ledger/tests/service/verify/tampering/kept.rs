//! What the ledger keeps so that nobody has to add it up again, changed by hand.

use fealty_ledger::verify::Check;

use super::{Tamper, found_only_by};

/// Of what the member ($1) sent on their last day, and to where their miles, and those of the friend ($3), slide.
pub(super) const KEPT: &[Tamper] = &[
    found_only_by(
        "the day on which points were sent",
        "UPDATE transfer_day SET day = day - 1 WHERE owner_id = $1 RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "how many points were sent",
        "UPDATE transfer_day SET sent_value = sent_value - 1 WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "how often points were sent",
        "UPDATE transfer_day SET sent_count = sent_count + 1 WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "a day on which only the last was sent",
        "UPDATE transfer_day SET sent_value = 150, sent_count = 1 WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "the time zone of the day",
        "UPDATE transfer_day SET time_zone = 'America/New_York' WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "a time zone that there is not",
        "UPDATE transfer_day SET time_zone = 'Nowhere' WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "a day long ago, of no time zone",
        "UPDATE transfer_day SET time_zone = NULL, day = day - 3 WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "a day removed",
        "DELETE FROM transfer_day WHERE owner_id = $1 RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "a day out of nothing",
        "INSERT INTO transfer_day SELECT program, $2, unit_code, day, sent_value, sent_count, time_zone
         FROM transfer_day WHERE owner_id = $1 RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Transfer],
    ),
    found_only_by(
        "to where an activity moved the end of what slides",
        "UPDATE account SET sliding_end = sliding_end + interval '1 day' WHERE owner_id = $1 AND unit_code = 'miles'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_only_by(
        "that anything ever slid",
        "UPDATE account SET sliding_end = NULL WHERE owner_id = $1 AND unit_code = 'miles'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_only_by(
        "to where an activity moved the end of what is spent by now",
        "UPDATE account SET sliding_end = sliding_end - interval '1 microsecond'
         WHERE owner_id = $3 AND unit_code = 'miles' RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_only_by(
        "the same, to a later end",
        "UPDATE account SET sliding_end = sliding_end + interval '1 microsecond'
         WHERE owner_id = $3 AND unit_code = 'miles' RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
];
