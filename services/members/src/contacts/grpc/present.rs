//! Contacts as messages.

use fealty_proto::members::v1 as pb;
use fealty_rpc::etag::Etag;
use fealty_rpc::present::timestamp;
use fealty_types::MemberId;

use crate::consents::grpc::channel_number;
use crate::contacts::Decided;
use crate::contacts::domain::{Check, Decision, Preferences, Rule, Settings, TopicOptOut, Verdict};

pub(super) fn decided(decided: &Decided) -> pb::MayContactResponse {
    let decision = decided.decision;
    // What was allowed before there were reservations is a contact, too.
    let is_contact = decision.rule == Rule::Allowed;
    let contact_id = is_contact.then(|| decided.decision_id.to_string());
    pb::MayContactResponse {
        decision: answer_of(&decision).into(),
        rule: rule_number(decision.rule).into(),
        not_before_time: decision.not_before_time.map(timestamp),
        contact_id: contact_id.unwrap_or_default(),
        channel: channel_number(decision.channel).into(),
        reserve_until_time: decided.reserve_until.map(timestamp),
    }
}

pub(super) fn verdict(verdict: Verdict) -> pb::ExplainContactResponse {
    let decision = verdict.decision;
    pb::ExplainContactResponse {
        decision: answer_of(&decision).into(),
        rule: rule_number(decision.rule).into(),
        not_before_time: decision.not_before_time.map(timestamp),
        channel: channel_number(decision.channel).into(),
        outcomes: verdict.checks.into_iter().map(outcome).collect(),
    }
}

fn outcome(check: Check) -> pb::ContactRuleOutcome {
    let fact = |(name, value): (&str, String)| (name.to_owned(), value);
    pb::ContactRuleOutcome {
        rule: rule_number(check.rule).into(),
        passed: check.passed,
        not_before_time: check.not_before_time.map(timestamp),
        facts: check.facts.into_iter().map(fact).collect(),
    }
}

const fn answer_of(decision: &Decision) -> pb::ContactDecision {
    match decision.rule {
        Rule::Allowed => pb::ContactDecision::Yes,
        rule if rule.passes() => pb::ContactDecision::NotBefore,
        _ => pb::ContactDecision::No,
    }
}

const fn rule_number(rule: Rule) -> pb::ContactRule {
    match rule {
        Rule::Allowed => pb::ContactRule::Allowed,
        Rule::MemberNotActive => pb::ContactRule::MemberNotActive,
        Rule::TopicOptOut => pb::ContactRule::TopicOptOut,
        Rule::NoConsent => pb::ContactRule::NoConsent,
        Rule::PolicyNotAccepted => pb::ContactRule::PolicyNotAccepted,
        Rule::ChannelNotWanted => pb::ContactRule::ChannelNotWanted,
        Rule::AddressMissing => pb::ContactRule::AddressMissing,
        Rule::FrequencyCap => pb::ContactRule::FrequencyCap,
        Rule::Mix => pb::ContactRule::Mix,
        Rule::QuietHours => pb::ContactRule::QuietHours,
    }
}

pub(super) fn preferences(member_id: MemberId, preferences: &Preferences) -> pb::ContactPreferences {
    let channels = preferences.channels.iter();
    let addresses = preferences.addresses.iter().map(|it| pb::ContactAddress {
        channel: channel_number(it.channel).into(),
        address: it.address.expose().to_owned(),
    });
    pb::ContactPreferences {
        member_id: member_id.to_string(),
        channels: channels.map(|channel| channel_number(*channel).into()).collect(),
        addresses: addresses.collect(),
        time_zone: preferences
            .time_zone
            .map(|zone| zone.name().to_owned())
            .unwrap_or_default(),
        update_time: preferences.update_time.map(timestamp),
    }
}

pub(super) fn settings(settings: &Settings) -> pb::ContactSettings {
    pb::ContactSettings {
        commercial_count_max: settings.commercial_count_max,
        commercial_window_days: settings.commercial_window_days,
        service_quality_count_max: settings.service_quality_count_max,
        service_quality_window_days: settings.service_quality_window_days,
        commercial_run_max: settings.commercial_run_max,
        commercial_run_window_days: settings.commercial_run_window_days,
        quiet_begin_minute: settings.quiet.begin_minute,
        quiet_end_minute: settings.quiet.end_minute,
        reservation_minutes: settings.reservation_minutes,
        etag: Etag::new(settings.revision.get()).to_string(),
    }
}

pub(super) fn opt_out(opt_out: &TopicOptOut) -> pb::TopicOptOut {
    pb::TopicOptOut {
        topic: opt_out.topic.to_string(),
        opt_out_time: Some(timestamp(opt_out.opt_out_time)),
    }
}
