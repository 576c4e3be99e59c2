//! What an answer is, and which one fits its questions. Pure.

use chrono::{DateTime, Utc};
use fealty_types::{AnswerId, InvitationId, MemberId, PurchaseId, SurveyId};
use fealty_vault::Personal;

use crate::invitations::domain::Invitation;
use crate::refusal::Refusal;
use crate::surveys::domain::{Questions, Score};

/// Longest answer in words, in characters: more than anybody writes on a telephone, and a page of answers stays small.
pub const TEXT_LENGTH_MAX: usize = 4_000;

/// The field of the words, as callers name it.
const TEXT_FIELD: &str = "follow_up_text";

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 0 to 10.
    pub score: Score,
    /// In their own words.
    pub text: Option<Personal>,
}

/// An answer without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAnswer {
    /// Its id.
    pub answer_id: AnswerId,
    /// To which invitation.
    pub invitation_id: InvitationId,
    /// To which survey.
    pub survey_id: SurveyId,
    /// To which of its versions.
    pub survey_version: i32,
    /// Who answered.
    pub member_id: MemberId,
    /// 0 to 10.
    pub score: Score,
    /// When.
    pub answer_time: DateTime<Utc>,
    /// The purchase that it is about.
    pub purchase_id: Option<PurchaseId>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All but its words.
    pub answer: NewAnswer,
    /// Its words.
    pub text: Option<Personal>,
}

/// A span of time, from its start to before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// None for always.
    pub from: Option<DateTime<Utc>>,
    /// None for ever.
    pub before: Option<DateTime<Utc>>,
}

/// The text is no answer in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Longer than anybody reads.
    #[error("must have at most {TEXT_LENGTH_MAX} characters, and has {0}")]
    TooLong(usize),
    /// Not written by people.
    #[error("must not contain control characters other than line breaks and tabs")]
    Control,
}

impl NewAnswer {
    /// An answer to an invitation.
    #[must_use]
    pub const fn to(
        invitation: &Invitation,
        answer_id: AnswerId,
        score: Score,
        answer_time: DateTime<Utc>,
    ) -> Self {
        Self {
            answer_id,
            invitation_id: invitation.invitation_id,
            survey_id: invitation.survey_id,
            survey_version: invitation.survey_version,
            member_id: invitation.member_id,
            score,
            answer_time,
            purchase_id: invitation.purchase_id,
        }
    }
}

/// An answer in words, without the blanks around it; none when nothing was written.
pub fn parse_text(text: &str) -> Result<Option<Personal>, TextError> {
    let text = text.trim();
    let is_strange = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
    if text.chars().any(is_strange) {
        return Err(TextError::Control);
    }
    let length = text.chars().count();
    if length > TEXT_LENGTH_MAX {
        return Err(TextError::TooLong(length));
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(Personal::new))
}

/// Whether a reply answers what is asked: words where they are required, and none where nothing more is asked.
pub fn check_reply(questions: &Questions, reply: &Reply) -> Result<(), Refusal> {
    let description = match (questions.follow_up(reply.score), &reply.text) {
        (Some(asked), None) if asked.required => {
            "is required: the follow-up to this score has to be answered"
        }
        (None, Some(_)) => "must be empty: nothing more is asked of this score",
        (Some(_), _) | (None, None) => return Ok(()),
    };
    Err(Refusal::FieldInvalid {
        field: TEXT_FIELD,
        description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surveys::domain::{FollowUp, ScoreGroup};

    fn questions(asked_of: ScoreGroup, required: bool) -> Questions {
        Questions {
            score_question: "How likely are you to recommend us?".to_owned(),
            follow_ups: vec![FollowUp {
                asked_of,
                question: "What would make it a ten?".to_owned(),
                required,
            }],
        }
    }

    fn reply(score: i32, text: &str) -> Reply {
        Reply {
            score: Score::try_from(score).unwrap(),
            text: parse_text(text).unwrap(),
        }
    }

    #[test]
    fn words_are_given_where_they_are_required_and_nowhere_else() {
        let required = questions(ScoreGroup::BelowTen, true);
        let optional = questions(ScoreGroup::BelowTen, false);
        for (questions, reply, fits) in [
            (&required, reply(9, "Shorter queues"), true),
            (&required, reply(9, " "), false),
            (&optional, reply(9, ""), true),
            (&optional, reply(9, "Shorter queues"), true),
            (&required, reply(10, ""), true),
            (&required, reply(10, "Nothing"), false),
        ] {
            assert_eq!(check_reply(questions, &reply).is_ok(), fits, "{reply:?}");
        }
    }

    #[test]
    fn words_may_have_lines_and_are_counted_in_characters() {
        let text = "Дорого\nи долго\tждать";
        assert_eq!(parse_text(text).unwrap().unwrap().expose(), text);
        assert_eq!(parse_text(" \n ").unwrap(), None);
        assert!(parse_text(&"ж".repeat(TEXT_LENGTH_MAX)).is_ok());
        assert_eq!(
            parse_text(&"ж".repeat(TEXT_LENGTH_MAX + 1)),
            Err(TextError::TooLong(TEXT_LENGTH_MAX + 1))
        );
        assert_eq!(parse_text("a\u{0}b"), Err(TextError::Control));
    }
}
