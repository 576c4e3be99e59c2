//! A shop that uses the suite: a program of its own, so that tests that share a suite do not meet.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_client::{ClientConfig, LedgerClient, MembersClient, RewardsClient, SurveysClient};
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1::earning_rule::Formula;
use fealty_proto::ledger::v1::{
    Cashback, CreateEarningRuleRequest, CreateUnitRequest, EarningRule, GetBalanceRequest, OwnerBalance,
    RecordPurchaseRequest, Rounding, ShortfallPolicy, TransferRules, Unit, UnitBalance,
};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    AddIdentifierRequest, ApiKey, ConsentGiver, ConsentOrigin, ConsentPurpose, ConsentScope, ContactChannel,
    CreateApiKeyRequest, CreateProgramRequest, EnrolMemberRequest, GrantConsentRequest, Identifier, Member,
    Policy, PolicyAcceptance, Program, PublishPolicyRequest,
};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Consistency, Money};
use fealty_types::ProgramId;
use uuid::Uuid;

use crate::suite::Suite;

/// What the shop counts.
pub const UNIT: &str = "bonus";
/// What the shop is paid in.
pub const CURRENCY: &str = "GBP";
/// A call of a test may wait out a restart of the suite on a machine that compiles beside it.
const DEADLINE: Duration = Duration::from_mins(1);
/// Nobody owes more than that.
const DEBT_MAX: i64 = 1_000_000_000_000;
/// Retries a second: the tests' callers are many, and each waits for its own.
const RETRIES_PER_SECOND: u32 = 10_000;

/// A program with a policy, a unit and a rule of one per cent, and a key with every scope that a program's can have.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The members service by the shop's key.
    pub members: MembersClient,
    /// The ledger by the shop's key.
    pub ledger: LedgerClient,
    /// The rewards service by the shop's key.
    pub rewards: RewardsClient,
    /// The surveys service by the shop's key.
    pub surveys: SurveysClient,
    /// The members service by a key of the whole suite, in the shop's program.
    pub operator: MembersClient,
    /// The shop's program.
    pub program_id: ProgramId,
    /// The shop's key.
    pub key: String,
    /// The policy in force.
    pub policy_version: i64,
}

impl Shop {
    /// Opens one in which what a refund cannot take back is owed.
    ///
    /// # Panics
    /// When a call fails.
    pub async fn open(suite: &Suite) -> Self {
        Self::open_with(suite, ShortfallPolicy::Debt).await
    }

    /// Opens one.
    ///
    /// # Panics
    /// When a call fails.
    pub async fn open_with(suite: &Suite, shortfall_policy: ShortfallPolicy) -> Self {
        let mut shop = Self::bare(suite).await;
        shop.policy_version = publish_policy(&shop.members).await;
        create_unit(&shop.ledger, shortfall_policy).await;
        create_rule(&shop.ledger).await;
        shop
    }

    /// Opens one that has only its program and its key.
    ///
    /// # Panics
    /// When a call fails.
    pub async fn bare(suite: &Suite) -> Self {
        let addresses = suite.addresses();
        let operator = MembersClient::try_new(&config(addresses.of(ServiceName::Members), suite.suite_key()))
            .expect("a client");
        let program = Program {
            display_name: "Corner shop".to_owned(),
            time_zone: "Europe/London".to_owned(),
            currency_code: CURRENCY.to_owned(),
            ..Program::default()
        };
        let created = operator
            .create_program(CreateProgramRequest {
                request_id: request_id(),
                program: Some(program),
            })
            .await
            .expect("a program");
        let program_id = created.into_message().program.expect("it is answered").program_id;
        let program_id: ProgramId = program_id.parse().expect("an id");
        let operator = operator.for_program(program_id);
        let (key, _) = create_key(&operator, &scopes_of_program()).await;
        Self {
            members: MembersClient::try_new(&config(addresses.of(ServiceName::Members), &key))
                .expect("a client"),
            ledger: LedgerClient::try_new(&config(addresses.of(ServiceName::Ledger), &key))
                .expect("a client"),
            rewards: RewardsClient::try_new(&config(addresses.of(ServiceName::Rewards), &key))
                .expect("a client"),
            surveys: SurveysClient::try_new(&config(addresses.of(ServiceName::Surveys), &key))
                .expect("a client"),
            operator,
            program_id,
            key,
            policy_version: 0,
        }
    }

    /// Enrols somebody by these identifiers.
    ///
    /// # Panics
    /// When the call fails.
    pub async fn enrol(&self, identifiers: Vec<Value>) -> Member {
        let enrolled = self.members.enrol_member(self.enrolment(identifiers)).await;
        let enrolled = enrolled.expect("an enrolment").into_message();
        enrolled.member.expect("it is answered")
    }

    /// Lets somebody be asked by e-mail how something was: they get an address, and allow it.
    ///
    /// # Panics
    /// When a call fails.
    pub async fn let_ask(&self, member_id: &str) {
        let request = AddIdentifierRequest {
            request_id: request_id(),
            member_id: member_id.to_owned(),
            identifier: Some(identifier(Value::EmailAddress(format!(
                "{member_id}@example.com"
            )))),
        };
        self.members.add_identifier(request).await.expect("an address");
        let request = GrantConsentRequest {
            request_id: request_id(),
            member_id: member_id.to_owned(),
            purposes: vec![ConsentPurpose::ServiceQuality.into()],
            channels: vec![ContactChannel::Email.into()],
            scope: ConsentScope::Group.into(),
            origin: Some(ConsentOrigin {
                giver: ConsentGiver::Member.into(),
                source: "web".to_owned(),
                ..ConsentOrigin::default()
            }),
            policy_version: self.policy_version,
            ..GrantConsentRequest::default()
        };
        self.members.grant_consent(request).await.expect("a consent");
    }

    /// Somebody's enrolment, not sent yet.
    #[must_use]
    pub fn enrolment(&self, identifiers: Vec<Value>) -> EnrolMemberRequest {
        EnrolMemberRequest {
            request_id: request_id(),
            identifiers: identifiers.into_iter().map(identifier).collect(),
            policy_acceptance: Some(PolicyAcceptance {
                policy_version: self.policy_version,
                channel: "till 4".to_owned(),
                ..PolicyAcceptance::default()
            }),
            ..EnrolMemberRequest::default()
        }
    }

    /// The shop's unit of somebody's balances, with the version it is of.
    ///
    /// # Panics
    /// When the call fails.
    pub async fn balance(&self, owner_id: &str, requirement: Option<Requirement>) -> (i64, UnitBalance) {
        let request = GetBalanceRequest {
            owner_id: owner_id.to_owned(),
            consistency: requirement.map(|requirement| Consistency {
                requirement: Some(requirement),
            }),
            ..GetBalanceRequest::default()
        };
        let read = self.ledger.get_balance(request).await.expect("a balance");
        unit_of(&read.into_message().balance.expect("it is answered"))
    }
}

/// The shop's unit in somebody's balances, with the version it is of.
#[must_use]
pub fn unit_of(balance: &OwnerBalance) -> (i64, UnitBalance) {
    let unit = balance.balances.iter().find(|unit| unit.unit_code == UNIT);
    (balance.version, unit.cloned().unwrap_or_default())
}

/// An id for one attempt.
#[must_use]
pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// A sum of the shop's money.
#[must_use]
pub fn money(amount_minor: i64) -> Option<Money> {
    Some(Money {
        currency_code: CURRENCY.to_owned(),
        amount_minor,
    })
}

/// An identifier that is not stored yet.
#[must_use]
pub fn identifier(value: Value) -> Identifier {
    Identifier {
        value: Some(value),
        ..Identifier::default()
    }
}

/// A purchase at the shop's till, not sent yet.
#[must_use]
pub fn purchase(owner_id: &str, receipt_id: &str, amount_minor: i64) -> RecordPurchaseRequest {
    RecordPurchaseRequest {
        request_id: request_id(),
        owner_id: owner_id.to_owned(),
        source: "till-4".to_owned(),
        receipt_id: receipt_id.to_owned(),
        money: money(amount_minor),
        occur_time: None,
    }
}

/// Settings of the tests' clients: patient, as a test's machine is slow.
#[must_use]
pub fn config(endpoint: &str, key: &str) -> ClientConfig {
    let mut config = ClientConfig::new(endpoint, key);
    config.deadline = DEADLINE;
    config.retry.attempt_count_max = u32::MAX;
    config.retry.budget_per_second_min = RETRIES_PER_SECOND;
    config
}

/// Every scope that a key of a program can hold.
#[must_use]
pub fn scopes_of_program() -> Vec<Scope> {
    let suite_only = [Scope::ProgramsWrite, Scope::AccessFeed, Scope::ErasuresConfirm];
    (1..=i32::from(u8::MAX))
        .filter_map(|number| Scope::try_from(number).ok())
        .filter(|scope| !suite_only.contains(scope))
        .collect()
}

/// A new key of the operator's program, with its id.
///
/// # Panics
/// When the call fails.
pub async fn create_key(operator: &MembersClient, scopes: &[Scope]) -> (String, String) {
    let api_key = ApiKey {
        display_name: "Till".to_owned(),
        scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
        ..ApiKey::default()
    };
    let created = operator
        .create_api_key(CreateApiKeyRequest {
            request_id: request_id(),
            api_key: Some(api_key),
        })
        .await
        .expect("a key")
        .into_message();
    let api_key = created.api_key.expect("it is answered");
    (created.key_text, api_key.api_key_id)
}

async fn publish_policy(members: &MembersClient) -> i64 {
    let policy = Policy {
        title: "Terms".to_owned(),
        text: "A point is worth a penny.".to_owned(),
        ..Policy::default()
    };
    let published = members
        .publish_policy(PublishPolicyRequest {
            request_id: request_id(),
            policy: Some(policy),
        })
        .await
        .expect("a policy");
    published.into_message().policy.expect("it is answered").version
}

async fn create_unit(ledger: &LedgerClient, shortfall_policy: ShortfallPolicy) {
    let debt_max = if shortfall_policy == ShortfallPolicy::Debt {
        DEBT_MAX
    } else {
        0
    };
    let unit = Unit {
        unit_code: UNIT.to_owned(),
        display_name: "Bonuses".to_owned(),
        shortfall_policy: shortfall_policy.into(),
        debt_max,
        transfer_rules: Some(TransferRules::default()),
        ..Unit::default()
    };
    ledger
        .create_unit(CreateUnitRequest {
            request_id: request_id(),
            unit: Some(unit),
        })
        .await
        .expect("a unit");
}

async fn create_rule(ledger: &LedgerClient) {
    let rule = EarningRule {
        display_name: "One per cent back".to_owned(),
        unit_code: UNIT.to_owned(),
        formula: Some(Formula::Cashback(Cashback {
            rate: "0.01".to_owned(),
            rounding: Rounding::Down.into(),
        })),
        ..EarningRule::default()
    };
    ledger
        .create_earning_rule(CreateEarningRuleRequest {
            request_id: request_id(),
            earning_rule: Some(rule),
        })
        .await
        .expect("a rule");
}
