//! Where a feed's events come from.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::{EventPosition, EventQuery, NewEvent, StoredEvent, list_in_tx};
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType};
use fealty_rpc::present::timestamp;
use fealty_types::EventId;
use prost::Message;
use sqlx::PgConnection;
use uuid::Uuid;

/// An event, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEvent {
    /// Its place.
    pub position: EventPosition,
    /// As it is sent.
    pub event: Event,
}

impl FeedEvent {
    /// An event at that place; what the place says already (program, subject, version) is filled in.
    #[must_use]
    pub fn new(
        position: EventPosition,
        event_id: EventId,
        payload: Option<Payload>,
        occur_time: DateTime<Utc>,
        record_time: DateTime<Utc>,
    ) -> Self {
        let event_type = payload.as_ref().map_or(EventType::Unspecified, event_type_of);
        let event = Event {
            event_id: event_id.to_string(),
            program_id: position.program.to_string(),
            subject_id: position.subject_id.to_string(),
            version: position.version,
            event_type: event_type.into(),
            occur_time: Some(timestamp(occur_time)),
            record_time: Some(timestamp(record_time)),
            trace_parent: String::new(),
            payload,
        };
        Self { position, event }
    }

    /// The same, written at that place of a trace.
    #[must_use]
    pub fn traced(mut self, trace_parent: Option<String>) -> Self {
        self.event.trace_parent = trace_parent.unwrap_or_default();
        self
    }
}

/// Reads a service's events in the order of [`fealty_postgres::events`].
pub trait EventRows: Send + Sync + 'static {
    /// The events of a page, in order.
    fn list_in_tx(
        &self,
        tx: &mut PgConnection,
        page: EventQuery,
    ) -> impl Future<Output = Result<Vec<FeedEvent>, StorageError>> + Send;
}

/// The table `event`: of every service but the ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventTable;

impl EventRows for EventTable {
    async fn list_in_tx(
        &self,
        tx: &mut PgConnection,
        page: EventQuery,
    ) -> Result<Vec<FeedEvent>, StorageError> {
        let stored = list_in_tx(tx, page).await?;
        stored.into_iter().map(feed_event).collect()
    }
}

fn feed_event(stored: StoredEvent) -> Result<FeedEvent, StorageError> {
    let kept = Event::decode(stored.payload.as_slice())
        .map_err(|error| StorageError::corrupt("event.payload", error))?;
    let mut event = FeedEvent::new(
        stored.position,
        stored.event_id,
        kept.payload,
        stored.occur_time,
        stored.record_time,
    )
    .traced(stored.trace_parent);
    // A kind that a newer build wrote keeps its number, though not its payload.
    event.event.event_type = stored.event_type.into();
    Ok(event)
}

/// An event to append: what happened to whom, and when.
#[must_use]
pub fn new_event(
    subject_id: Uuid,
    payload: Payload,
    occur_time: DateTime<Utc>,
    record_time: DateTime<Utc>,
) -> NewEvent {
    let number: i32 = event_type_of(&payload).into();
    let kept = Event {
        payload: Some(payload),
        ..Event::default()
    };
    NewEvent {
        event_id: EventId::generate_at(record_time),
        subject_id,
        event_type: i16::try_from(number).expect("kinds of events are numbered from 1 on"),
        payload: kept.encode_to_vec(),
        occur_time,
        record_time,
    }
}

/// The kind of event that carries such a payload.
#[must_use]
pub const fn event_type_of(payload: &Payload) -> EventType {
    match payload {
        Payload::TransactionPosted(_) => EventType::TransactionPosted,
        Payload::MemberEnrolled(_) => EventType::MemberEnrolled,
        Payload::MemberStatusChanged(_) => EventType::MemberStatusChanged,
        Payload::MemberTierChanged(_) => EventType::MemberTierChanged,
        Payload::MemberMerged(_) => EventType::MemberMerged,
        Payload::HouseholdChanged(_) => EventType::HouseholdChanged,
        Payload::RedemptionEnded(_) => EventType::RedemptionEnded,
        Payload::VoucherUsed(_) => EventType::VoucherUsed,
        Payload::InvitationDecided(_) => EventType::InvitationDecided,
        Payload::SurveyAnswered(_) => EventType::SurveyAnswered,
        Payload::IdentifierChanged(_) => EventType::IdentifierChanged,
        Payload::MemberConsentChanged(_) => EventType::MemberConsentChanged,
        Payload::MemberErased(_) => EventType::MemberErased,
        Payload::DisclosureNotificationDue(_) => EventType::DisclosureNotificationDue,
        Payload::MemberOccasion(_) => EventType::MemberOccasion,
        Payload::HouseholdInvitationChanged(_) => EventType::HouseholdInvitationChanged,
        Payload::MemberReferral(_) => EventType::MemberReferral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fealty_proto::events::v1::MemberTierChanged;

    #[test]
    fn what_is_appended_is_what_is_read() {
        let time = DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap();
        let payload = Payload::MemberTierChanged(MemberTierChanged {
            tier_code: "gold".to_owned(),
            ..MemberTierChanged::default()
        });
        let new = new_event(Uuid::from_u128(7), payload.clone(), time, time);
        let position = EventPosition {
            feed_xid: 9,
            program: Uuid::from_u128(5),
            subject_id: new.subject_id,
            version: 3,
        };
        let trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = feed_event(StoredEvent {
            position,
            event_id: new.event_id,
            event_type: new.event_type,
            payload: new.payload,
            occur_time: new.occur_time,
            record_time: new.record_time,
            trace_parent: Some(trace_parent.to_owned()),
        });
        let event = read.unwrap().event;
        assert_eq!(event.payload, Some(payload));
        assert_eq!(event.event_type(), EventType::MemberTierChanged);
        assert_eq!(event.event_id, new.event_id.to_string());
        assert_eq!(event.subject_id, Uuid::from_u128(7).to_string());
        assert_eq!((event.version, event.occur_time), (3, Some(timestamp(time))));
        assert_eq!(event.trace_parent, trace_parent);
    }
}
