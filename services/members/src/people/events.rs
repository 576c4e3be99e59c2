//! What happens to people, as events.

use chrono::{DateTime, Utc};
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{IdentifierChanged, MemberEnrolled, MemberTierChanged};
use fealty_service::events::new_event;
use fealty_types::MemberId;

use super::domain::Member;
use super::noting::Noted;

pub(super) fn enrolled(member_id: MemberId, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::MemberEnrolled(MemberEnrolled {});
    new_event(member_id.as_uuid(), payload, now, now)
}

/// The tier that was set by hand, and the one before.
pub(super) fn tier_changed(before: &Member, member: &Member) -> NewEvent {
    let code = |member: &Member| {
        let code = member.standing.tier_code.as_ref();
        code.map(ToString::to_string).unwrap_or_default()
    };
    let payload = Payload::MemberTierChanged(MemberTierChanged {
        tier_code: code(member),
        previous_tier_code: code(before),
        ..MemberTierChanged::default()
    });
    let now = member.update_time;
    new_event(member.member_id.as_uuid(), payload, now, now)
}

/// What became of an identifier.
pub(super) fn identifier_changed(member_id: MemberId, noted: Noted, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::IdentifierChanged(IdentifierChanged {
        identifier_id: noted.identifier_id.to_string(),
        kind: noted.kind.field().to_owned(),
        change: noted.change.as_str().to_owned(),
    });
    new_event(member_id.as_uuid(), payload, now, now)
}
