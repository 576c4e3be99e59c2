//! Ladders and tiers as messages.

use fealty_proto::members::v1 as pb;
use fealty_rpc::present::timestamp;
use fealty_types::MemberId;

use crate::ladders::domain::{
    Benefit, Cause, Definition, Ladder, Landing, Measure, Period, Qualification, Span, Tier,
};
use crate::ladders::{Entitlement, HeldTier, Progress, ShownGrant, Standing, StoredChange};
use pb::qualification::{Measure as MeasureField, Period as PeriodField};

pub(super) fn ladder(ladder: &Ladder) -> pb::Ladder {
    let definition = &ladder.definition;
    pb::Ladder {
        ladder_code: definition.ladder_code.to_string(),
        version: ladder.version,
        display_name: definition.display_name.to_string(),
        qualification: definition.qualification.as_ref().map(qualification),
        tiers: definition.tiers.iter().map(tier).collect(),
        create_time: Some(timestamp(ladder.create_time)),
        retire_time: ladder.retire_time.map(timestamp),
    }
}

fn qualification(how: &Qualification) -> pb::Qualification {
    let (grace_days, grace_months) = match how.grace {
        Span::Days(count) => (count.cast_signed(), 0),
        Span::Months(count) => (0, count.cast_signed()),
    };
    pb::Qualification {
        measure: Some(match &how.measure {
            Measure::Earned(unit) => MeasureField::EarnedUnitCode(unit.to_string()),
            Measure::Spend(currency) => MeasureField::SpendCurrencyCode(currency.to_string()),
            Measure::Purchases => MeasureField::PurchaseCount(true),
            Measure::Visits => MeasureField::VisitCount(true),
        }),
        period: Some(match how.period {
            Period::CalendarYear => PeriodField::CalendarYear(true),
            Period::Rolling(Span::Days(count)) => PeriodField::RollingDays(count.cast_signed()),
            Period::Rolling(Span::Months(count)) => PeriodField::RollingMonths(count.cast_signed()),
            Period::SinceJoining => PeriodField::SinceJoining(true),
        }),
        grace_days,
        grace_months,
        landing: match how.landing {
            Landing::OneStep => pb::TierLanding::OneStep,
            Landing::ByBalance => pb::TierLanding::ByBalance,
        }
        .into(),
    }
}

fn tier(tier: &Tier) -> pb::Tier {
    pb::Tier {
        tier_code: tier.code.to_string(),
        display_name: tier.display_name.to_string(),
        threshold: tier.threshold,
        benefits: tier.benefits.iter().map(benefit).collect(),
    }
}

fn benefit(benefit: &Benefit) -> pb::Benefit {
    pb::Benefit {
        benefit_code: benefit.code.to_string(),
        description: benefit.description.clone(),
    }
}

pub(super) fn standing(standing: &Standing) -> pb::TierStanding {
    let (ladder, now) = (&standing.ladder.definition, &standing.now);
    let next = next_tier(ladder, now.balance);
    let next_threshold = next.map_or(0, |tier| tier.threshold);
    pb::TierStanding {
        ladder_code: ladder.ladder_code.to_string(),
        ladder_version: standing.ladder.version,
        tier_code: code_text(ladder.code_at(now.rank)),
        earned_tier_code: code_text(ladder.code_at(now.held.rank)),
        balance: now.balance,
        next_tier_code: code_text(next.map(|tier| &tier.code)),
        next_threshold,
        remaining: next.map_or(0, |_| next_threshold.saturating_sub(now.balance)),
        balance_until_time: now.balance_until.map(timestamp),
        grace_until_time: now.grace_until.map(timestamp),
        next_change_time: now.due_time.map(timestamp),
    }
}

/// The lowest tier that the balance is not enough for.
fn next_tier(ladder: &Definition, balance: i64) -> Option<&Tier> {
    ladder.qualification.as_ref()?;
    ladder.tier(ladder.rank_of_balance(balance) + 1)
}

fn code_text(code: Option<&impl ToString>) -> String {
    code.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn entitlement(checked: &Entitlement) -> pb::CheckEntitlementResponse {
    pb::CheckEntitlementResponse {
        entitled: !checked.tiers.is_empty(),
        tiers: checked.tiers.iter().map(tier_ref).collect(),
        valid_until_time: checked.valid_until.map(timestamp),
    }
}

/// A tier that somebody has.
pub(crate) fn tier_ref(held: &HeldTier) -> pb::TierRef {
    pb::TierRef {
        ladder_code: held.ladder_code.to_string(),
        tier_code: held.tier_code.to_string(),
    }
}

pub(super) fn change(stored: &StoredChange) -> pb::TierChange {
    let change = &stored.change;
    pb::TierChange {
        ladder_code: change.ladder_code.to_string(),
        ladder_version: change.ladder_version,
        from_tier_code: code_text(change.from.as_ref()),
        to_tier_code: code_text(change.to.as_ref()),
        cause: cause(change.cause).into(),
        change_time: Some(timestamp(change.change_time)),
        record_time: Some(timestamp(stored.record_time)),
    }
}

const fn cause(cause: Cause) -> pb::TierChangeCause {
    match cause {
        Cause::Qualified => pb::TierChangeCause::Qualified,
        Cause::GraceEnded => pb::TierChangeCause::GraceEnded,
        Cause::TakenBack => pb::TierChangeCause::TakenBack,
        Cause::Granted => pb::TierChangeCause::Granted,
        Cause::GrantEnded => pb::TierChangeCause::GrantEnded,
        Cause::GrantRevoked => pb::TierChangeCause::GrantRevoked,
        Cause::LadderChanged => pb::TierChangeCause::LadderChanged,
        Cause::StatusChanged => pb::TierChangeCause::StatusChanged,
        Cause::Merged => pb::TierChangeCause::Merged,
    }
}

pub(super) fn grant(shown: &ShownGrant) -> pb::TierGrant {
    let grant = &shown.grant;
    pb::TierGrant {
        tier_grant_id: grant.tier_grant_id.to_string(),
        member_id: grant.member_id.to_string(),
        ladder_code: grant.ladder_code.to_string(),
        tier_code: grant.tier_code.to_string(),
        end_time: grant.end_time.map(timestamp),
        actor: grant.actor.clone(),
        reason: shown
            .reason
            .as_ref()
            .map(|reason| reason.expose().to_owned())
            .unwrap_or_default(),
        create_time: Some(timestamp(grant.create_time)),
        revoke_time: grant.revoked.as_ref().map(|(time, _)| timestamp(*time)),
        revoke_actor: grant
            .revoked
            .as_ref()
            .map(|(_, actor)| actor.clone())
            .unwrap_or_default(),
    }
}

pub(super) fn progress(progress: &Progress) -> pb::EvaluateLadderResponse {
    let counts = &progress.counts;
    let texts = |ids: &[MemberId]| ids.iter().map(ToString::to_string).collect();
    let tiers = counts.tiers.iter().enumerate();
    pb::EvaluateLadderResponse {
        member_count: counts.all.member_count,
        rising_count: counts.all.rising_count,
        falling_count: counts.all.falling_count,
        staying_count: counts.all.member_count - counts.all.rising_count - counts.all.falling_count,
        tiers: tiers
            .map(|(rank, tier)| pb::TierCount {
                tier_code: code_text(progress.ladder.code_at(rank)),
                member_count: tier.member_count,
                rising_count: tier.rising_count,
                falling_count: tier.falling_count,
            })
            .collect(),
        rising_member_ids: texts(&counts.rising),
        falling_member_ids: texts(&counts.falling),
        done: progress.is_done,
    }
}
