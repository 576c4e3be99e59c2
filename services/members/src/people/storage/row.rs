//! A member's row.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, MemberId, PolicyId, Version};
use fealty_vault::{MasterKeyId, SealedKey};

use super::standing::{parse_status, parse_tier_code};
use crate::people::domain::{Acceptance, PartyKind, Standing};
use crate::people::seal::{SealedGuardian, SealedMember, SealedProfile};
use crate::policies::storage::{parse_text_hash, parse_version};

/// A member as the table has them.
pub(super) struct MemberRow {
    pub(super) member_id: MemberId,
    pub(super) data_key: Vec<u8>,
    pub(super) master_key_id: String,
    pub(super) given_name: Option<Vec<u8>>,
    pub(super) family_name: Option<Vec<u8>>,
    pub(super) display_name: Option<Vec<u8>>,
    pub(super) birth_date: Option<Vec<u8>>,
    pub(super) language_code: Option<Vec<u8>>,
    pub(super) place: Option<Vec<u8>>,
    pub(super) policy_id: PolicyId,
    pub(super) policy_version: i64,
    pub(super) policy_text_sha256: Vec<u8>,
    pub(super) accept_channel: String,
    pub(super) accept_time: DateTime<Utc>,
    pub(super) ledger_confirmed: bool,
    pub(super) status: String,
    pub(super) tier_code: Option<String>,
    pub(super) household_id: Option<HouseholdId>,
    pub(super) merged_into_member_id: Option<MemberId>,
    pub(super) revision: i64,
    pub(super) create_time: DateTime<Utc>,
    pub(super) update_time: DateTime<Utc>,
    pub(super) party_kind: String,
    pub(super) registration_number: Option<Vec<u8>>,
    pub(super) guardian_member_id: Option<MemberId>,
    pub(super) guardian_until: Option<Vec<u8>>,
    pub(super) accepted_by_member_id: Option<MemberId>,
}

impl TryFrom<MemberRow> for SealedMember {
    type Error = StorageError;

    fn try_from(row: MemberRow) -> Result<Self, StorageError> {
        Ok(Self {
            member_id: row.member_id,
            key: SealedKey {
                master_key_id: MasterKeyId::from_stored(row.master_key_id),
                bytes: row.data_key,
            },
            profile: SealedProfile {
                party_kind: PartyKind::from_column(&row.party_kind)
                    .ok_or_else(|| StorageError::corrupt("member.party_kind", &row.party_kind))?,
                registration_number: row.registration_number,
                given_name: row.given_name,
                family_name: row.family_name,
                display_name: row.display_name,
                birth_date: row.birth_date,
                language_code: row.language_code,
                place: row.place,
            },
            identifiers: Vec::new(),
            acceptance: Acceptance {
                policy_id: row.policy_id,
                version: parse_version(row.policy_version)?,
                text_hash: parse_text_hash(&row.policy_text_sha256)?,
                channel: row.accept_channel,
                accept_time: row.accept_time,
            },
            accepted_by: row.accepted_by_member_id,
            guardian: row
                .guardian_member_id
                .zip(row.guardian_until)
                .map(|(member_id, until)| SealedGuardian { member_id, until }),
            ledger_confirmed: row.ledger_confirmed,
            standing: Standing {
                status: parse_status(&row.status)?,
                tier_code: row.tier_code.map(|code| parse_tier_code(&code)).transpose()?,
                household_id: row.household_id,
                merged_into_member_id: row.merged_into_member_id,
                tiers: Vec::new(),
            },
            revision: Version::try_new(row.revision)
                .map_err(|error| StorageError::corrupt("member.revision", error))?,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
