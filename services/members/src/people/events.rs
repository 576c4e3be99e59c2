//! What happens to people, as events.

use chrono::{DateTime, Utc};
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{IdentifierChanged, MemberEnrolled, MemberTierChanged};
use fealty_service::events::new_event;
use fealty_types::MemberId;

use super::domain::Member;
use super::storage::Noted;

pub(super) fn enrolled(member_id: MemberId, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::MemberEnrolled(MemberEnrolled {});
    new_event(member_id.as_uuid(), payload, now, now)
}

/// The tier that the member is in now.
pub(super) fn tier_changed(member: &Member) -> NewEvent {
    let tier_code = member.standing.tier_code.as_ref();
    let payload = Payload::MemberTierChanged(MemberTierChanged {
        tier_code: tier_code.map(ToString::to_string).unwrap_or_default(),
    });
    let now = member.update_time;
    new_event(member.member_id.as_uuid(), payload, now, now)
}

/// What became of an identifier.
pub(super) fn identifier_changed(member_id: MemberId, noted: Noted<'_>) -> NewEvent {
    let payload = Payload::IdentifierChanged(IdentifierChanged {
        identifier_id: noted.identifier_id.to_string(),
        kind: noted.kind.field().to_owned(),
        change: noted.change.as_str().to_owned(),
    });
    let now = noted.change_time;
    new_event(member_id.as_uuid(), payload, now, now)
}
