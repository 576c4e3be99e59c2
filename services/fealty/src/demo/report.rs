//! What a loyalty manager would look at, read from the services.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use fealty_proto::ledger::v1::{
    EntryAccount, GetBalanceRequest, ListPurchasesRequest, ListTransactionsRequest, Transaction,
    TransactionKind,
};
use fealty_proto::members::v1::ListMembersRequest;
use fealty_proto::rewards::v1::{ListRedemptionsRequest, ListRewardsRequest, RedemptionStatus};
use fealty_proto::surveys::v1::{GetScoreTrendRequest, MonthlyScore};
use fealty_proto::types::v1::Consistency;
use fealty_proto::types::v1::consistency::Requirement;

use super::shop::{Shop, UNIT};

/// The largest pages there are.
const PAGE_SIZE: i32 = 1_000;
/// Who buys at even gaps for that long is a regular: a coefficient of variation of at most a half over six months.
const REGULAR_VARIATION_MAX_PERCENT: i64 = 50;
const REGULAR_DAYS_MIN: i64 = 180;
const REGULAR_PURCHASES_MIN: usize = 6;
/// What the list of rewards is cut off at.
const REWARDS_SHOWN: usize = 5;

/// The year in numbers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many members are at each stage.
    pub stages: BTreeMap<Stage, u64>,
    /// The points of all members.
    pub points: Points,
    /// By name, how often each reward was redeemed.
    pub rewards: BTreeMap<String, u64>,
    /// Month by month: promoters, passives, detractors, and the score with its interval.
    pub scores: Vec<(String, String)>,
    /// Whose balance the calls to paste ask for.
    pub best_member_id: String,
}

/// How far somebody has come, by what they bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Enrolled, and bought nothing.
    Enrolled,
    /// Bought once.
    OneTime,
    /// Bought again, at uneven gaps or not for long yet.
    Occasional,
    /// Buys at even gaps, and has for half a year.
    Regular,
}

/// Where points came from and went to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Points {
    /// Given.
    pub issued: i64,
    /// Taken back by refunds.
    pub taken_back: i64,
    /// Spent.
    pub redeemed: i64,
    /// Ended unused.
    pub expired: i64,
    /// What members have now.
    pub outstanding: i64,
    /// What members owe now.
    pub owed: i64,
}

impl Report {
    /// Reads everything back.
    pub async fn read(shop: &Shop, months: &[NaiveDate]) -> anyhow::Result<Self> {
        let mut report = Self {
            scores: read_scores(shop, months).await?,
            ..Self::default()
        };
        let names = read_reward_names(shop).await?;
        let mut best = i64::MIN;
        for member_id in read_members(shop).await? {
            let times = read_purchase_times(shop, &member_id).await?;
            *report.stages.entry(Stage::of(&times)).or_default() += 1;
            let outstanding = report.points.outstanding;
            report.points.add_member(shop, &member_id).await?;
            if report.points.outstanding - outstanding > best {
                best = report.points.outstanding - outstanding;
                report.best_member_id.clone_from(&member_id);
            }
            for reward_id in read_redeemed(shop, &member_id).await? {
                let name = names.get(&reward_id).context("a reward without a name")?;
                *report.rewards.entry(name.clone()).or_default() += 1;
            }
        }
        Ok(report)
    }
}

impl Stage {
    /// By the times of somebody's purchases, in any order.
    #[must_use]
    pub fn of(times: &[DateTime<Utc>]) -> Self {
        match times.len() {
            0 => return Self::Enrolled,
            1 => return Self::OneTime,
            _ => {}
        }
        let mut days: Vec<i64> = times.iter().map(|time| time.timestamp() / 86_400).collect();
        days.sort_unstable();
        let gaps: Vec<i64> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let count = i64::try_from(gaps.len()).unwrap_or(i64::MAX);
        let span = days[days.len() - 1] - days[0];
        // Standard deviation against mean, squared and times the count twice, so that whole numbers do.
        let variance = gaps.iter().map(|gap| (gap * count - span).pow(2)).sum::<i64>() / count;
        let bound = (span * REGULAR_VARIATION_MAX_PERCENT / 100).pow(2);
        let is_even = variance <= bound;
        if times.len() >= REGULAR_PURCHASES_MIN && span >= REGULAR_DAYS_MIN && is_even {
            Self::Regular
        } else {
            Self::Occasional
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled only",
            Self::OneTime => "bought once",
            Self::Occasional => "occasional",
            Self::Regular => "regular",
        }
    }
}

impl Points {
    async fn add_member(&mut self, shop: &Shop, member_id: &str) -> anyhow::Result<()> {
        let transactions = read_transactions(shop, member_id).await?;
        for transaction in &transactions {
            self.add(transaction);
        }
        let recorded = available_after(&transactions);
        let request = GetBalanceRequest {
            owner_id: member_id.to_owned(),
            consistency: Some(Consistency {
                requirement: Some(Requirement::Strong(true)),
            }),
            ..GetBalanceRequest::default()
        };
        let balance = shop.clients.ledger.get_balance(request).await?.into_message();
        let balance = balance.balance.context("no balance in the answer")?;
        for unit in balance.balances.iter().filter(|unit| unit.unit_code == UNIT) {
            self.outstanding += unit.available + unit.held;
            // A lot that has ended does not count from that instant on; it is written off with the next transaction.
            self.expired += recorded - unit.available;
            self.owed += unit.debt;
        }
        Ok(())
    }

    /// What a transaction says of the program's side: it is the mirror of what members got and gave.
    fn add(&mut self, transaction: &Transaction) {
        for entry in transaction.entries.iter().filter(|entry| entry.unit_code == UNIT) {
            match entry.account() {
                EntryAccount::ProgramIssued if transaction.kind() == TransactionKind::Refund => {
                    self.taken_back += entry.value;
                }
                EntryAccount::ProgramIssued => self.issued -= entry.value,
                EntryAccount::ProgramRedeemed => self.redeemed += entry.value,
                EntryAccount::ProgramExpired => self.expired += entry.value,
                _ => {}
            }
        }
    }

    /// Whether everything that was given is somewhere.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.issued - self.taken_back - self.redeemed - self.expired == self.outstanding - self.owed
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Points {
            issued,
            taken_back,
            redeemed,
            expired,
            outstanding,
            owed,
        } = self.points;
        writeln!(f, "Members by stage")?;
        for (stage, count) in &self.stages {
            writeln!(f, "  {:<14} {count:>7}", stage.as_str())?;
        }
        writeln!(f, "\nBeans")?;
        for (what, value) in [
            ("issued", issued),
            ("taken back", taken_back),
            ("redeemed", redeemed),
            ("expired", expired),
            ("outstanding", outstanding),
            ("owed", owed),
        ] {
            writeln!(f, "  {what:<14} {value:>7}")?;
        }
        writeln!(f, "\nTop rewards")?;
        let mut rewards: Vec<_> = self.rewards.iter().collect();
        rewards.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        for (name, count) in rewards.into_iter().take(REWARDS_SHOWN) {
            writeln!(f, "  {name:<26} {count:>5}")?;
        }
        writeln!(f, "\nNet Promoter Score, with its 95 % interval")?;
        for (month, score) in &self.scores {
            writeln!(f, "  {month}  {score}")?;
        }
        Ok(())
    }
}

/// What the newest transaction that says so left available; they come newest first.
fn available_after(transactions: &[Transaction]) -> i64 {
    let mut entries = transactions.iter().flat_map(|transaction| &transaction.entries);
    let newest =
        entries.find(|entry| entry.unit_code == UNIT && entry.account() == EntryAccount::OwnerAvailable);
    newest.map_or(0, |entry| entry.balance_after)
}

async fn read_members(shop: &Shop) -> anyhow::Result<Vec<String>> {
    let mut member_ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListMembersRequest {
            page_size: PAGE_SIZE,
            page_token,
            ..ListMembersRequest::default()
        };
        let page = shop.clients.members.list_members(request).await?.into_message();
        member_ids.extend(page.members.into_iter().map(|member| member.member_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(member_ids);
        }
    }
}

async fn read_purchase_times(shop: &Shop, member_id: &str) -> anyhow::Result<Vec<DateTime<Utc>>> {
    let mut times = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListPurchasesRequest {
            owner_id: member_id.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = shop.clients.ledger.list_purchases(request).await?.into_message();
        let occurred = page.purchases.iter().filter_map(|purchase| purchase.occur_time);
        times.extend(occurred.filter_map(|time| DateTime::from_timestamp(time.seconds, 0)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(times);
        }
    }
}

async fn read_transactions(shop: &Shop, member_id: &str) -> anyhow::Result<Vec<Transaction>> {
    let mut transactions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListTransactionsRequest {
            owner_id: member_id.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
            ..ListTransactionsRequest::default()
        };
        let page = shop
            .clients
            .ledger
            .list_transactions(request)
            .await?
            .into_message();
        transactions.extend(page.transactions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(transactions);
        }
    }
}

async fn read_redeemed(shop: &Shop, member_id: &str) -> anyhow::Result<Vec<String>> {
    let request = ListRedemptionsRequest {
        member_id: member_id.to_owned(),
        page_size: PAGE_SIZE,
        ..ListRedemptionsRequest::default()
    };
    let page = shop
        .clients
        .rewards
        .list_redemptions(request)
        .await?
        .into_message();
    let redeemed = page
        .redemptions
        .into_iter()
        .filter(|one| one.status() == RedemptionStatus::Redeemed);
    Ok(redeemed.map(|redemption| redemption.reward_id).collect())
}

async fn read_reward_names(shop: &Shop) -> anyhow::Result<BTreeMap<String, String>> {
    let request = ListRewardsRequest {
        page_size: PAGE_SIZE,
        ..ListRewardsRequest::default()
    };
    let page = shop.clients.rewards.list_rewards(request).await?.into_message();
    let named = page
        .rewards
        .into_iter()
        .map(|reward| (reward.reward_id, reward.display_name));
    Ok(named.collect())
}

async fn read_scores(shop: &Shop, months: &[NaiveDate]) -> anyhow::Result<Vec<(String, String)>> {
    let month = |date: Option<&NaiveDate>| {
        date.map_or_else(String::new, |date| {
            format!("{:04}-{:02}", date.year(), date.month())
        })
    };
    let request = GetScoreTrendRequest {
        survey_id: shop.survey_id.clone(),
        from_month: month(months.first()),
        to_month: month(months.last()),
        time_zone: String::new(),
    };
    let trend = shop
        .clients
        .surveys
        .get_score_trend(request)
        .await?
        .into_message();
    Ok(trend.monthly_scores.into_iter().map(told).collect())
}

fn told(monthly: MonthlyScore) -> (String, String) {
    let score = monthly.score.unwrap_or_default();
    let Some(interval) = score.interval else {
        return (monthly.month, "no answers".to_owned());
    };
    let count = score.promoter_count + score.passive_count + score.detractor_count;
    let sentence = format!(
        "{:>9}  from {:>9} to {:>9}  of {count} answers",
        score.score, interval.low, interval.high
    );
    (monthly.month, sentence)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at_days(days: &[i64]) -> Vec<DateTime<Utc>> {
        days.iter()
            .map(|day| DateTime::UNIX_EPOCH + TimeDelta::days(*day))
            .collect()
    }

    #[test]
    fn stages_go_by_how_often_and_how_evenly_somebody_buys() {
        assert_eq!(Stage::of(&[]), Stage::Enrolled);
        assert_eq!(Stage::of(&at_days(&[5])), Stage::OneTime);
        assert_eq!(Stage::of(&at_days(&[0, 3, 93, 103])), Stage::Occasional);
        let monthly: Vec<i64> = (0..12).map(|month| month * 30).collect();
        assert_eq!(Stage::of(&at_days(&monthly)), Stage::Regular);
        assert_eq!(Stage::of(&at_days(&monthly[..5])), Stage::Occasional);
    }

    #[test]
    fn points_are_balanced_when_all_of_them_are_somewhere() {
        let points = Points {
            issued: 100,
            taken_back: 10,
            redeemed: 50,
            expired: 5,
            outstanding: 40,
            owed: 5,
        };
        assert!(points.is_balanced());
        assert!(
            !Points {
                redeemed: 51,
                ..points
            }
            .is_balanced()
        );
    }
}
