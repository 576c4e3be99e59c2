use proptest::prelude::*;

use super::*;

fn tally(promoter_count: i64, passive_count: i64, detractor_count: i64) -> Tally {
    Tally {
        promoter_count,
        passive_count,
        detractor_count,
    }
}

fn shown(tally: Tally) -> [String; 4] {
    let score = tally.score().unwrap();
    let Interval { low, high, margin } = score.interval;
    [score.score, margin, low, high].map(|decimal| decimal.to_string())
}

#[test]
fn e5_golden_vectors_that_others_reckoned() {
    for (counts, score, margin, low, high) in [
        ((50, 30, 20), "30.0000", "15.0751", "14.0511", "44.2013"),
        ((5, 3, 2), "30.0000", "42.1275", "-19.0506", "65.2045"),
        ((200, 200, 100), "20.0000", "6.5390", "13.3417", "26.4197"),
        ((10, 0, 0), "100.0000", "29.4195", "47.5036", "100.0000"),
        ((0, 10, 0), "0.0000", "18.4650", "-18.4650", "18.4650"),
        ((700, 200, 100), "60.0000", "4.1109", "55.7096", "63.9315"),
    ] {
        let (promoters, passives, detractors) = counts;
        assert_eq!(
            shown(tally(promoters, passives, detractors)),
            [score, margin, low, high],
            "{counts:?}"
        );
    }
}

#[test]
fn e5_nobody_answered_is_no_score_and_not_zero() {
    assert_eq!(tally(0, 0, 0).score(), None);
}

#[test]
fn e6_passives_are_counted_below_the_line_alone() {
    assert_eq!(shown(tally(50, 30, 20))[0], "30.0000");
    assert_eq!(shown(tally(0, 10, 0))[0], "0.0000");
    assert_eq!(shown(tally(0, 0, 7))[0], "-100.0000");
    assert_eq!(shown(tally(1, 2, 0))[0], "33.3333");
}

#[test]
fn e3_a_tally_is_of_9_and_10_7_and_8_and_the_rest() {
    let counts = Score::all().map(|score| (score, 10_i64.pow(u32::from(score.get()))));
    assert_eq!(Tally::of(counts), tally(11_000_000_000, 110_000_000, 1_111_111));
}

#[test]
fn the_largest_tallies_there_are_still_have_a_score() {
    for counts in [
        (COUNT_MAX, COUNT_MAX, COUNT_MAX),
        (COUNT_MAX, 0, 0),
        (0, 0, COUNT_MAX),
        (0, COUNT_MAX, 0),
    ] {
        let (promoters, passives, detractors) = counts;
        let score = tally(promoters, passives, detractors).score().unwrap();
        // Of so many answers one is sure to every decimal that is shown, or nearly.
        assert!(score.interval.margin <= Decimal::rounded(2, 10_000), "{score:?}");
    }
    let more = Tally::of(std::iter::repeat_n((Score::try_from(10).unwrap(), i64::MAX), 3));
    assert_eq!(more, tally(COUNT_MAX, 0, 0));
}

/// The same in floats, which is what a reader of the formula would write.
fn in_floats(tally: Tally) -> (f64, f64, f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "the counts of these tests are small")]
    let [promoters, passives, detractors] =
        [tally.promoter_count, tally.passive_count, tally.detractor_count].map(|count| count as f64);
    let count = promoters + passives + detractors;
    let larger = count + 3.0;
    let (share_of_promoters, share_of_detractors) =
        ((promoters + 0.75) / larger, (detractors + 0.75) / larger);
    let center = share_of_promoters - share_of_detractors;
    let variance = share_of_promoters + share_of_detractors - center * center;
    let margin = 1.959_963_984_540_054 * (variance / larger).sqrt();
    let score = 100.0 * (promoters - detractors) / count;
    let low = (100.0 * (center - margin)).max(-100.0);
    let high = (100.0 * (center + margin)).min(100.0);
    (score, 100.0 * margin, low, high)
}

proptest! {
    #[test]
    fn the_whole_numbers_say_what_the_formula_says(promoters in 0..100_000_i64, passives in 0..100_000_i64, detractors in 0..100_000_i64) {
        prop_assume!(promoters + passives + detractors > 0);
        let tally = tally(promoters, passives, detractors);
        let (score, margin, low, high) = in_floats(tally);
        for (exact, float) in shown(tally).into_iter().zip([score, margin, low, high]) {
            // Half of the last decimal, and what the floats themselves are off.
            prop_assert!((exact.parse::<f64>().unwrap() - float).abs() < 0.000_050_1, "{exact} is not {float}");
        }
    }

    #[test]
    fn a_score_lies_within_its_bounds_and_mirrors_itself(promoters in 0..1_000_i64, passives in 0..1_000_i64, detractors in 0..1_000_i64) {
        prop_assume!(promoters + passives + detractors > 0);
        let one = tally(promoters, passives, detractors).score().unwrap();
        let other = tally(detractors, passives, promoters).score().unwrap();
        let hundred = Decimal::rounded(100, 1);
        prop_assert!(one.interval.high <= hundred && other.interval.high <= hundred);
        prop_assert!(one.interval.low <= one.interval.high);
        let opposite = |text: String| match text.strip_prefix('-') {
            Some(text) => text.to_owned(),
            None if text == "0.0000" => text,
            None => format!("-{text}"),
        };
        prop_assert_eq!(opposite(one.score.to_string()), other.score.to_string());
        prop_assert_eq!(opposite(one.interval.low.to_string()), other.interval.high.to_string());
        prop_assert_eq!(one.interval.margin, other.interval.margin);
    }

    #[test]
    fn more_answers_of_the_same_kind_make_it_surer(promoters in 1..1_000_i64, passives in 1..1_000_i64, detractors in 1..1_000_i64) {
        let few = tally(promoters, passives, detractors).score().unwrap();
        let many = tally(promoters * 10, passives * 10, detractors * 10).score().unwrap();
        prop_assert!(many.interval.margin < few.interval.margin);
    }
}
