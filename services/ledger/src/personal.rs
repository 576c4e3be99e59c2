//! Every table of this service that names owners: what is told of it when a person's data is exported. None of it says who
//! they are, and the record is kept for ever, so all of it stays when they are erased; a test holds that no table is
//! missing.
//!
//! Of a household's account its members are told what they bought and what they hold; its balances and transactions are the
//! household's own, under its id.

use fealty_service::personal::{AtErasure, PersonalTable};

/// A table whose rows bear their owner.
const fn of(name: &'static str, key: &'static str) -> PersonalTable {
    PersonalTable {
        member: "owner_id",
        at_erasure: AtErasure::Keep("the record: it balances and is chained, and names nobody"),
        ..PersonalTable::of(name, key)
    }
}

/// The tables.
pub const PERSONAL_TABLES: &[PersonalTable] = &[
    PersonalTable {
        hidden: &["feed_xid"],
        ..of("owner", "owner_id::text")
    },
    of("account", "unit_code"),
    of("lot", "lot_id::text"),
    of("hold", "hold_id::text"),
    PersonalTable {
        hidden: &["command_hash", "answer", "feed_xid", "trace_parent"],
        ..of("transaction", "transaction_id::text")
    },
    of("purchase", "purchase_id::text"),
    of("refund", "refund_id::text"),
    of("spending", "concat_ws('/', account_owner_id, unit_code)"),
    of("expiry_notice", "transaction_id::text"),
    of("transfer_day", "unit_code"),
];
