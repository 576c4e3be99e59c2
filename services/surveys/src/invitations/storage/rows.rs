//! Rows of invitations, and what they mean.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{AnswerId, InvitationId, MemberId, ProgramId, PurchaseId, SurveyId};

use super::Taken;
use crate::invitations::domain::Invitation;

pub(super) struct InvitationRow {
    pub invitation_id: InvitationId,
    pub survey_id: SurveyId,
    pub survey_version: i32,
    pub member_id: MemberId,
    pub channel: String,
    pub purchase_id: Option<PurchaseId>,
    pub status: String,
    pub contact_rule: Option<String>,
    pub due_time: DateTime<Utc>,
    pub expire_time: DateTime<Utc>,
    pub decide_after: Option<DateTime<Utc>>,
    pub postponed_count: i32,
    pub answer_id: Option<AnswerId>,
    pub create_time: DateTime<Utc>,
}

pub(super) struct TakenRow {
    pub program: ProgramId,
    pub invitation_id: InvitationId,
    pub survey_id: SurveyId,
    pub survey_version: i32,
    pub member_id: MemberId,
    pub channel: String,
    pub purchase_id: Option<PurchaseId>,
    pub status: String,
    pub contact_rule: Option<String>,
    pub due_time: DateTime<Utc>,
    pub expire_time: DateTime<Utc>,
    pub decide_after: Option<DateTime<Utc>>,
    pub postponed_count: i32,
    pub answer_id: Option<AnswerId>,
    pub create_time: DateTime<Utc>,
    pub trace_parent: Option<String>,
    pub topic: String,
    pub survey_closed: bool,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StorageError;

    fn try_from(row: InvitationRow) -> Result<Self, StorageError> {
        Ok(Self {
            invitation_id: row.invitation_id,
            survey_id: row.survey_id,
            survey_version: row.survey_version,
            member_id: row.member_id,
            channel: row
                .channel
                .parse()
                .map_err(|error| StorageError::corrupt("invitation.channel", error))?,
            purchase_id: row.purchase_id,
            stored_status: row
                .status
                .parse()
                .map_err(|error| StorageError::corrupt("invitation.status", error))?,
            contact_rule: row
                .contact_rule
                .map(|rule| rule.parse())
                .transpose()
                .map_err(|error| StorageError::corrupt("invitation.contact_rule", error))?,
            due_time: row.due_time,
            expire_time: row.expire_time,
            decide_after: row.decide_after,
            postponed_count: row.postponed_count,
            answer_id: row.answer_id,
            create_time: row.create_time,
        })
    }
}

impl TryFrom<TakenRow> for Taken {
    type Error = StorageError;

    fn try_from(row: TakenRow) -> Result<Self, StorageError> {
        Ok(Self {
            program: row.program,
            topic: row
                .topic
                .parse()
                .map_err(|error| StorageError::corrupt("survey.topic", error))?,
            survey_closed: row.survey_closed,
            trace_parent: row.trace_parent,
            invitation: Invitation::try_from(InvitationRow {
                invitation_id: row.invitation_id,
                survey_id: row.survey_id,
                survey_version: row.survey_version,
                member_id: row.member_id,
                channel: row.channel,
                purchase_id: row.purchase_id,
                status: row.status,
                contact_rule: row.contact_rule,
                due_time: row.due_time,
                expire_time: row.expire_time,
                decide_after: row.decide_after,
                postponed_count: row.postponed_count,
                answer_id: row.answer_id,
                create_time: row.create_time,
            })?,
        })
    }
}
