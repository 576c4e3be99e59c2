//! The decision about a contact. To decide and to explain is the same: every rule is asked, and the first that speaks
//! against it decides. What is for ever comes before what passes.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::names::{Channel, Purpose, Rule};
use super::preferences::{Reached, candidates};
use super::quiet::quiet_until;
use super::settings::Settings;
use crate::consents::domain::{Party, PolicyStanding, Status, Word, standing_of};
use crate::people::domain::MemberStatus;

/// Until when contacts count that do at the time of the decision, the last to end first: those that took place until they
/// leave their window, those that are reserved until that ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Those that are counted together with the purpose, within its window; no more than there may be.
    pub counted: Vec<DateTime<Utc>>,
    /// The commercial ones since the last that was something else, within the window of a row; no more than there may be.
    pub commercial_run: Vec<DateTime<Utc>>,
}

/// All that a decision is made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the member may do.
    pub status: MemberStatus,
    /// Since when they want nothing of the topic.
    pub opt_out_time: Option<DateTime<Utc>>,
    /// What they allow.
    pub words: Vec<Word>,
    /// Which policy they have accepted.
    pub policy: PolicyStanding,
    /// How they are reached.
    pub reached: Reached,
    /// How often they were contacted.
    pub history: History,
    /// The program's numbers.
    pub settings: Settings,
    /// The program's time zone.
    pub program_zone: Tz,
    /// When it is decided.
    pub now: DateTime<Utc>,
}

/// What is asked: for what, by whom and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged<'a> {
    /// How; None for the channel that the member prefers.
    pub channel: Option<Channel>,
    /// What for.
    pub purpose: Purpose,
    /// Who contacts them.
    pub party: &'a Party,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which rule.
    pub rule: Rule,
    /// Whether it allows the contact.
    pub passed: bool,
    /// Until when it does not, where time makes it say something else.
    pub not_before_time: Option<DateTime<Utc>>,
    /// What it was decided by.
    pub facts: RuleFacts,
}

/// Names and values of what a rule was decided by. Nothing personal.
pub type RuleFacts = Vec<(&'static str, String)>;

/// Whether somebody may be contacted, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The rule that decided.
    pub rule: Rule,
    /// When to ask again; where the rule passes.
    pub not_before_time: Option<DateTime<Utc>>,
    /// By which channel.
    pub channel: Channel,
}

/// A decision and what every rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// Every rule, in order.
    pub checks: Vec<Check>,
}

/// Decides about a contact.
#[must_use]
pub fn decide(judged: &Judged<'_>, facts: &Facts) -> Verdict {
    let channels = candidates(judged.channel, judged.purpose, &facts.reached);
    let lasting = |channel: &Channel| {
        let speaks_against = |check: &Check| !check.passed && !check.rule.passes();
        !checks_of(judged, *channel, facts).iter().any(speaks_against)
    };
    // The best by which the member allows it and can be reached; where there is none, the best says why.
    let reachable = channels.iter().copied().find(lasting);
    let channel = reachable.or(channels.first().copied()).unwrap_or(Channel::Email);
    let checks = checks_of(judged, channel, facts);
    let against = checks.iter().find(|check| !check.passed);
    let decision = Decision {
        rule: against.map_or(Rule::Allowed, |check| check.rule),
        not_before_time: against.and_then(|check| check.not_before_time),
        channel,
    };
    Verdict { decision, checks }
}

fn checks_of(judged: &Judged<'_>, channel: Channel, facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        Check {
            rule: Rule::MemberNotActive,
            passed: facts.status == MemberStatus::Active,
            not_before_time: None,
            facts: vec![("status", facts.status.as_str().to_owned())],
        },
        Check {
            rule: Rule::TopicOptOut,
            passed: facts.opt_out_time.is_none(),
            not_before_time: None,
            facts: facts
                .opt_out_time
                .map(|time| ("opt_out_time", text_of(time)))
                .into_iter()
                .collect(),
        },
    ];
    checks.extend(consent(judged, channel, facts));
    checks.extend(reach(judged.purpose, channel, &facts.reached));
    checks.push(frequency(judged.purpose, facts));
    checks.push(mix(judged.purpose, facts));
    checks.push(quiet(judged.purpose, channel, facts));
    checks
}

fn consent(judged: &Judged<'_>, channel: Channel, facts: &Facts) -> [Check; 2] {
    let mut told: RuleFacts = vec![("needed", judged.purpose.consent().is_some().to_string())];
    let item = judged.purpose.item_by(channel);
    let standing = item.and_then(|item| standing_of(&facts.words, item, judged.party, facts.policy));
    if let Some(standing) = &standing {
        told.push(("said_time", text_of(standing.word.word_time)));
        told.push(("granted", standing.word.granted_under.is_some().to_string()));
        told.push(("inherited", standing.inherited.to_string()));
        told.push(("receipt_id", standing.word.receipt_id.to_string()));
    }
    let status = standing.map(|standing| standing.status);
    let granted = matches!(status, Some(Status::Granted | Status::NeedsReacceptance));
    let policy = vec![
        ("accepted_policy_version", facts.policy.accepted.to_string()),
        ("policy_version", facts.policy.in_force.to_string()),
    ];
    [
        Check {
            rule: Rule::NoConsent,
            passed: item.is_none() || granted,
            not_before_time: None,
            facts: told,
        },
        Check {
            rule: Rule::PolicyNotAccepted,
            passed: status != Some(Status::NeedsReacceptance),
            not_before_time: None,
            facts: policy,
        },
    ]
}

fn reach(purpose: Purpose, channel: Channel, reached: &Reached) -> [Check; 2] {
    let wanted: Vec<&str> = reached.wanted.iter().map(|channel| channel.as_str()).collect();
    let of_channel = |rule, passed, more: Option<(&'static str, String)>| {
        let channel = ("channel", channel.as_str().to_owned());
        Check {
            rule,
            passed,
            not_before_time: None,
            facts: [channel].into_iter().chain(more).collect(),
        }
    };
    [
        of_channel(
            Rule::ChannelNotWanted,
            reached.wants(channel, purpose),
            Some(("wanted", wanted.join(","))),
        ),
        of_channel(Rule::AddressMissing, reached.has_address(channel), None),
    ]
}

fn frequency(purpose: Purpose, facts: &Facts) -> Check {
    let Some((count_max, window)) = facts.settings.cap_of(purpose) else {
        return unbounded(Rule::FrequencyCap);
    };
    let mut check = bounded(
        Rule::FrequencyCap,
        &facts.history.counted,
        count_max,
        window,
        facts.now,
    );
    check.facts.push(("window_days", window.num_days().to_string()));
    check
}

fn mix(purpose: Purpose, facts: &Facts) -> Check {
    if !purpose.is_commercial() {
        return unbounded(Rule::Mix);
    }
    let (settings, run) = (&facts.settings, &facts.history.commercial_run);
    let window = settings.commercial_run_window();
    let mut check = bounded(Rule::Mix, run, settings.commercial_run_max, window, facts.now);
    check.facts.push(("window_days", window.num_days().to_string()));
    check
}

fn unbounded(rule: Rule) -> Check {
    Check {
        rule,
        passed: true,
        not_before_time: None,
        facts: Vec::new(),
    }
}

/// A place becomes free when the first to end of as many as there may be counts no more. Where there may be none, the
/// window is waited for, and again.
fn bounded(
    rule: Rule,
    ends: &[DateTime<Utc>],
    count_max: i32,
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Check {
    let places = usize::try_from(count_max).unwrap_or(0);
    let not_before_time = match places.checked_sub(1) {
        None => Some(now + window),
        Some(place) => ends.get(place).copied(),
    };
    Check {
        rule,
        passed: not_before_time.is_none(),
        not_before_time,
        facts: vec![
            ("counted", ends.len().to_string()),
            ("count_max", count_max.to_string()),
        ],
    }
}

fn quiet(purpose: Purpose, channel: Channel, facts: &Facts) -> Check {
    let zone = facts.reached.time_zone.unwrap_or(facts.program_zone);
    let holds = purpose != Purpose::ServiceMessage && channel.rings();
    let until = quiet_until(facts.settings.quiet, facts.now, zone).filter(|_| holds);
    let local_time = facts.now.with_timezone(&zone).format("%H:%M");
    Check {
        rule: Rule::QuietHours,
        passed: until.is_none(),
        not_before_time: until,
        facts: vec![
            ("time_zone", zone.name().to_owned()),
            ("local_time", local_time.to_string()),
            (
                "quiet_begin_minute",
                facts.settings.quiet.begin_minute.to_string(),
            ),
            ("quiet_end_minute", facts.settings.quiet.end_minute.to_string()),
        ],
    }
}

fn text_of(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
