//! What this service tells others: no personal data, and of an answer only that it is there.

use chrono::{DateTime, Utc};
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1 as pb;
use fealty_proto::events::v1::event::Payload;
use fealty_service::events::new_event;

use crate::answers::domain::NewAnswer;
use crate::invitations::domain::{Invitation, StoredStatus};

/// That an invitation was decided; none while it is planned.
pub(crate) fn invitation_decided(invitation: &Invitation, now: DateTime<Utc>) -> Option<NewEvent> {
    if invitation.stored_status == StoredStatus::Planned {
        return None;
    }
    let payload = Payload::InvitationDecided(pb::InvitationDecided {
        invitation_id: invitation.invitation_id.to_string(),
        survey_id: invitation.survey_id.to_string(),
        due: invitation.stored_status == StoredStatus::Due,
    });
    Some(new_event(invitation.member_id.as_uuid(), payload, now, now))
}

/// That a survey was answered.
pub(crate) fn survey_answered(answer: &NewAnswer) -> NewEvent {
    let payload = Payload::SurveyAnswered(pb::SurveyAnswered {
        answer_id: answer.answer_id.to_string(),
        survey_id: answer.survey_id.to_string(),
        survey_version: answer.survey_version,
    });
    new_event(
        answer.member_id.as_uuid(),
        payload,
        answer.answer_time,
        answer.answer_time,
    )
}
