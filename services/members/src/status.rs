//! The one table from what the rooms refuse to what a caller is told.

mod households;

use chrono::NaiveDate;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_rpc::violations::Violations;
use fealty_service::status::{CONTENTION_RETRY_AFTER, storage_status};
use fealty_types::{ContactId, HouseholdId, IdentifierId, MemberId, PolicyId};
use tonic::Code;
use uuid::Uuid;

use crate::cards::domain::{CardState, CardStatus, EndReason};
use crate::contacts::domain::Outcome;
use crate::people::domain::{IdentifierKind, MemberStatus, PartyProblem};
use crate::policies::domain::PolicyVersion;
use crate::referrals::domain::Check;
use crate::refusal::{LedgerRefusal, MembersError, Refusal, Resource};

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { resource, id } => Self::not_found(resource.as_str(), id),
            Refusal::Exists { resource, id } => Self::already_exists(resource.as_str(), id),
            Refusal::EtagMismatch { resource, id } => Self::etag_mismatch(resource.as_str(), id),
            Refusal::RequestIdReused(request_id) => Self::request_id_reused(request_id),
            Refusal::ScopeMissing(scope) => Self::scope_missing(scope),
            Refusal::KeyIssuesNoTokens => key_issues_no_tokens(),
            Refusal::StaffInactive(staff_id) => Self::staff_inactive(staff_id),
            Refusal::FieldInvalid { field, description } => Self::field_invalid(field, description),
            Refusal::PartyUnfit(problems) => party_unfit(&problems),
            Refusal::PositionInvalid => Self::page_token_invalid(),
            Refusal::PolicyMissing => policy_missing(),
            Refusal::ConsentRequired {
                policy_id,
                policy_version,
            } => consent_required(policy_id, policy_version),
            Refusal::PolicyVersionOutdated {
                policy_id,
                policy_version,
            } => policy_version_outdated(policy_id, policy_version),
            Refusal::CountExceeded { resource, count_max } => count_exceeded(resource, count_max),
            Refusal::IdentifierTaken {
                identifier_id,
                kind,
                index,
            } => identifier_taken(identifier_id, kind, index),
            Refusal::NobodyBears { kind, card_status } => nobody_bears(kind, card_status),
            Refusal::CardEnded(state) => card_ended(&state),
            Refusal::CardNotGiven { status, kind, index } => card_not_given(status, kind, index),
            Refusal::GuardianRequired => guardian_required(),
            Refusal::GuardianNotNeeded { field } => guardian_not_needed(field),
            Refusal::GuardianUnsuitable { guardian_member_id } => guardian_unsuitable(guardian_member_id),
            Refusal::NotTheGuardian {
                member_id,
                guardian_member_id,
            } => not_the_guardian(member_id, guardian_member_id),
            Refusal::CardNotLinked => card_not_linked(),
            Refusal::CardNumbersSpent { count_max } => card_numbers_spent(count_max),
            Refusal::NoSuchCard => no_such_card(),
            Refusal::CardNumberTaken { place } => card_number_taken(place),
            Refusal::MemberNotActive { member_id, status } => member_not_active(member_id, status),
            Refusal::HouseholdTaken {
                member_id,
                household_id,
            } => household_taken(member_id, household_id),
            Refusal::HouseholdFull { count_max } => household_full(count_max),
            Refusal::Household(refusal) => refusal.into(),
            Refusal::DeliveryReported { contact_id, outcome } => delivery_reported(contact_id, outcome),
            Refusal::ReferralRefused {
                referrer_member_id,
                checks,
            } => referral_refused(referrer_member_id, &checks),
            Refusal::CompaniesFull { count_max } => companies_full(count_max),
            Refusal::MergeRefused { member_id } => merge_refused(member_id),
            Refusal::Ladder(refusal) => refusal.into(),
            Refusal::TooManyRecords { member_id, count_max } => too_many_records(member_id, count_max),
            Refusal::LegalHold {
                member_id,
                legal_hold_id,
            } => legal_hold(member_id, legal_hold_id),
            Refusal::RetentionNotEnded {
                member_id,
                purgeable_from_date,
            } => retention_not_ended(member_id, purgeable_from_date),
            Refusal::Contended => Self::contention(CONTENTION_RETRY_AFTER),
        }
    }
}

fn count_exceeded(resource: &str, count_max: usize) -> ApiError {
    ApiError::refused(
        ErrorReason::CountExceeded,
        "A member has at most {count_max} of {resource}.",
    )
    .with("resource", resource)
    .with("count_max", count_max)
}

fn too_many_records(member_id: MemberId, count_max: usize) -> ApiError {
    ApiError::refused(
        ErrorReason::TooManyRecords,
        "The member {member_id} was merged with more than {count_max} others.",
    )
    .with("member_id", member_id)
    .with("count_max", count_max)
}

fn legal_hold(member_id: MemberId, legal_hold_id: Uuid) -> ApiError {
    ApiError::refused(
        ErrorReason::LegalHold,
        "The data of the member {member_id} is held for legal reasons: {legal_hold_id}.",
    )
    .with("member_id", member_id)
    .with("legal_hold_id", legal_hold_id)
}

fn retention_not_ended(member_id: MemberId, purgeable_from_date: Option<NaiveDate>) -> ApiError {
    let refused = |template: &'static str| ApiError::refused(ErrorReason::RetentionNotEnded, template);
    match purgeable_from_date {
        Some(date) => refused("The data of the member {member_id} is kept until {purgeable_from_date}.")
            .with("member_id", member_id)
            .with("purgeable_from_date", date),
        None => refused("The contract with the member {member_id} goes on.").with("member_id", member_id),
    }
}

fn key_issues_no_tokens() -> ApiError {
    ApiError::refused(
        ErrorReason::KeyIssuesNoTokens,
        "The key was made before there were member tokens, or belongs to no program: make another one.",
    )
}

fn referral_refused(referrer_member_id: MemberId, checks: &[Check]) -> ApiError {
    let checks: Vec<&str> = checks.iter().map(|check| check.as_str()).collect();
    ApiError::refused(
        ErrorReason::ReferralRefused,
        "The referral by {referrer_member_id} does not count: {checks}.",
    )
    .with("referrer_member_id", referrer_member_id)
    .with("checks", checks.join(","))
}

fn guardian_required() -> ApiError {
    ApiError::refused(
        ErrorReason::GuardianRequired,
        "The member would be a minor without a guardian.",
    )
}

fn guardian_not_needed(field: &str) -> ApiError {
    let description = "must be empty: only a minor, the year of whose birth is known, has a guardian";
    ApiError::field_invalid(field, description)
}

fn guardian_unsuitable(guardian_member_id: MemberId) -> ApiError {
    ApiError::refused(
        ErrorReason::GuardianUnsuitable,
        "The member {guardian_member_id} is not active, or not known to be of age.",
    )
    .with("guardian_member_id", guardian_member_id)
}

fn not_the_guardian(member_id: MemberId, guardian_member_id: MemberId) -> ApiError {
    ApiError::refused(
        ErrorReason::NotTheGuardian,
        "The member {guardian_member_id} does not answer for {member_id}.",
    )
    .with("member_id", member_id)
    .with("guardian_member_id", guardian_member_id)
}

fn consent_required(policy_id: PolicyId, policy_version: PolicyVersion) -> ApiError {
    ApiError::refused(
        ErrorReason::ConsentRequired,
        "Nobody is enrolled without having accepted version {policy_version} of the policy.",
    )
    .with("policy_id", policy_id)
    .with("policy_version", policy_version)
}

fn policy_version_outdated(policy_id: PolicyId, policy_version: PolicyVersion) -> ApiError {
    ApiError::refused(
        ErrorReason::PolicyVersionOutdated,
        "The accepted policy version is not the one in force, which is {policy_version}.",
    )
    .with("policy_id", policy_id)
    .with("policy_version", policy_version)
}

fn policy_missing() -> ApiError {
    ApiError::refused(
        ErrorReason::PolicyMissing,
        "The program has no policy in force, so nobody can consent to it yet.",
    )
}

fn nobody_bears(kind: &'static str, card_status: Option<&'static str>) -> ApiError {
    let nobody = ApiError::new(
        Code::NotFound,
        ErrorReason::ResourceNotFound,
        "There is no {resource} with that {kind}.",
    )
    .with("resource", Resource::Member.as_str())
    .with("kind", kind);
    match card_status {
        Some(status) => nobody.with("card_status", status),
        None => nobody,
    }
}

fn no_such_card() -> ApiError {
    let template = "There is no {resource} with that number.";
    ApiError::new(Code::NotFound, ErrorReason::ResourceNotFound, template)
        .with("resource", Resource::Card.as_str())
}

fn card_number_taken(place: usize) -> ApiError {
    let template = "The number at place {place} of the batch belongs to another {resource}.";
    ApiError::new(Code::AlreadyExists, ErrorReason::ResourceExists, template)
        .with("resource", Resource::Card.as_str())
        .with("place", place)
}

fn card_not_linked() -> ApiError {
    ApiError::refused(
        ErrorReason::CardNotLinked,
        "Nobody has the card, so nobody can get another one in its stead.",
    )
    .with("kind", IdentifierKind::CardNumber.field())
}

fn card_numbers_spent(count_max: u64) -> ApiError {
    ApiError::refused(
        ErrorReason::CountExceeded,
        "Most of the {count_max} numbers with that prefix and so many digits are taken.",
    )
    .with("resource", "card_numbers")
    .with("count_max", count_max)
}

/// The field is named, and nothing of a card that may be a stranger's.
fn card_not_given(status: CardStatus, kind: &'static str, index: Option<usize>) -> ApiError {
    let refused = if status == CardStatus::Replaced {
        let template = "The card of {kind} was replaced: it is given to nobody.";
        ApiError::refused(ErrorReason::CardReplaced, template)
    } else {
        let template = "The card of {kind} is blocked: it is given to nobody.";
        ApiError::refused(ErrorReason::CardBlocked, template)
    };
    let refused = refused.with("kind", kind);
    match index {
        Some(index) => refused.with("index", index),
        None => refused,
    }
}

fn card_ended(state: &CardState) -> ApiError {
    let reason = state.end_reason.map_or("OTHER", EndReason::as_str);
    let (why, template) = if state.status == CardStatus::Replaced {
        let template = "The card was replaced: {reason}.";
        (ErrorReason::CardReplaced, template)
    } else {
        (ErrorReason::CardBlocked, "The card is blocked: {reason}.")
    };
    let refused = ApiError::refused(why, template)
        .with("kind", IdentifierKind::CardNumber.field())
        .with("reason", reason);
    match (state.status, state.replaced_by_identifier_id) {
        (CardStatus::Replaced, Some(by)) => refused.with("replaced_by_identifier_id", by),
        _ => refused,
    }
}

/// Everything that does not go with the kind of party, in the update's own words.
fn party_unfit(problems: &[PartyProblem]) -> ApiError {
    let mut v = Violations::default();
    for problem in problems {
        v.add(&format!("member.profile.{}", problem.field), problem.description);
    }
    v.finish()
        .err()
        .unwrap_or_else(|| ApiError::internal_message("a profile was refused and nothing is wrong with it"))
}

fn member_not_active(member_id: MemberId, status: MemberStatus) -> ApiError {
    ApiError::refused(
        ErrorReason::MemberNotActive,
        "The member {member_id} is {status}.",
    )
    .with("member_id", member_id)
    .with("status", status.as_str())
}

fn household_taken(member_id: MemberId, household_id: HouseholdId) -> ApiError {
    ApiError::refused(
        ErrorReason::HouseholdTaken,
        "The member {member_id} belongs to the household {household_id}.",
    )
    .with("member_id", member_id)
    .with("household_id", household_id)
}

fn household_full(count_max: usize) -> ApiError {
    ApiError::refused(
        ErrorReason::CountExceeded,
        "A household has at most {count_max} members.",
    )
    .with("resource", "household_members")
    .with("count_max", count_max)
}

fn delivery_reported(contact_id: ContactId, outcome: Outcome) -> ApiError {
    ApiError::refused(
        ErrorReason::DeliveryReported,
        "The contact {contact_id} was reported as {outcome}.",
    )
    .with("contact_id", contact_id)
    .with("outcome", outcome.as_str())
}

fn companies_full(count_max: usize) -> ApiError {
    ApiError::refused(
        ErrorReason::CountExceeded,
        "A program has at most {count_max} companies.",
    )
    .with("resource", "companies")
    .with("count_max", count_max)
}

fn merge_refused(member_id: MemberId) -> ApiError {
    ApiError::refused(
        ErrorReason::MergeRefused,
        "The member {member_id} is merged already, or is the same as the other.",
    )
    .with("member_id", member_id)
}

/// The ledger's own refusal, passed on.
fn ledger_refused(refusal: LedgerRefusal) -> ApiError {
    let told = ApiError::refused(refusal.reason, "The ledger refuses: {ledger_message}")
        .with("ledger_message", refusal.message);
    let add = |told: ApiError, (key, value): (String, String)| told.with(key, value);
    refusal.metadata.into_iter().fold(told, add)
}

/// The value itself is personal: it is named by its kind, and by its place in the request.
fn identifier_taken(identifier_id: IdentifierId, kind: &'static str, index: Option<usize>) -> ApiError {
    let taken = ApiError::already_exists(Resource::Identifier.as_str(), identifier_id).with("kind", kind);
    match index {
        Some(index) => taken.with("index", index),
        None => taken,
    }
}

impl From<MembersError> for ApiError {
    fn from(error: MembersError) -> Self {
        match error {
            MembersError::Refused(refusal) => refusal.into(),
            MembersError::Storage(error) => storage_status(&error),
            MembersError::LedgerAway => Self::dependency_unavailable("ledger"),
            MembersError::LedgerRefused(refusal) => ledger_refused(refusal),
            MembersError::Crashed => Self::internal(&error),
        }
    }
}
