use proptest::prelude::*;

use super::*;

fn questions(groups: &[ScoreGroup]) -> Questions {
    Questions {
        score_question: "How likely are you to recommend us?".to_owned(),
        follow_ups: groups
            .iter()
            .map(|group| FollowUp {
                asked_of: *group,
                question: format!("asked of {group}"),
                required: false,
            })
            .collect(),
    }
}

fn asked(questions: &Questions, number: i32) -> Option<ScoreGroup> {
    let follow_up = questions.follow_up(Score::try_from(number).unwrap());
    follow_up.map(|follow_up| follow_up.asked_of)
}

#[test]
fn e8_below_ten_is_asked_of_0_to_9_and_not_of_10() {
    let below_ten = questions(&[ScoreGroup::BelowTen]);
    for number in 0..=9 {
        assert_eq!(asked(&below_ten, number), Some(ScoreGroup::BelowTen), "{number}");
    }
    assert_eq!(asked(&below_ten, 10), None);
}

#[test]
fn e9_all_is_asked_of_everybody() {
    let why = questions(&[ScoreGroup::All]);
    assert!((0..=10).all(|number| asked(&why, number) == Some(ScoreGroup::All)));
}

#[test]
fn the_first_that_fits_is_asked() {
    let both = questions(&[ScoreGroup::BelowTen, ScoreGroup::All]);
    assert_eq!(asked(&both, 9), Some(ScoreGroup::BelowTen));
    assert_eq!(asked(&both, 10), Some(ScoreGroup::All));
    assert_eq!(both.unreachable(), Vec::<usize>::new());
}

#[test]
fn what_others_take_away_altogether_is_unreachable() {
    use ScoreGroup::{All, BelowTen, Detractors, Passives, Promoters};
    let table: [(&[ScoreGroup], &[usize]); 8] = [
        (&[], &[]),
        (&[All, Detractors], &[1]),
        (&[Detractors, Detractors], &[1]),
        (&[BelowTen, Passives, Promoters], &[1]),
        (&[Detractors, Passives, Promoters], &[]),
        // A nine is left for it.
        (&[Detractors, Passives, BelowTen], &[]),
        (&[BelowTen, Promoters, All], &[2]),
        (&[All, All, All], &[1, 2]),
    ];
    for (groups, unreachable) in table {
        assert_eq!(questions(groups).unreachable(), unreachable, "{groups:?}");
    }
}

#[test]
fn a_survey_opens_with_its_first_version_and_closes_once() {
    let times: Vec<_> = (0..4)
        .map(|second| DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap())
        .collect();
    let terms = SurveyTerms {
        display_name: "After the purchase".to_owned(),
        topic: "nps".parse().unwrap(),
        purchase_trigger: None,
        invitation_life_days: 14,
    };
    let survey = Survey::draft(SurveyId::generate_at(times[0]), terms, times[0]);
    assert_eq!(survey.status(), SurveyStatus::Draft);
    assert!(survey.inviting_version().is_none());

    let survey = survey
        .published(questions(&[]), times[1])
        .published(questions(&[ScoreGroup::All]), times[2]);
    assert_eq!(survey.status(), SurveyStatus::Open);
    assert_eq!(survey.inviting_version().map(|version| version.version), Some(2));
    assert_eq!(survey.open_time, Some(times[1]));

    let survey = survey.closed(times[2]).closed(times[3]);
    assert_eq!(
        (survey.status(), survey.close_time),
        (SurveyStatus::Closed, Some(times[2]))
    );
    assert!(survey.inviting_version().is_none());
}

#[test]
fn a_topic_is_a_word_of_60_letters_at_most() {
    for text in ["nps", "mothers_day", "a-1", &"a".repeat(TOPIC_LENGTH_MAX)] {
        assert_eq!(text.parse::<Topic>().unwrap().as_str(), text);
    }
    for text in ["", "NPS", "a b", "ä", &"a".repeat(TOPIC_LENGTH_MAX + 1)] {
        assert_eq!(text.parse::<Topic>(), Err(TopicError), "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_score_is_asked_one_question_that_is_its_own(
        groups in prop::collection::vec(prop::sample::select(&ScoreGroup::ALL[..]), 0..=FOLLOW_UPS_MAX), number in 0..=SCORE_MAX,
    ) {
        let questions = questions(&groups);
        let score = Score::try_from(number).unwrap();
        match asked(&questions, number) {
            Some(group) => prop_assert!(group.has(score)),
            None => prop_assert!(groups.iter().all(|group| !group.has(score))),
        }
    }
}
