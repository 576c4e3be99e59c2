//! Changes as events.

use chrono::{DateTime, Utc};
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{
    HouseholdChanged, HouseholdInvitationChanged, MemberMerged, MemberStatusChanged,
};
use fealty_service::events::new_event;
use fealty_types::{HouseholdId, InvitationId, MemberId};

use crate::households::domain::InvitationStatus;
use crate::people::domain::MemberStatus;

pub(super) fn status_changed(member_id: MemberId, status: MemberStatus, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::MemberStatusChanged(MemberStatusChanged {
        status: status.as_str().to_owned(),
    });
    new_event(member_id.as_uuid(), payload, now, now)
}

pub(super) fn merged(from_member_id: MemberId, into_member_id: MemberId, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::MemberMerged(MemberMerged {
        into_member_id: into_member_id.to_string(),
    });
    new_event(from_member_id.as_uuid(), payload, now, now)
}

pub(super) fn household_changed(
    member_id: MemberId,
    household_id: HouseholdId,
    joined: bool,
    now: DateTime<Utc>,
) -> NewEvent {
    let payload = Payload::HouseholdChanged(HouseholdChanged {
        household_id: household_id.to_string(),
        joined,
    });
    new_event(member_id.as_uuid(), payload, now, now)
}

pub(crate) fn invitation_changed(
    invitation_id: InvitationId,
    (household_id, member_id): (HouseholdId, MemberId),
    status: InvitationStatus,
    now: DateTime<Utc>,
) -> NewEvent {
    let payload = Payload::HouseholdInvitationChanged(HouseholdInvitationChanged {
        invitation_id: invitation_id.to_string(),
        household_id: household_id.to_string(),
        status: status.as_str().to_owned(),
    });
    new_event(member_id.as_uuid(), payload, now, now)
}
