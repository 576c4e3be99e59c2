//! Ladders, and where a member stands on one: pure, and by days of the program's time zone.
//!
//! A tier is a function of what counted on which day, of the ladder's versions and of the day that is asked about
//! ([`replay`]). So it does not matter in how many steps time went by, or whether anybody looked.

mod assess;
mod change;
mod codes;
mod days;
mod evaluation;
mod grant;
mod ladder;
mod posting;
mod qualification;
mod replay;
mod sums;

pub use assess::{Assessment, Known, Question, assess};
pub use change::{Cause, Change, Code, Settled, Told, Trigger, settle};
pub use codes::{BenefitCode, CodeError, LadderCode};
pub use days::{day_of, start_of_day};
pub use evaluation::{Evaluated, Evaluation};
pub use grant::{GRANTS_MAX, Grant, NewGrant};
pub use ladder::{
    BENEFITS_MAX, Benefit, Definition, LADDERS_MAX, Ladder, Rank, THRESHOLD_MAX, TIERS_MAX, Tier,
    VERSIONS_MAX,
};
pub use posting::{Counted, Posting, Source, What, counted, take_back};
pub use qualification::{
    GRACE_DAYS_MAX, GRACE_MONTHS_MAX, Landing, Measure, Period, Qualification, ROLLING_DAYS_MAX,
    ROLLING_MONTHS_MAX, Span,
};
pub use replay::{Checkpoint, Held, next_change, replay, step};
pub use sums::{Book, DaySums, KEPT_DAYS, LIFETIME_DAY, fixed_day, is_too_long, keep_day, oldest_kept};

#[cfg(test)]
mod tests;
