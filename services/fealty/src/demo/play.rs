//! Plays a year, week by week. In a week people enrol, buy, bring back, redeem what they have saved for, use vouchers, are
//! asked and answer; many at a time, as in a shop. The clock goes on when all of it has happened, so that the same year
//! always comes out alike.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use fealty_proto::ledger::v1::refund_purchase_request::Target;
use fealty_proto::ledger::v1::{RecordPurchaseRequest, RefundPurchaseRequest};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    ConsentGiver, ConsentOrigin, ConsentPurpose, ConsentScope, ContactChannel, EnrolMemberRequest,
    GrantConsentRequest, Identifier, PolicyAcceptance, Profile,
};
use fealty_proto::rewards::v1::{RedeemRewardRequest, UseVoucherRequest};
use fealty_proto::surveys::v1::{
    Invitation, InvitationStatus, IssueInvitationTokenRequest, ListInvitationsRequest, SubmitAnswerRequest,
};
use fealty_proto::types::v1::{ErrorReason, Money};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::clock::PlayClock;
use super::plan::{Day, Person, Plan, Purchase};
use super::shop::{ASKED_FROM_MINOR, REWARDS, Shop, UNIT};

/// Calls at a time: what a few tills make.
const CALLS_AT_A_TIME: usize = 16;
/// How long surveys may take to hear of the day's purchases and decide whom to ask.
const INVITED_BOUND: Duration = Duration::from_mins(1);
/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A member has fewer invitations than fit on a page.
const PAGE_SIZE: i32 = 1_000;
/// What the shop is paid in.
const CURRENCY: &str = "GBP";
/// The shop's till.
const SOURCE: &str = "till-1";
/// Every third voucher is forgotten.
const USED_OF_THREE: usize = 2;

/// What has become of the plan's people.
#[derive(Debug)]
pub struct Play<'a> {
    shop: &'a Shop,
    plan: &'a Plan,
    clock: &'a PlayClock,
    seed: u64,
    people: Vec<Known>,
    person_of: BTreeMap<String, usize>,
    voucher_count: usize,
    /// When each member is asked again who could not be asked yet.
    postponed: BTreeMap<String, DateTime<Utc>>,
}

/// What the shop knows of somebody.
#[derive(Debug, Clone, Default)]
struct Known {
    member_id: String,
    available: i64,
    redemption_count: usize,
    asked_count: usize,
}

/// Names each call of a play, so that a play that is begun again repeats itself instead of doing everything twice.
#[must_use]
pub fn request_id(seed: u64, what: &str) -> String {
    Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("fealty demo {seed} {what}").as_bytes(),
    )
    .to_string()
}

impl<'a> Play<'a> {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(shop: &'a Shop, plan: &'a Plan, clock: &'a PlayClock, seed: u64) -> Self {
        Self {
            shop,
            plan,
            clock,
            seed,
            people: vec![Known::default(); plan.people.len()],
            person_of: BTreeMap::new(),
            voucher_count: 0,
            postponed: BTreeMap::new(),
        }
    }

    /// Plays what happens until a day has closed.
    pub async fn until_closed(&mut self, day: &Day) -> anyhow::Result<()> {
        self.clock.move_to(day.closes_at);
        self.enrol(day).await?;
        let bought = self.buy(day).await?;
        self.bring_back(day, &bought).await?;
        self.redeem(day).await?;
        self.answer(day, &bought).await
    }

    async fn enrol(&mut self, day: &Day) -> anyhow::Result<()> {
        let play = &*self;
        let enrolled: Vec<(usize, String)> = stream::iter(&day.enrolments)
            .map(|person| async move { Ok::<_, anyhow::Error>((*person, play.enrol_one(*person).await?)) })
            .buffer_unordered(CALLS_AT_A_TIME)
            .try_collect()
            .await?;
        for (person, member_id) in enrolled {
            self.person_of.insert(member_id.clone(), person);
            self.people[person].member_id = member_id;
        }
        Ok(())
    }

    async fn enrol_one(&self, person: usize) -> anyhow::Result<String> {
        let Person {
            given_name,
            card_number,
            ..
        } = &self.plan.people[person];
        let request = EnrolMemberRequest {
            request_id: request_id(self.seed, &format!("enrol {person}")),
            profile: Some(Profile {
                given_name: (*given_name).to_owned(),
                ..Profile::default()
            }),
            identifiers: [
                Value::CardNumber(card_number.clone()),
                Value::EmailAddress(format!("customer-{person}@example.com")),
            ]
            .map(|value| Identifier {
                value: Some(value),
                ..Identifier::default()
            })
            .into(),
            policy_acceptance: Some(PolicyAcceptance {
                policy_version: self.shop.policy_version,
                channel: SOURCE.to_owned(),
                ..PolicyAcceptance::default()
            }),
            ..EnrolMemberRequest::default()
        };
        let answer = self
            .shop
            .clients
            .members
            .enrol_member(request)
            .await?
            .into_message();
        let member_id = answer.member.context("no member in the answer")?.member_id;
        self.allow_questions(person, &member_id).await?;
        Ok(member_id)
    }

    /// They allow the shop to ask them by e-mail how it was.
    async fn allow_questions(&self, person: usize, member_id: &str) -> anyhow::Result<()> {
        let request = GrantConsentRequest {
            request_id: request_id(self.seed, &format!("allow {person}")),
            member_id: member_id.to_owned(),
            purposes: vec![ConsentPurpose::ServiceQuality.into()],
            channels: vec![ContactChannel::Email.into()],
            scope: ConsentScope::Group.into(),
            origin: Some(ConsentOrigin {
                giver: ConsentGiver::Member.into(),
                source: SOURCE.to_owned(),
                ..ConsentOrigin::default()
            }),
            policy_version: self.shop.policy_version,
            ..GrantConsentRequest::default()
        };
        self.shop.clients.members.grant_consent(request).await?;
        Ok(())
    }

    /// Answers the ids of the purchases, in the order of the plan.
    async fn buy(&mut self, day: &Day) -> anyhow::Result<Vec<String>> {
        let play = &*self;
        let bought: Vec<(String, i64)> = stream::iter(&day.purchases)
            .map(|purchase| play.buy_one(purchase))
            .buffered(CALLS_AT_A_TIME)
            .try_collect()
            .await?;
        for (purchase, (_, available)) in day.purchases.iter().zip(&bought) {
            self.people[purchase.person].available = *available;
        }
        Ok(bought.into_iter().map(|(purchase_id, _)| purchase_id).collect())
    }

    async fn buy_one(&self, purchase: &Purchase) -> anyhow::Result<(String, i64)> {
        let request = RecordPurchaseRequest {
            request_id: request_id(self.seed, &format!("purchase {}", purchase.receipt_id)),
            owner_id: self.people[purchase.person].member_id.clone(),
            source: SOURCE.to_owned(),
            receipt_id: purchase.receipt_id.clone(),
            money: Some(money(purchase.amount_minor)),
            occur_time: Some(timestamp(purchase.time)),
        };
        let answer = self
            .shop
            .clients
            .ledger
            .record_purchase(request)
            .await?
            .into_message();
        let balance = answer.balance.context("no balance in the answer")?;
        let unit = balance.balances.iter().find(|unit| unit.unit_code == UNIT);
        let purchase = answer.purchase.context("no purchase in the answer")?;
        Ok((purchase.purchase_id, unit.map_or(0, |unit| unit.available)))
    }

    async fn bring_back(&self, day: &Day, bought: &[String]) -> anyhow::Result<()> {
        let returned = day
            .purchases
            .iter()
            .zip(bought)
            .filter(|(purchase, _)| purchase.is_returned);
        for (purchase, purchase_id) in returned {
            let receipt_id = format!("{}-R", purchase.receipt_id);
            let request = RefundPurchaseRequest {
                request_id: request_id(self.seed, &format!("refund {receipt_id}")),
                target: Some(Target::PurchaseId(purchase_id.clone())),
                source: SOURCE.to_owned(),
                receipt_id,
                money: Some(money(purchase.amount_minor)),
                occur_time: Some(timestamp(day.closes_at)),
                reason: "brought back".to_owned(),
            };
            self.shop.clients.ledger.refund_purchase(request).await?;
        }
        Ok(())
    }

    /// Who bought today and has enough for what they save for gets it. What came back today may have cost them points:
    /// then they have too few, and try again another day.
    async fn redeem(&mut self, day: &Day) -> anyhow::Result<()> {
        for purchase in &day.purchases {
            let person = purchase.person;
            let (_, price, _) = REWARDS[self.plan.people[person].favourite];
            if self.people[person].available < price {
                continue;
            }
            if let Some(code) = self.redeem_one(person).await? {
                self.people[person].available -= price;
                self.voucher_count += 1;
                if self.voucher_count % 3 < USED_OF_THREE {
                    self.use_voucher(code).await?;
                }
            }
            self.people[person].redemption_count += 1;
        }
        Ok(())
    }

    /// Answers the voucher's code; None when there are too few points or none of it is left.
    async fn redeem_one(&self, person: usize) -> anyhow::Result<Option<String>> {
        let known = &self.people[person];
        let request = RedeemRewardRequest {
            request_id: request_id(self.seed, &format!("redeem {person} {}", known.redemption_count)),
            member_id: known.member_id.clone(),
            reward_id: self.shop.reward_ids[self.plan.people[person].favourite].clone(),
            expected_price: None,
        };
        match self.shop.clients.rewards.redeem_reward(request).await {
            Ok(answer) => {
                let voucher = answer
                    .into_message()
                    .voucher
                    .context("no voucher in the answer")?;
                Ok(Some(voucher.code))
            }
            Err(refused)
                if matches!(
                    refused.reason,
                    Some(ErrorReason::InsufficientBalance | ErrorReason::OutOfStock)
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn use_voucher(&self, code: String) -> anyhow::Result<()> {
        let request = UseVoucherRequest {
            request_id: request_id(self.seed, &format!("use {}", self.voucher_count)),
            code,
            source: SOURCE.to_owned(),
            receipt_id: format!("V{:06}", self.voucher_count),
        };
        self.shop.clients.rewards.use_voucher(request).await?;
        Ok(())
    }

    /// Waits until it is decided whom to ask, and answers for those who do.
    async fn answer(&mut self, day: &Day, bought: &[String]) -> anyhow::Result<()> {
        let mut waiting: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (member_id, next_time) in &self.postponed {
            if *next_time <= day.closes_at {
                waiting.insert(member_id.clone(), Vec::new());
            }
        }
        for (purchase, purchase_id) in day.purchases.iter().zip(bought) {
            if purchase.amount_minor >= ASKED_FROM_MINOR {
                let member_id = self.people[purchase.person].member_id.clone();
                waiting.entry(member_id).or_default().push(purchase_id);
            }
        }
        for (member_id, purchase_ids) in waiting {
            let invitations = self.decided(&member_id, &purchase_ids, day.closes_at).await?;
            self.postponed.remove(&member_id);
            for invitation in invitations {
                match invitation.status() {
                    InvitationStatus::Due => self.respond(&member_id, &invitation).await?,
                    InvitationStatus::Planned => {
                        let next = self
                            .postponed
                            .entry(member_id.clone())
                            .or_insert(DateTime::<Utc>::MAX_UTC);
                        *next = due_time(&invitation).min(*next);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn respond(&mut self, member_id: &str, invitation: &Invitation) -> anyhow::Result<()> {
        let person = *self.person_of.get(member_id).context("a stranger is invited")?;
        let asked = self.people[person].asked_count;
        self.people[person].asked_count += 1;
        let request = IssueInvitationTokenRequest {
            invitation_id: invitation.invitation_id.clone(),
        };
        let issued = self.shop.clients.surveys.issue_invitation_token(request).await?;
        match self.plan.people[person].scores.get(asked) {
            Some(Some(score)) => self.submit(invitation, issued.into_message().token, *score).await,
            _ => Ok(()),
        }
    }

    /// A member's invitations, once these purchases have theirs and nothing is left to be decided at this time.
    async fn decided(
        &self,
        member_id: &str,
        purchase_ids: &[&str],
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Invitation>> {
        let begun = Instant::now();
        loop {
            let request = ListInvitationsRequest {
                survey_id: self.shop.survey_id.clone(),
                member_id: member_id.to_owned(),
                page_size: PAGE_SIZE,
                ..ListInvitationsRequest::default()
            };
            let listed = self.shop.clients.surveys.list_invitations(request).await?;
            let listed = listed.into_message().invitations;
            let is_asked = |id: &&str| listed.iter().any(|invitation| invitation.purchase_id == **id);
            let is_open = |invitation: &Invitation| {
                invitation.status() == InvitationStatus::Planned && due_time(invitation) <= now
            };
            if purchase_ids.iter().all(is_asked) && !listed.iter().any(is_open) {
                return Ok(listed);
            }
            if begun.elapsed() > INVITED_BOUND {
                bail!(
                    "surveys did not decide within {} s whether to ask a member",
                    INVITED_BOUND.as_secs()
                );
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn submit(&self, invitation: &Invitation, token: String, score: u8) -> anyhow::Result<()> {
        let surveys = &self.shop.clients.surveys;
        let request = SubmitAnswerRequest {
            request_id: request_id(self.seed, &format!("answer {}", invitation.invitation_id)),
            token,
            score: Some(score.into()),
            follow_up_text: words(score).to_owned(),
        };
        surveys.submit_answer(request).await?;
        Ok(())
    }
}

const fn words(score: u8) -> &'static str {
    match score {
        9.. => "The coffee, and that you know my name.",
        7..=8 => "Open earlier on Sundays.",
        _ => "I waited too long.",
    }
}

fn due_time(invitation: &Invitation) -> DateTime<Utc> {
    let time = invitation.due_time.unwrap_or_default();
    DateTime::from_timestamp(time.seconds, time.nanos.cast_unsigned()).unwrap_or_default()
}

fn money(amount_minor: i64) -> Money {
    Money {
        currency_code: CURRENCY.to_owned(),
        amount_minor,
    }
}

fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}
