//! Consents as events.

use std::collections::BTreeSet;

use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::MemberConsentChanged;
use fealty_proto::events::v1::event::Payload;
use fealty_service::events::new_event;

use super::domain::{Change, Receipt};
use crate::contacts::domain::Channel;

/// Tells those who hold messages for a member that are not sent yet.
pub(super) fn changed(receipt: &Receipt) -> NewEvent {
    let purposes: BTreeSet<&str> = receipt.items.iter().map(|item| item.purpose.as_str()).collect();
    let channels = receipt.items.iter().filter_map(|item| item.channel);
    let channels: BTreeSet<&str> = channels.map(Channel::as_str).collect();
    let own = |texts: BTreeSet<&str>| texts.into_iter().map(ToOwned::to_owned).collect();
    let payload = Payload::MemberConsentChanged(MemberConsentChanged {
        receipt_id: receipt.receipt_id.to_string(),
        granted: receipt.change == Change::Granted,
        purposes: own(purposes),
        channels: own(channels),
        for_group: receipt.for_group == Some(true),
        company_code: receipt
            .said_to
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    });
    let (occur_time, record_time) = (receipt.consent_time, receipt.record_time);
    new_event(receipt.member_id.as_uuid(), payload, occur_time, record_time)
}
