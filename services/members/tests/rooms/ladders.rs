//! Tiers and clubs, by what the ledger tells.

mod changed;
mod clubs;
mod evaluated;
mod grants;
mod refused;
mod time;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use fealty_proto::events::v1::MemberTierChanged;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::qualification::{Measure, Period};
use fealty_types::ManualClock;
use tonic::Status;

use crate::happened::happened_to;
use crate::harness::{eventually, request_id};
use crate::postings::Posted;
use crate::shop::Shop;

/// A shop on a day of its own, in London.
pub async fn open_on(year: i32, month: u32, day: u32) -> (Shop, ManualClock) {
    let clock = ManualClock::new(noon(year, month, day));
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    (shop, clock)
}

pub fn noon(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, 12, 0, 0)
        .single()
        .expect("a time")
}

pub fn tier(code: &str, threshold: i64, benefits: &[&str]) -> pb::Tier {
    let benefit = |code: &&str| pb::Benefit {
        benefit_code: (*code).to_owned(),
        description: format!("What {code} is."),
    };
    pb::Tier {
        tier_code: code.to_owned(),
        display_name: code.to_owned(),
        threshold,
        benefits: benefits.iter().map(benefit).collect(),
    }
}

pub fn spend(period: Period) -> pb::Qualification {
    pb::Qualification {
        measure: Some(Measure::SpendCurrencyCode("GBP".to_owned())),
        period: Some(period),
        landing: pb::TierLanding::ByBalance.into(),
        ..pb::Qualification::default()
    }
}

pub fn ladder(code: &str, qualification: Option<pb::Qualification>, tiers: Vec<pb::Tier>) -> pb::Ladder {
    pb::Ladder {
        ladder_code: code.to_owned(),
        display_name: code.to_owned(),
        qualification,
        tiers,
        ..pb::Ladder::default()
    }
}

/// The seed's club: whoever has spent 10,000 since they joined.
pub fn club() -> pb::Ladder {
    let tiers = vec![tier("regulars", 10_000, &["personal-manager"])];
    ladder("club", Some(spend(Period::SinceJoining(true))), tiers)
}

/// Three tiers by what is spent in a year, kept for the year after.
pub fn metals() -> pb::Ladder {
    let how = pb::Qualification {
        grace_months: 12,
        ..spend(Period::CalendarYear(true))
    };
    let tiers = vec![
        tier("bronze", 1_000, &["priority-service"]),
        tier("silver", 5_000, &["priority-service", "special-prices"]),
        tier(
            "gold",
            20_000,
            &["priority-service", "special-prices", "limited-edition"],
        ),
    ];
    ladder("status", Some(how), tiers)
}

pub fn publication(ladder: pb::Ladder, known_version: i64) -> pb::PublishLadderRequest {
    pb::PublishLadderRequest {
        request_id: request_id(),
        ladder: Some(ladder),
        known_version,
    }
}

impl Shop {
    pub async fn try_publish_ladder(&self, request: pb::PublishLadderRequest) -> Result<pb::Ladder, Status> {
        let answer = self.world.tiers(&self.auth).publish_ladder(request).await?;
        Ok(answer.into_inner().ladder.expect("a ladder"))
    }

    pub async fn publish_ladder(&self, ladder: pb::Ladder, known_version: i64) -> pb::Ladder {
        let published = self.try_publish_ladder(publication(ladder, known_version)).await;
        published.expect("published")
    }

    /// Buys for so many pence, which earn as many points.
    pub fn buy(&self, member: &pb::Member, minor: i64, at: DateTime<Utc>) -> Posted {
        let posted = Posted::purchase(&self.program, &member.member_id, minor, minor).at(at);
        self.ledger.postings.tell(&posted);
        posted
    }

    pub async fn standings(&self, member: &pb::Member) -> Vec<pb::TierStanding> {
        let request = pb::GetMemberTiersRequest {
            member_id: member.member_id.clone(),
        };
        let answer = self.world.tiers(&self.auth).get_member_tiers(request).await;
        answer.expect("standings").into_inner().standings
    }

    pub async fn standing(&self, member: &pb::Member, ladder_code: &str) -> pb::TierStanding {
        let standings = self.standings(member).await.into_iter();
        let mut own = standings.filter(|standing| standing.ladder_code == ladder_code);
        own.next().expect("a standing")
    }

    /// Waits until so much counts.
    pub async fn counted(&self, member: &pb::Member, ladder_code: &str, balance: i64) -> pb::TierStanding {
        eventually("counting", async || {
            let standing = self.standing(member, ladder_code).await;
            (standing.balance == balance).then_some(standing)
        })
        .await
    }

    /// The member's tiers as whoever looks them up sees them.
    pub async fn tiers_of(&self, member: &pb::Member) -> Vec<String> {
        let member = self.get(&member.member_id).await.expect("a member");
        let text = |tier: &pb::TierRef| format!("{}/{}", tier.ladder_code, tier.tier_code);
        member.tiers.iter().map(text).collect()
    }

    pub async fn entitled(&self, member: &pb::Member, benefit_code: &str) -> bool {
        self.entitlement(member, benefit_code).await.entitled
    }

    pub async fn entitlement(&self, member: &pb::Member, benefit_code: &str) -> pb::CheckEntitlementResponse {
        let request = pb::CheckEntitlementRequest {
            member_id: member.member_id.clone(),
            benefit_code: benefit_code.to_owned(),
        };
        let answer = self.world.tiers(&self.auth).check_entitlement(request).await;
        answer.expect("an answer").into_inner()
    }

    /// The changes of a member's tiers, oldest first: from, to and why.
    pub async fn changes(&self, member: &pb::Member) -> Vec<pb::TierChange> {
        let request = pb::ListTierChangesRequest {
            member_id: member.member_id.clone(),
            ..Default::default()
        };
        let answer = self.world.tiers(&self.auth).list_tier_changes(request).await;
        let mut changes = answer.expect("a page").into_inner().changes;
        changes.reverse();
        changes
    }

    /// Waits until so many changes are in the history, and says from where to where and why.
    pub async fn changes_when(
        &self,
        member: &pb::Member,
        count: usize,
    ) -> Vec<(String, String, &'static str)> {
        eventually("a change", async || {
            let changes = self.changes(member).await;
            let is_all = changes.len() >= count;
            is_all.then(|| changes.iter().map(short).collect())
        })
        .await
    }

    /// What followers hear of a member's tiers, in order.
    pub async fn heard(&self, member: &pb::Member) -> Vec<MemberTierChanged> {
        let happened = happened_to(self, &member.member_id).await.into_iter();
        let tiers = happened.filter_map(|payload| match payload {
            Payload::MemberTierChanged(changed) => Some(changed),
            _ => None,
        });
        tiers.collect()
    }
}

fn short(change: &pb::TierChange) -> (String, String, &'static str) {
    let cause = change
        .cause()
        .as_str_name()
        .trim_start_matches("TIER_CHANGE_CAUSE_");
    (change.from_tier_code.clone(), change.to_tier_code.clone(), cause)
}

pub fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    fealty_rpc::present::timestamp(time)
}

pub const HOUR: TimeDelta = TimeDelta::hours(1);
