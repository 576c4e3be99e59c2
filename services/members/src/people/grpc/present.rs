//! Members as messages.

use chrono::{DateTime, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::types::v1::Date;
use fealty_rpc::etag::Etag;
use fealty_rpc::present::{text_of, timestamp};
use fealty_vault::{LookupHash, Personal};

use crate::cards::grpc::{present_reason, present_status};
use crate::ladders::grpc::tier_ref;
use crate::people::domain::{
    Acceptance, BirthDate, Duplicates, HistoryEntry, Identifier, IdentifierKind, LanguageTag, Member,
    MemberStatus, PartyKind, Profile, RegistrationNumber, Trait,
};

pub(super) fn member(member: &Member, now: DateTime<Utc>) -> pb::Member {
    let standing = &member.standing;
    pb::Member {
        member_id: member.member_id.to_string(),
        profile: Some(profile(&member.profile)),
        identifiers: member.identifiers.iter().map(identifier).collect(),
        policy_acceptance: Some(acceptance(&member.acceptance)),
        create_time: Some(timestamp(member.create_time)),
        update_time: Some(timestamp(member.update_time)),
        etag: Etag::new(member.revision.get()).to_string(),
        status: status(standing.status).into(),
        tier_code: text_of(standing.tier_code.as_ref()),
        household_id: text_of(standing.household_id.as_ref()),
        merged_into_member_id: text_of(standing.merged_into_member_id.as_ref()),
        guardian_member_id: text_of(member.guardian_at(now).as_ref()),
        policy_accepted_by_member_id: text_of(member.accepted_by.as_ref()),
        tiers: standing.tiers.iter().map(tier_ref).collect(),
    }
}

pub(super) fn identifier(identifier: &Identifier) -> pb::Identifier {
    let text = shown(Some(identifier.value.text()));
    let value = match identifier.value.kind() {
        IdentifierKind::ExternalId => Value::ExternalId(text),
        IdentifierKind::CardNumber => Value::CardNumber(text),
        IdentifierKind::PhoneNumber => Value::PhoneNumber(text),
        IdentifierKind::EmailAddress => Value::EmailAddress(text),
    };
    pb::Identifier {
        identifier_id: identifier.identifier_id.to_string(),
        create_time: Some(timestamp(identifier.create_time)),
        value: Some(value),
        verify_time: identifier
            .verification
            .as_ref()
            .map(|verification| timestamp(verification.verify_time)),
        verified_by: identifier
            .verification
            .as_ref()
            .map(|verification| verification.verified_by.clone())
            .unwrap_or_default(),
        card_status: identifier
            .card
            .map_or(pb::CardStatus::Unspecified, |card| present_status(card.status))
            .into(),
        card_end_reason: identifier
            .card
            .map_or(pb::CardEndReason::Unspecified, |card| {
                present_reason(card.end_reason)
            })
            .into(),
        replaced_by_identifier_id: text_of(
            identifier
                .card
                .and_then(|card| card.replaced_by_identifier_id)
                .as_ref(),
        ),
    }
}

/// Members who have something in common.
pub(super) fn duplicates(found: &Duplicates<LookupHash>) -> pb::DuplicateCandidates {
    let reason = match found.kind {
        Trait::NameAndBirthDate => pb::DuplicateReason::NameAndBirthDate,
        Trait::NameAndPlace => pb::DuplicateReason::NameAndPlace,
        Trait::SimilarEmailAddress => pb::DuplicateReason::SimilarEmailAddress,
        Trait::RegistrationNumber => pb::DuplicateReason::RegistrationNumber,
    };
    pb::DuplicateCandidates {
        reason: reason.into(),
        member_ids: found.member_ids.iter().map(ToString::to_string).collect(),
        has_more: found.has_more,
    }
}

/// What became of an identifier.
pub(super) fn entry(entry: &HistoryEntry) -> pb::IdentifierHistoryEntry {
    pb::IdentifierHistoryEntry {
        identifier_id: entry.identifier_id.to_string(),
        kind: entry.kind.field().to_owned(),
        change: entry.change.as_str().to_owned(),
        card_end_reason: present_reason(entry.change.end_reason()).into(),
        replaced_by_identifier_id: text_of(entry.change.replaced_by().as_ref()),
        actor: entry.actor.clone(),
        change_time: Some(timestamp(entry.change_time)),
    }
}

const fn status(status: MemberStatus) -> pb::MemberStatus {
    match status {
        MemberStatus::Active => pb::MemberStatus::Active,
        MemberStatus::Suspended => pb::MemberStatus::Suspended,
        MemberStatus::Closed => pb::MemberStatus::Closed,
        MemberStatus::Merged => pb::MemberStatus::Merged,
        MemberStatus::Excluded => pb::MemberStatus::Excluded,
    }
}

const fn party_kind(kind: PartyKind) -> pb::PartyKind {
    match kind {
        PartyKind::NaturalPerson => pb::PartyKind::NaturalPerson,
        PartyKind::LegalEntity => pb::PartyKind::LegalEntity,
        PartyKind::SoleProprietor => pb::PartyKind::SoleProprietor,
    }
}

fn profile(profile: &Profile) -> pb::Profile {
    pb::Profile {
        given_name: shown(profile.given_name.as_ref()),
        family_name: shown(profile.family_name.as_ref()),
        display_name: shown(profile.address().as_ref()),
        birth_date: profile.birth_date.as_ref().map(date),
        language_code: shown(profile.language.as_ref().map(LanguageTag::as_personal)),
        place: shown(profile.place.as_ref()),
        party_kind: party_kind(profile.party_kind).into(),
        registration_number: shown(
            profile
                .registration_number
                .as_ref()
                .map(RegistrationNumber::as_personal),
        ),
    }
}

fn acceptance(acceptance: &Acceptance) -> pb::PolicyAcceptance {
    pb::PolicyAcceptance {
        policy_version: acceptance.version.get(),
        channel: acceptance.channel.clone(),
        accept_time: Some(timestamp(acceptance.accept_time)),
        text_sha256: acceptance.text_hash.to_string(),
    }
}

fn date(birth_date: &BirthDate) -> Date {
    Date {
        year: birth_date.year().unwrap_or(0),
        // 1 to 12 and 1 to 31.
        month: birth_date.month().cast_signed(),
        day: birth_date.day().cast_signed(),
    }
}

fn shown(text: Option<&Personal>) -> String {
    text.map(|text| text.expose().to_owned()).unwrap_or_default()
}
