//! `fealty demo`: an invented shop's year on this machine.
//!
//! The suite is started as `up` does, on a clock that is moved from week to week; a year is played through its gRPC API;
//! what a loyalty manager would look at is read back and printed; and the suite goes on in the present, with a key and
//! three calls to paste.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::NaiveDate;
use fealty_client::{ClientConfig, LedgerClient, MembersClient, RewardsClient, SurveysClient};
use fealty_ledger::Times;
use fealty_ledger::posting::TimeSource;
use fealty_types::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::up::{self, Started, ready};
use crate::demo::clock::PlayClock;
use crate::demo::plan::{Day, Plan};
use crate::demo::play::{Play, request_id};
use crate::demo::report::Report;
use crate::demo::shop::{Clients, Shop};
use crate::services::ServiceName;
use crate::tool;

/// People who come in a year: some thousand purchases, played within a minute or two.
const PEOPLE_DEFAULT: usize = 200;
/// Most people: a year of theirs is an evening's play.
const PEOPLE_MAX: u64 = 10_000;
/// The clock goes on by a week: each time, the play waits until surveys have decided whom to ask.
const DAYS_AT_ONCE: usize = 7;
/// Between two plain lines of progress.
const WEEKS_PER_LINE: usize = 4;

/// Which year to play, and how to run the suite.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Another seed is another year; the same seed is the same one.
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    seed: u64,
    /// How many people come.
    #[arg(long, value_name = "COUNT", default_value_t = PEOPLE_DEFAULT, value_parser = people_count)]
    people: usize,
    #[command(flatten)]
    up: up::Args,
}

fn people_count(text: &str) -> Result<usize, String> {
    match text.parse::<u64>() {
        Ok(count @ 1..=PEOPLE_MAX) => usize::try_from(count).map_err(|error| error.to_string()),
        _ => Err(format!("a number from 1 to {PEOPLE_MAX} is expected")),
    }
}

/// Plays the year, prints what came of it, and runs until asked to end.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let Args { seed, people, mut up } = args;
    // An invented year is nobody's data: unless a folder is named, it goes with the end.
    up.ephemeral |= up.data_dir.is_none();
    let today = SystemClock.now().date_naive();
    let plan = Plan::draw(seed, people, today);
    let clock = PlayClock::new(plan.begins_at());
    let times = Times {
        clock: clock.shared(),
        posting: TimeSource::Clock(clock.shared()),
    };
    up::run_with("fealty-demo", up, times, async move |started, _| {
        let year = Year {
            plan,
            clock,
            seed,
            today,
        };
        year.show(&started).await
    })
}

/// The year and its clock.
struct Year {
    plan: Plan,
    clock: PlayClock,
    seed: u64,
    today: NaiveDate,
}

impl Year {
    async fn show(self, started: &Started) -> anyhow::Result<()> {
        let name = |what: &str| request_id(self.seed, &format!("{} {what}", self.today.format("%Y-%m")));
        let shop = Shop::open(clients(started)?, name).await?;
        self.play(&shop).await?;
        let report = Report::read(&shop, &self.plan.months).await?;
        self.clock.join_the_present();
        tool::print_line(&format!(
            "\nA year of a coffee shop: {} members, {} purchases, seed {}\n\n{report}",
            self.plan.people.len(),
            self.plan.purchase_count(),
            self.seed,
        ))?;
        anyhow::ensure!(
            report.points.is_balanced(),
            "the books do not agree: {:?}",
            report.points
        );
        ready::print(started)?;
        print_calls(started, &shop, &report)
    }

    async fn play(&self, shop: &Shop) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut play = Play::new(shop, &self.plan, &self.clock, self.seed);
        let bar = std::io::stderr().is_terminal().then(|| bar(self.plan.days.len()));
        for (index, days) in self.plan.days.chunks(DAYS_AT_ONCE).enumerate() {
            let week = Day::merged(days).context("a week has a day")?;
            let date = week.closes_at.date_naive();
            play.until_closed(&week)
                .await
                .with_context(|| format!("the week that ended on {date}"))?;
            match &bar {
                Some(bar) => {
                    bar.set_message(date.to_string());
                    bar.set_position(u64::try_from(index * DAYS_AT_ONCE + days.len()).unwrap_or(u64::MAX));
                }
                None if (index + 1) % WEEKS_PER_LINE == 0 => {
                    eprintln!("played until {date}, in {} s", begun.elapsed().as_secs());
                }
                None => {}
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        eprintln!("The year took {:.1} s.", begun.elapsed().as_secs_f64());
        Ok(())
    }
}

fn clients(started: &Started) -> anyhow::Result<Clients> {
    let config = |service: ServiceName| {
        ClientConfig::new(started.kept.addresses.of(service), &started.kept.keys.program)
    };
    Ok(Clients {
        members: MembersClient::try_new(&config(ServiceName::Members))?,
        ledger: LedgerClient::try_new(&config(ServiceName::Ledger))?,
        rewards: RewardsClient::try_new(&config(ServiceName::Rewards))?,
        surveys: SurveysClient::try_new(&config(ServiceName::Surveys))?,
    })
}

fn print_calls(started: &Started, shop: &Shop, report: &Report) -> anyhow::Result<()> {
    let fealty = ready::program_name();
    let key = &started.kept.keys.program;
    let call = |service: ServiceName, method: &str, request: &str| {
        let (name, url) = (service.as_str(), started.kept.addresses.of(service));
        format!("  {fealty} call --{name} {url} --key {key} {method} '{request}'")
    };
    tool::print_line(&format!(
        "\nThree calls into the year:\n\n{}\n\n{}\n\n{}",
        call(
            ServiceName::Ledger,
            "BalanceService/GetBalance",
            &format!(r#"{{"owner_id": "{}"}}"#, report.best_member_id),
        ),
        call(
            ServiceName::Rewards,
            "RedemptionService/QuoteRedemption",
            &format!(
                r#"{{"member_id": "{}", "reward_id": "{}"}}"#,
                report.best_member_id, shop.reward_ids[0]
            ),
        ),
        call(
            ServiceName::Surveys,
            "ScoreService/GetScore",
            &format!(r#"{{"survey_id": "{}"}}"#, shop.survey_id),
        ),
    ))
}

fn bar(day_count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {eta} left");
    let count = u64::try_from(day_count).unwrap_or(u64::MAX);
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
