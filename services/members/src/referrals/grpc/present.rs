//! Referrals as messages.

use fealty_proto::members::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_rpc::present::timestamp;
use fealty_types::{PurchaseId, UnitCode};

use super::parse::CODE_PLACE;
use crate::referrals::domain::{Action, Check, Factor, Growth, IssuedCode, Reward, Settings, Source, State};
use crate::referrals::storage::Node;
use crate::referrals::{Told, Tree};

pub(super) fn code(issued: &IssuedCode, settings: &Settings) -> pb::ReferralCode {
    let template = settings.link_template.as_deref().unwrap_or_default();
    pb::ReferralCode {
        code: issued.code.to_string(),
        member_id: issued.member_id.to_string(),
        link: template.replace(CODE_PLACE, issued.code.as_str()),
        invite_count: issued.invite_count,
        referral_count: issued.referral_count,
        create_time: Some(timestamp(issued.create_time)),
        close_time: issued.close_time.map(timestamp),
    }
}

pub(super) fn referral(told: &Told) -> pb::Referral {
    let it = &told.referral;
    let source = match it.source {
        Source::Code => pb::ReferralSource::Code,
        Source::Card => pb::ReferralSource::Card,
        Source::ByHand => pb::ReferralSource::ByHand,
    };
    let purchase_id = it.purchase_id.filter(|_| it.state == State::Qualified);
    pb::Referral {
        member_id: it.member_id.to_string(),
        referrer_member_id: it.referrer_member_id.to_string(),
        source: source.into(),
        code: it.code.clone().unwrap_or_default(),
        state: state(it.state).into(),
        checks: it.checks.iter().map(|one| check(*one).into()).collect(),
        purchase_id: purchase_id
            .as_ref()
            .map(PurchaseId::to_string)
            .unwrap_or_default(),
        rewards: told.rewards.iter().map(reward).collect(),
        record_time: Some(timestamp(it.record_time)),
        qualify_time: it.qualify_time.map(timestamp),
    }
}

fn reward(reward: &Reward) -> pb::ReferralReward {
    pb::ReferralReward {
        member_id: reward.member_id.to_string(),
        amount: Some(Amount {
            unit_code: reward.unit_code.to_string(),
            value: reward.value.get(),
        }),
        transaction_id: reward.transaction_id.to_string(),
        credited: reward.is_credited,
        refused_reason: reward.refused_reason.clone().unwrap_or_default(),
    }
}

const fn state(state: State) -> pb::ReferralState {
    match state {
        State::Pending => pb::ReferralState::Pending,
        State::Held => pb::ReferralState::Held,
        State::Rejected => pb::ReferralState::Rejected,
        State::Qualified => pb::ReferralState::Qualified,
    }
}

const fn check(check: Check) -> pb::ReferralCheck {
    match check {
        Check::Itself => pb::ReferralCheck::Self_,
        Check::Loop => pb::ReferralCheck::Loop,
        Check::SameHousehold => pb::ReferralCheck::SameHousehold,
        Check::SameDevice => pb::ReferralCheck::SameDevice,
        Check::SamePerson => pb::ReferralCheck::SamePerson,
        Check::SameIdentifier => pb::ReferralCheck::SameIdentifier,
    }
}

pub(super) fn tree(tree: &Tree) -> pb::GetReferralTreeResponse {
    let node = |node: &Node| pb::ReferralNode {
        member_id: node.member_id.to_string(),
        referrer_member_id: node.referrer_member_id.to_string(),
        depth: node.depth,
        state: state(node.state).into(),
        referral_count: node.referral_count,
    };
    pb::GetReferralTreeResponse {
        nodes: tree.nodes.iter().map(node).collect(),
        referral_count: tree.referral_count,
        has_more: tree.has_more,
    }
}

pub(super) fn settings(settings: &Settings) -> pb::ReferralSettings {
    let action = |action| -> i32 {
        match action {
            Action::Allow => pb::ReferralAction::Allow,
            Action::Hold => pb::ReferralAction::Hold,
            Action::Refuse => pb::ReferralAction::Refuse,
        }
        .into()
    };
    pb::ReferralSettings {
        same_household: action(settings.same_household),
        same_device: action(settings.same_device),
        same_person: action(settings.same_person),
        same_identifier: action(settings.same_identifier),
        reward_unit_code: settings
            .reward_unit_code
            .as_ref()
            .map(UnitCode::to_string)
            .unwrap_or_default(),
        referrer_value: settings.referrer_value.get(),
        referred_value: settings.referred_value.get(),
        qualify_within_days: settings.qualify_within_days,
        link_template: settings.link_template.clone().unwrap_or_default(),
    }
}

pub(super) fn factor(growth: &Growth) -> pb::GetReferralFactorResponse {
    let (inviting, invites) = (growth.inviting_member_count, growth.invite_count);
    pb::GetReferralFactorResponse {
        inviting_member_count: inviting,
        invite_count: invites,
        qualified_count: growth.qualified_count,
        invites_per_member: Factor::of(invites, inviting).to_string(),
        conversion: Factor::of(growth.qualified_count, invites).to_string(),
        factor: Factor::of(growth.qualified_count, inviting).to_string(),
    }
}
