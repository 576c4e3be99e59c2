//! Consents as messages.

use chrono::{DateTime, Utc};
use fealty_proto::members::v1 as pb;
use fealty_rpc::present::timestamp;
use uuid::Uuid;

use super::HistoryCursor;
use crate::consents::domain::{
    Change, Company, Concerns, ConsentPurpose, Giver, Item, Party, PolicyStanding, Receipt, Standing, Status,
};
use crate::contacts::domain::Channel;
use crate::policies::domain::PolicyVersion;

pub(super) fn company(company: Company) -> pb::Company {
    pb::Company {
        company_code: company.company_code.to_string(),
        display_name: company.display_name.into(),
        create_time: Some(timestamp(company.create_time)),
    }
}

pub(super) fn receipt(receipt: &Receipt) -> pb::ConsentReceipt {
    let change = match receipt.change {
        Change::Granted => pb::ConsentChange::Granted,
        Change::Withdrawn => pb::ConsentChange::Withdrawn,
        Change::PolicyAccepted => pb::ConsentChange::PolicyAccepted,
    };
    let scope = match receipt.for_group {
        None => pb::ConsentScope::Unspecified,
        Some(true) => pb::ConsentScope::Group,
        Some(false) => pb::ConsentScope::Company,
    };
    let giver = match receipt.origin.giver {
        Giver::Member => pb::ConsentGiver::Member,
        Giver::Guardian => pb::ConsentGiver::Guardian,
        Giver::Staff => pb::ConsentGiver::Staff,
    };
    let guardian = receipt.origin.guardian_member_id;
    let policy = receipt.policy;
    pb::ConsentReceipt {
        receipt_id: receipt.receipt_id.to_string(),
        member_id: receipt.member_id.to_string(),
        change: change.into(),
        items: receipt.items.iter().map(|one| item(*one)).collect(),
        scope: scope.into(),
        company_code: code_of(&receipt.said_to),
        origin: Some(pb::ConsentOrigin {
            giver: giver.into(),
            guardian_member_id: guardian.map(|id| id.to_string()).unwrap_or_default(),
            source: receipt.origin.source.clone(),
        }),
        actor: receipt.actor.clone().unwrap_or_default(),
        policy_version: policy.map_or(0, |policy| policy.version.get()),
        text_sha256: policy
            .map(|policy| policy.text_hash.to_string())
            .unwrap_or_default(),
        consent_time: Some(timestamp(receipt.consent_time)),
        record_time: Some(timestamp(receipt.record_time)),
    }
}

/// Where the page after a receipt begins.
pub(super) fn cursor(receipt: &pb::ConsentReceipt) -> HistoryCursor {
    let time = receipt.record_time.as_ref();
    let nanos = |time: &prost_types::Timestamp| u32::try_from(time.nanos).unwrap_or_default();
    let time = time.and_then(|time| DateTime::<Utc>::from_timestamp(time.seconds, nanos(time)));
    let receipt_id = receipt.receipt_id.parse().unwrap_or(Uuid::nil());
    (time.unwrap_or(DateTime::UNIX_EPOCH), receipt_id)
}

pub(super) fn policy_status(policy: PolicyStanding) -> pb::PolicyStatus {
    if policy.is_accepted() {
        pb::PolicyStatus::Accepted
    } else {
        pb::PolicyStatus::NeedsReacceptance
    }
}

pub(super) fn standing(standing: &Standing<'_>) -> pb::Consent {
    let word = standing.word;
    let status = match standing.status {
        Status::Granted => pb::ConsentStatus::Granted,
        Status::Withdrawn => pb::ConsentStatus::Withdrawn,
        Status::NeedsReacceptance => pb::ConsentStatus::NeedsReacceptance,
    };
    let scope = match word.concerns {
        Concerns::Group => pb::ConsentScope::Group,
        Concerns::One(_) => pb::ConsentScope::Company,
    };
    pb::Consent {
        item: Some(item(word.item)),
        status: status.into(),
        scope: scope.into(),
        company_code: code_of(&word.said_to),
        inherited: standing.inherited,
        consent_time: Some(timestamp(word.word_time)),
        policy_version: word.granted_under.map_or(0, PolicyVersion::get),
        receipt_id: word.receipt_id.to_string(),
    }
}

fn item(item: Item) -> pb::ConsentItem {
    let channel = item
        .channel
        .map_or(pb::ContactChannel::Unspecified, channel_number);
    pb::ConsentItem {
        purpose: purpose_number(item.purpose).into(),
        channel: channel.into(),
    }
}

fn code_of(party: &Party) -> String {
    party.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A purpose as callers see it.
const fn purpose_number(purpose: ConsentPurpose) -> pb::ConsentPurpose {
    match purpose {
        ConsentPurpose::ServiceQuality => pb::ConsentPurpose::ServiceQuality,
        ConsentPurpose::NewProducts => pb::ConsentPurpose::NewProducts,
        ConsentPurpose::PersonalOffers => pb::ConsentPurpose::PersonalOffers,
        ConsentPurpose::TariffChanges => pb::ConsentPurpose::TariffChanges,
        ConsentPurpose::Marketing => pb::ConsentPurpose::Marketing,
        ConsentPurpose::Protection => pb::ConsentPurpose::Protection,
        ConsentPurpose::DeviceTracking => pb::ConsentPurpose::DeviceTracking,
    }
}

/// A channel as callers see it.
pub(crate) const fn channel_number(channel: Channel) -> pb::ContactChannel {
    match channel {
        Channel::Email => pb::ContactChannel::Email,
        Channel::Sms => pb::ContactChannel::Sms,
        Channel::Messenger => pb::ContactChannel::Messenger,
        Channel::Push => pb::ContactChannel::Push,
        Channel::Call => pb::ContactChannel::Call,
        Channel::Paper => pb::ContactChannel::Paper,
        Channel::Viber => pb::ContactChannel::Viber,
        Channel::Fax => pb::ContactChannel::Fax,
    }
}
