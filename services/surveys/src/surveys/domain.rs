//! What a survey is, and what its versions ask of whom. Pure.

mod score;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::SurveyId;

pub use score::{SCORE_MAX, Score, ScoreError, ScoreGroup};

/// Longest name of a survey, in characters: it has to fit on a screen, and into the database's own check.
pub const DISPLAY_NAME_LENGTH_MAX: usize = 200;

/// Longest topic: as long as the members service takes one.
pub const TOPIC_LENGTH_MAX: usize = 60;

/// Longest question, in characters: people read it on a telephone, and answer it standing.
pub const QUESTION_LENGTH_MAX: usize = 500;

/// Most follow-ups of a version: one for each kind of answer there is (promoters, passives, detractors).
pub const FOLLOW_UPS_MAX: usize = 3;

/// Longest time between a purchase and its question: after a month nobody remembers it.
pub const TRIGGER_DELAY_SECONDS_MAX: i32 = 30 * 24 * 60 * 60;

/// Longest life of an invitation: after a year its link is lost anyway.
pub const INVITATION_LIFE_DAYS_MAX: i32 = 365;

/// Most surveys of a program that are not closed. Each purchase is held against all of them.
pub const OPEN_SURVEYS_PER_PROGRAM_MAX: i64 = 100;

/// A survey that measures the Net Promoter Score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its id.
    pub survey_id: SurveyId,
    /// What people decide about it.
    pub terms: SurveyTerms,
    /// The newest of its versions; none before the first is published.
    pub current_version: Option<SurveyVersion>,
    /// When its first version was published: purchases from before it ask nobody.
    pub open_time: Option<DateTime<Utc>>,
    /// When it was closed.
    pub close_time: Option<DateTime<Utc>>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
}

/// What people decide about a survey when they make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyTerms {
    /// What the program calls it.
    pub display_name: String,
    /// Under which members are asked.
    pub topic: Topic,
    /// When it invites by itself; none for never.
    pub purchase_trigger: Option<PurchaseTrigger>,
    /// How long an invitation can be answered, in days.
    pub invitation_life_days: i32,
}

/// Whether a survey invites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurveyStatus {
    /// No version is published yet.
    Draft,
    /// It invites.
    Open,
    /// It does not invite any more.
    Closed,
}

/// Invites whoever has bought something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurchaseTrigger {
    /// How long after the purchase, in seconds.
    pub delay_seconds: i32,
    /// Only purchases of at least that much.
    pub amount_minor_min: i64,
}

/// The topic under which members are asked, and from which they can opt out: small letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic(String);

/// The text is no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TOPIC_LENGTH_MAX} small letters, digits, '-' or '_'")]
pub struct TopicError;

/// What a survey asks. Never changed once published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyVersion {
    /// 1, 2, 3 ...
    pub version: i32,
    /// What it asks.
    pub questions: Questions,
    /// When it was published.
    pub publish_time: DateTime<Utc>,
}

/// The questions of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// Answered with 0 to 10.
    pub score_question: String,
    /// Answered in words: the first whose group fits the score.
    pub follow_ups: Vec<FollowUp>,
}

/// A question that is answered in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// Whom it is asked.
    pub asked_of: ScoreGroup,
    /// What it asks.
    pub question: String,
    /// Whether an answer without it is refused.
    pub required: bool,
}

impl Survey {
    /// A survey as it is made first.
    #[must_use]
    pub const fn draft(survey_id: SurveyId, terms: SurveyTerms, now: DateTime<Utc>) -> Self {
        Self {
            survey_id,
            terms,
            current_version: None,
            open_time: None,
            close_time: None,
            create_time: now,
        }
    }

    /// Whether it invites.
    #[must_use]
    pub const fn status(&self) -> SurveyStatus {
        match (self.close_time, &self.current_version) {
            (Some(_), _) => SurveyStatus::Closed,
            (None, Some(_)) => SurveyStatus::Open,
            (None, None) => SurveyStatus::Draft,
        }
    }

    /// The version that it invites to; none while it does not invite.
    #[must_use]
    pub fn inviting_version(&self) -> Option<&SurveyVersion> {
        self.current_version
            .as_ref()
            .filter(|_| self.status() == SurveyStatus::Open)
    }

    /// The survey with its next version.
    #[must_use]
    pub fn published(mut self, questions: Questions, now: DateTime<Utc>) -> Self {
        let newest = self.current_version.as_ref().map_or(0, |version| version.version);
        self.current_version = Some(SurveyVersion {
            version: newest + 1,
            questions,
            publish_time: now,
        });
        self.open_time = self.open_time.or(Some(now));
        self
    }

    /// The survey after its end.
    #[must_use]
    pub fn closed(mut self, now: DateTime<Utc>) -> Self {
        self.close_time = self.close_time.or(Some(now));
        self
    }
}

impl SurveyTerms {
    /// How long an invitation can be answered.
    #[must_use]
    pub fn invitation_life(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.invitation_life_days))
    }
}

impl PurchaseTrigger {
    /// How long after the purchase.
    #[must_use]
    pub fn delay(self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.delay_seconds))
    }
}

impl Questions {
    /// What is asked of whoever gave that score: the first that fits.
    #[must_use]
    pub fn follow_up(&self, score: Score) -> Option<&FollowUp> {
        self.follow_ups
            .iter()
            .find(|follow_up| follow_up.asked_of.has(score))
    }

    /// The follow-ups that are asked of nobody, because those before them take everybody whom they would be asked of.
    #[must_use]
    pub fn unreachable(&self) -> Vec<usize> {
        let is_reached = |follow_up: &FollowUp| {
            Score::all().any(|score| {
                self.follow_up(score)
                    .is_some_and(|asked| std::ptr::eq(asked, follow_up))
            })
        };
        self.follow_ups
            .iter()
            .enumerate()
            .filter(|(_, follow_up)| !is_reached(follow_up))
            .map(|(index, _)| index)
            .collect()
    }
}

impl Topic {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let is_length = (1..=TOPIC_LENGTH_MAX).contains(&text.len());
        let is_word = text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if is_length && is_word {
            Ok(Self(text.to_owned()))
        } else {
            Err(TopicError)
        }
    }
}

#[cfg(test)]
mod tests;
