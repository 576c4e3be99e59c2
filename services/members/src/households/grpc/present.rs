//! Households as messages.

use chrono::{DateTime, Utc};
use fealty_proto::members::v1 as pb;
use fealty_rpc::present::timestamp;
use fealty_types::{MemberId, Points};

use crate::households::domain::{
    Household, HouseholdMember, HouseholdRole, Invitation, InvitationStatus, Limits,
};

pub(super) fn household(household: &Household) -> pb::Household {
    let members = household.members.iter();
    pb::Household {
        household_id: household.household_id.to_string(),
        member_ids: members
            .clone()
            .map(|member| member.member_id.to_string())
            .collect(),
        create_time: Some(timestamp(household.create_time)),
        members: members.map(member).collect(),
        dissolve_time: household.dissolve_time.map(timestamp),
    }
}

fn member(member: &HouseholdMember) -> pb::HouseholdMember {
    pb::HouseholdMember {
        member_id: member.member_id.to_string(),
        role: role(member.terms.role).into(),
        spending_limits: limits(&member.terms.limits),
        join_time: Some(timestamp(member.join_time)),
    }
}

pub(super) fn invitation(invitation: &Invitation, now: DateTime<Utc>) -> pb::HouseholdInvitation {
    let status = match invitation.status_at(now) {
        InvitationStatus::Open => pb::HouseholdInvitationStatus::Open,
        InvitationStatus::Accepted => pb::HouseholdInvitationStatus::Accepted,
        InvitationStatus::Declined => pb::HouseholdInvitationStatus::Declined,
        InvitationStatus::Withdrawn => pb::HouseholdInvitationStatus::Withdrawn,
        InvitationStatus::Expired => pb::HouseholdInvitationStatus::Expired,
    };
    pb::HouseholdInvitation {
        invitation_id: invitation.invitation_id.to_string(),
        household_id: invitation.household_id.to_string(),
        member_id: invitation.member_id.to_string(),
        by_member_id: invitation
            .by
            .as_ref()
            .map(MemberId::to_string)
            .unwrap_or_default(),
        role: role(invitation.terms.role).into(),
        spending_limits: limits(&invitation.terms.limits),
        status: status.into(),
        expire_time: Some(timestamp(invitation.expire_time)),
        create_time: Some(timestamp(invitation.create_time)),
    }
}

const fn role(role: HouseholdRole) -> pb::HouseholdRole {
    match role {
        HouseholdRole::Head => pb::HouseholdRole::Head,
        HouseholdRole::Adult => pb::HouseholdRole::Adult,
        HouseholdRole::Child => pb::HouseholdRole::Child,
    }
}

fn limits(limits: &Limits) -> Vec<pb::HouseholdSpendingLimit> {
    let limits = limits
        .iter()
        .map(|(unit_code, limit)| pb::HouseholdSpendingLimit {
            unit_code: unit_code.to_string(),
            day_value_max: limit.day_value_max.map(Points::get),
            month_value_max: limit.month_value_max.map(Points::get),
        });
    limits.collect()
}
