//! Referrals as events.

use chrono::{DateTime, Utc};
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::MemberReferral;
use fealty_proto::events::v1::event::Payload;
use fealty_service::events::new_event;
use fealty_types::PurchaseId;

use super::domain::{Referral, State};

/// What became of a referral.
pub(super) fn became(referral: &Referral, now: DateTime<Utc>) -> NewEvent {
    let purchase_id = referral
        .purchase_id
        .filter(|_| referral.state == State::Qualified);
    let payload = Payload::MemberReferral(MemberReferral {
        referrer_member_id: referral.referrer_member_id.to_string(),
        state: referral.state.as_str().to_owned(),
        source: referral.source.as_str().to_owned(),
        purchase_id: purchase_id
            .as_ref()
            .map(PurchaseId::to_string)
            .unwrap_or_default(),
    });
    new_event(referral.member_id.as_uuid(), payload, now, now)
}
