//! Every table of this service that names people: what is told of it in an export, and what becomes of it when they are
//! erased. Both go by this list; a test holds that no table is missing.

use fealty_service::personal::{AtErasure, PersonalTable, Sealed};

/// Where a person's key is.
pub const KEY_STATEMENT: &str =
    "SELECT data_key, master_key_id FROM member WHERE program = $1 AND member_id = $2 AND ledger_confirmed";

/// A profile's field is sealed under its column's name.
const fn field(column: &'static str) -> Sealed {
    Sealed {
        column,
        field: column,
        names: None,
    }
}

/// The tables, those that refer to others first.
pub const PERSONAL_TABLES: &[PersonalTable] = &[
    PersonalTable {
        hidden: &["value_hash"],
        sealed: &[Sealed {
            column: "value",
            field: "identifier/{identifier_id}/{kind}",
            names: None,
        }],
        // Free again for others: whoever gets the phone number next can enrol with it.
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("identifier", "identifier_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("kinds, times and who did it; no value"),
        ..PersonalTable::of("identifier_history", "lpad(sequence::text, 20, '0')")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("member_trait", "encode(value_hash, 'hex')")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("former_identifier", "encode(value_hash, 'hex')")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("referral_device", "encode(device_hash, 'hex')")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("that they were invited, and what became of it; nobody can accept it"),
        ..PersonalTable::of("household_invitation", "invitation_id::text")
    },
    PersonalTable {
        // Whoever has it by now brings nobody by it: a closed member is no referrer.
        at_erasure: AtErasure::Keep("a code, without the person"),
        ..PersonalTable::of("referral_code", "code_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("how many invitations were sent, of which a factor is made"),
        ..PersonalTable::of("referral_invite", "invite_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep(
            "who brought whom, without the person: what was credited for it stays provable",
        ),
        ..PersonalTable::of("referral", "referral_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("what was credited, as the ledger has it"),
        ..PersonalTable::of("referral_reward", "concat_ws('/', referral_id, side)")
    },
    PersonalTable {
        sealed: &[Sealed {
            column: "reason",
            field: "tier_reason/{revision}",
            names: None,
        }],
        // By which tier a purchase was judged stays provable; why somebody gave it was words about a person.
        at_erasure: AtErasure::Blank("reason = NULL"),
        ..PersonalTable::of("member_tier", "lpad(revision::text, 20, '0')")
    },
    PersonalTable {
        // The ledger's books keep what was bought; it counts for nobody's tier any more.
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("qualification_day", "concat_ws('/', measure, day)")
    },
    PersonalTable {
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("member_ladder", "ladder_code")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("by which tier a purchase was judged stays provable; codes and times"),
        ..PersonalTable::of("tier_change", "lpad(revision::text, 20, '0')")
    },
    PersonalTable {
        sealed: &[Sealed {
            column: "reason",
            field: "tier_grant/{tier_grant_id}",
            names: None,
        }],
        at_erasure: AtErasure::Blank("reason = NULL"),
        ..PersonalTable::of("tier_grant", "tier_grant_id::text")
    },
    PersonalTable {
        sealed: &[Sealed {
            column: "reason",
            field: "change_reason/{change_id}",
            names: None,
        }],
        at_erasure: AtErasure::Blank("reason = NULL"),
        ..PersonalTable::of("member_change", "change_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("topic_opt_out", "topic")
    },
    PersonalTable {
        sealed: &[Sealed {
            column: "addresses",
            field: "contact_address/{}",
            names: Some("address_channels"),
        }],
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("contact_preference", "member_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("occasion_day", "concat_ws('/', kind, day_code)")
    },
    PersonalTable {
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("occasion_told", "concat_ws('/', year, kind, day_code)")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("proof that a contact was allowed"),
        ..PersonalTable::of("contact_decision", "decision_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep(
            "proof of what was allowed when, without the person; nothing is sent any more",
        ),
        ..PersonalTable::of("consent", "concat_ws('/', purpose, channel, concerns)")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("proof of what was allowed when, without the person"),
        ..PersonalTable::of("consent_receipt", "receipt_id::text")
    },
    PersonalTable {
        sealed: &[
            Sealed {
                column: "recipient",
                field: "disclosure/{disclosure_id}/recipient",
                names: None,
            },
            Sealed {
                column: "content",
                field: "disclosure/{disclosure_id}/content",
                names: None,
            },
        ],
        // That, when and on what basis something was disclosed stays.
        at_erasure: AtErasure::Blank("recipient = NULL, content = NULL"),
        ..PersonalTable::of("disclosure", "disclosure_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("when the time ended that the erasure may have gone by"),
        ..PersonalTable::of("contract_end", "member_id::text")
    },
    PersonalTable {
        at_erasure: AtErasure::Keep("the case, without the person"),
        ..PersonalTable::of("legal_hold", "legal_hold_id::text")
    },
    PersonalTable {
        // It tells of those who read, and each page of an export would add to it.
        exported: false,
        at_erasure: AtErasure::Keep("who read which fields when; no value"),
        ..PersonalTable::of("personal_read", "read_id::text")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Keep("the proof that it was done"),
        ..PersonalTable::of("erasure", "erasure_id::text")
    },
    PersonalTable {
        hidden: &["data_key", "master_key_id", "finish_after", "open_change_id"],
        sealed: &[
            field("registration_number"),
            field("given_name"),
            field("family_name"),
            field("display_name"),
            field("birth_date"),
            field("language_code"),
            field("place"),
            field("guardian_until"),
        ],
        // Whoever they answered for keeps the reference, to a record that says nothing: staff names another guardian.
        at_erasure: AtErasure::Blank(
            "registration_number = NULL, given_name = NULL, family_name = NULL, display_name = NULL, \
             birth_date = NULL, language_code = NULL, place = NULL, guardian_member_id = NULL, guardian_until = NULL",
        ),
        ..PersonalTable::of("member", "member_id::text")
    },
];
