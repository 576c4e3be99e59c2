//! What an invitation is, and what becomes of it. Pure.

mod names;
mod token;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{AnswerId, ContactId, InvitationId, MemberId, PurchaseId, SurveyId};

pub use names::{Channel, ContactRule, NameError, StoredStatus};
pub use token::{Token, TokenError, TokenHash};

use crate::surveys::domain::Survey;

/// How soon the members service is asked again at the earliest: a "not before" that is already past by the time it is
/// read must not make a loop without a pause.
const POSTPONE_MIN: TimeDelta = TimeDelta::seconds(1);

/// Until when the replica that plans an invitation, or takes it to decide about it, keeps the others from it. Longer than
/// a decision takes with all its retries, and short enough that nobody notices when a replica dies over it.
pub const DECISION_LEASE: TimeDelta = TimeDelta::seconds(30);

/// An invitation of one member to answer one version of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: InvitationId,
    /// To which survey.
    pub survey_id: SurveyId,
    /// To which of its versions: the newest when it was planned, whatever is published later.
    pub survey_version: i32,
    /// Who is invited.
    pub member_id: MemberId,
    /// How they are to be contacted.
    pub channel: Channel,
    /// The purchase that it asks about.
    pub purchase_id: Option<PurchaseId>,
    /// How far it is, but for its end, which the time tells.
    pub stored_status: StoredStatus,
    /// The rule that decided about the contact last.
    pub contact_rule: Option<ContactRule>,
    /// Not sent before.
    pub due_time: DateTime<Utc>,
    /// Not answered at or after.
    pub expire_time: DateTime<Utc>,
    /// From when on the job may take it, while it is planned.
    pub decide_after: Option<DateTime<Utc>>,
    /// How often the members service said "not yet".
    pub postponed_count: i32,
    /// The answer.
    pub answer_id: Option<AnswerId>,
    /// When it was planned.
    pub create_time: DateTime<Utc>,
}

/// How far an invitation is at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationStatus {
    /// Its time has not come, or nothing is decided.
    Planned,
    /// It is to be sent.
    Due,
    /// Its token was issued.
    Sent,
    /// It was answered.
    Answered,
    /// The member may not be contacted.
    Suppressed,
    /// It has passed its end.
    Expired,
}

/// A purchase that somebody may be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// Which one.
    pub purchase_id: PurchaseId,
    /// Who made it.
    pub member_id: MemberId,
    /// What it cost.
    pub amount_minor: i64,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
}

/// What the members service decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactDecision {
    /// Send it.
    Yes,
    /// Never send it.
    No,
    /// Ask again then.
    NotBefore(DateTime<Utc>),
}

/// A decision, and the rule that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Yes, no, or not yet.
    pub decision: ContactDecision,
    /// Why.
    pub rule: ContactRule,
    /// What members reserved for it; for a yes alone.
    pub contact_id: Option<ContactId>,
    /// Until when it is reserved; None for what was allowed before there were reservations.
    pub reserve_until: Option<DateTime<Utc>>,
}

impl Contact {
    /// Whether what was reserved still is.
    #[must_use]
    pub fn is_reserved_at(&self, now: DateTime<Utc>) -> bool {
        self.contact_id.is_some() && self.reserve_until.is_none_or(|end| now < end)
    }
}

impl Invitation {
    /// The invitation of whoever made a purchase, if the survey asks about it: it asks about purchases from its opening
    /// on, that are large enough, and only while there is still time to answer.
    #[must_use]
    pub fn plan_for_purchase(survey: &Survey, purchase: &Purchase, now: DateTime<Utc>) -> Option<Self> {
        let trigger = survey.terms.purchase_trigger?;
        let asks = survey.open_time.is_some_and(|open| open <= purchase.occur_time)
            && trigger.amount_minor_min <= purchase.amount_minor;
        let due_time = purchase.occur_time + trigger.delay();
        let planned = Self::plan(survey, purchase.member_id, Channel::Email, due_time, now)?;
        let is_worthwhile = asks && now < planned.expire_time;
        is_worthwhile.then_some(Self {
            purchase_id: Some(purchase.purchase_id),
            ..planned
        })
    }

    /// The invitation of a member for another reason, due at once; none to a survey that does not invite.
    #[must_use]
    pub fn plan_by_hand(
        survey: &Survey,
        member_id: MemberId,
        channel: Channel,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        Self::plan(survey, member_id, channel, now, now)
    }

    fn plan(
        survey: &Survey,
        member_id: MemberId,
        channel: Channel,
        due_time: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        Some(Self {
            invitation_id: InvitationId::generate_at(now),
            survey_id: survey.survey_id,
            survey_version: survey.inviting_version()?.version,
            member_id,
            channel,
            purchase_id: None,
            stored_status: StoredStatus::Planned,
            contact_rule: None,
            due_time,
            expire_time: due_time + survey.terms.invitation_life(),
            decide_after: Some(due_time),
            postponed_count: 0,
            answer_id: None,
            create_time: now,
        })
    }

    /// How far it is. Nothing has to come by for it to have passed its end.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> InvitationStatus {
        let ends = matches!(
            self.stored_status,
            StoredStatus::Planned | StoredStatus::Due | StoredStatus::Sent
        );
        if ends && self.expire_time <= now {
            return InvitationStatus::Expired;
        }
        match self.stored_status {
            StoredStatus::Planned => InvitationStatus::Planned,
            StoredStatus::Due => InvitationStatus::Due,
            StoredStatus::Sent => InvitationStatus::Sent,
            StoredStatus::Answered => InvitationStatus::Answered,
            StoredStatus::Suppressed => InvitationStatus::Suppressed,
        }
    }

    /// The invitation after a decision. A "not yet" moves all of it to later: nobody loses time to answer.
    #[must_use]
    pub fn decided(mut self, contact: Contact, now: DateTime<Utc>) -> Self {
        self.contact_rule = Some(contact.rule);
        match contact.decision {
            ContactDecision::Yes => self.end_planning(StoredStatus::Due),
            ContactDecision::No => self.end_planning(StoredStatus::Suppressed),
            ContactDecision::NotBefore(time) => {
                let life = self.expire_time - self.due_time;
                let time = time.max(now + POSTPONE_MIN);
                self.stored_status = StoredStatus::Planned;
                self.due_time = time;
                self.expire_time = time + life;
                self.decide_after = Some(time);
                self.postponed_count += 1;
                self
            }
        }
    }

    /// The invitation to a survey that was closed before anything was decided.
    #[must_use]
    pub fn called_off(self) -> Self {
        self.end_planning(StoredStatus::Suppressed)
    }

    fn end_planning(mut self, status: StoredStatus) -> Self {
        self.stored_status = status;
        self.decide_after = None;
        self
    }
}

impl InvitationStatus {
    /// Its name, as the proto writes it without its prefix.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "PLANNED",
            Self::Due => "DUE",
            Self::Sent => "SENT",
            Self::Answered => "ANSWERED",
            Self::Suppressed => "SUPPRESSED",
            Self::Expired => "EXPIRED",
        }
    }
}

#[cfg(test)]
mod tests;
