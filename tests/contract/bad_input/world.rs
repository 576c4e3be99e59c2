//! Two shops, of which one calls and the other has what is none of its business.

use std::collections::BTreeSet;
use std::time::Duration;

use fealty::services::{PerService, ServiceName};
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1::{
    CreateUnitRequest, HoldPointsRequest, ListEarningRulesRequest, ShortfallPolicy, Unit,
};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    CreateStaffMemberRequest, IssueMemberTokenRequest, RevokeApiKeyRequest, StaffMember,
};
use fealty_proto::types::v1::Amount;
use fealty_proto::{MemberAccess, Method};
use fealty_tests::bounded::eventually;
use fealty_tests::database::Database;
use fealty_tests::raw::{Raw, Refusal};
use fealty_tests::shop::{Shop, UNIT, create_key, purchase, request_id, scopes_of_program};
use fealty_tests::suite::Suite;

use super::case::Caller;
use super::rewards::Rewarded;
use super::surveys::Surveyed;

/// A revocation holds everywhere within 5 seconds; the machine may be slow.
const REVOKED_BOUND: Duration = Duration::from_secs(20);

/// Everything that the cases speak of.
pub struct World {
    /// The shop that calls.
    pub shop: Shop,
    /// The other shop.
    pub other: Shop,
    /// A key of the whole suite with every scope.
    pub suite_key: String,
    /// Of the right form, and never made here.
    pub unknown_key: String,
    /// A key of the shop that was revoked.
    pub revoked_key: String,
    /// One with nothing but the scope to read policies, and one with nothing but that to read units.
    narrow_keys: [(Scope, String); 2],
    /// Speaks for our member, with everything that a token can carry.
    pub member_token: String,
    /// A member of the shop.
    pub ours: Somebody,
    /// A member of the other shop.
    pub theirs: Somebody,
    /// What lies behind.
    pub database: Database,
    raws: PerService<Raw>,
}

/// A member and what belongs to them.
pub struct Somebody {
    /// The member, and owner.
    pub member_id: String,
    /// Their external id's id.
    pub identifier_id: String,
    /// Their purchase.
    pub purchase_id: String,
    /// The transaction that recorded it.
    pub transaction_id: String,
    /// Points of theirs that are set aside.
    pub hold_id: String,
    /// A rule of their shop.
    pub rule_id: String,
    /// A unit of their shop alone.
    pub unit_code: String,
    /// A key of their shop.
    pub api_key_id: String,
    /// Somebody who works there.
    pub staff_id: String,
    /// What they got for their points.
    pub rewarded: Rewarded,
    /// What their shop asks, them too.
    pub surveyed: Surveyed,
}

impl World {
    /// Opens the shops.
    pub async fn of(suite: &Suite) -> Self {
        let (shop, other) = (Shop::open(suite).await, Shop::open(suite).await);
        let (revoked_key, revoked_id) = create_key(&shop.operator, &scopes_of_program()).await;
        let request = RevokeApiKeyRequest {
            api_key_id: revoked_id,
        };
        shop.operator
            .revoke_api_key(request)
            .await
            .expect("it can be revoked");
        let mut narrow_keys = Vec::new();
        for scope in [Scope::PoliciesRead, Scope::UnitsRead] {
            narrow_keys.push((scope, create_key(&shop.operator, &[scope]).await.0));
        }
        let ours = somebody(&shop, "ours").await;
        let world = Self {
            member_token: member_token(&shop, &ours.member_id).await,
            ours,
            theirs: somebody(&other, "theirs").await,
            shop,
            other,
            suite_key: suite.suite_key().to_owned(),
            unknown_key: unknown_key(),
            revoked_key,
            narrow_keys: narrow_keys.try_into().expect("two"),
            database: suite.database(),
            raws: PerService::from_fn(|service| Raw::to(suite.addresses().of(service))),
        };
        world.wait_until_revoked().await;
        world
    }

    /// The service of a method.
    pub fn raw_of(&self, path: &str) -> &Raw {
        let of = |service: ServiceName| path.starts_with(&format!("/{}", service.package()));
        let service = ServiceName::ALL.into_iter().find(|service| of(*service));
        &self.raws[service.unwrap_or(ServiceName::Members)]
    }

    /// A service.
    pub fn raw(&self, service: ServiceName) -> &Raw {
        &self.raws[service]
    }

    /// Who may call the method: the shop, or the suite where no program's key can.
    pub fn caller_of(&self, path: &str) -> Caller {
        let method = fealty_proto::method(path).expect("a method");
        let of_program = method
            .scope
            .is_some_and(|scope| scopes_of_program().contains(&scope));
        if of_program && !method.suite_wide {
            return Caller {
                key: Some(self.shop.key.clone()),
                program_id: None,
            };
        }
        Caller {
            key: Some(self.suite_key.clone()),
            program_id: (!method.suite_wide).then(|| self.shop.program_id.to_string()),
        }
    }

    /// A key that lacks the scope.
    pub fn key_without(&self, scope: Scope) -> &str {
        let [(first, key), (_, other)] = &self.narrow_keys;
        if *first == scope { other } else { key }
    }

    async fn wait_until_revoked(&self) {
        let authorization = format!("Bearer {}", self.revoked_key);
        for (service, raw) in self.raws.iter() {
            let path = match service {
                ServiceName::Members => "/fealty.members.v1.ProgramService/GetProgram",
                ServiceName::Ledger => "/fealty.ledger.v1.UnitService/ListUnits",
                ServiceName::Rewards => "/fealty.rewards.v1.RewardService/ListRewards",
                ServiceName::Surveys => "/fealty.surveys.v1.SurveyService/ListSurveys",
            };
            eventually("the key is revoked", REVOKED_BOUND, async || {
                let headers = [("authorization", authorization.as_str())];
                let refused = raw.call(path, &headers, Vec::new()).await.err()?;
                (Refusal::of(&refused).reason == "KEY_REVOKED").then_some(())
            })
            .await;
        }
    }
}

async fn somebody(shop: &Shop, name: &str) -> Somebody {
    let member = shop.enrol(vec![Value::ExternalId(name.to_owned())]).await;
    let other = shop.enrol(vec![Value::ExternalId(format!("{name}-2"))]).await;
    for member in [&member, &other] {
        shop.let_ask(&member.member_id).await;
    }
    let bought = shop
        .ledger
        .record_purchase(purchase(&member.member_id, "r1", 500_000))
        .await;
    let bought = bought
        .expect("a purchase")
        .into_message()
        .purchase
        .expect("it is answered");
    let request = HoldPointsRequest {
        request_id: request_id(),
        owner_id: member.member_id.clone(),
        amount: Some(Amount {
            unit_code: UNIT.to_owned(),
            value: 1,
        }),
        ..HoldPointsRequest::default()
    };
    let held = shop.ledger.hold_points(request).await.expect("a hold");
    let rules = shop
        .ledger
        .list_earning_rules(ListEarningRulesRequest::default())
        .await;
    let rules = rules.expect("rules").into_message().earning_rules;
    let unit_code = format!("only_{name}");
    create_unit(shop, &unit_code).await;
    let (_, api_key_id) = create_key(&shop.operator, &[Scope::LedgerRead]).await;
    let request = CreateStaffMemberRequest {
        request_id: request_id(),
        staff_member: Some(StaffMember {
            display_name: "Mira".to_owned(),
            ..StaffMember::default()
        }),
    };
    let staff = shop
        .members
        .create_staff_member(request)
        .await
        .expect("a staff member");
    Somebody {
        rewarded: Rewarded::of(shop, &member.member_id).await,
        surveyed: Surveyed::of(shop, &member.member_id, &other.member_id).await,
        identifier_id: member.identifiers[0].identifier_id.clone(),
        member_id: member.member_id,
        purchase_id: bought.purchase_id,
        transaction_id: bought.transaction_id,
        hold_id: held.into_message().hold.expect("it is answered").hold_id,
        rule_id: rules[0].rule_id.clone(),
        unit_code,
        api_key_id,
        staff_id: staff
            .into_message()
            .staff_member
            .expect("it is answered")
            .staff_id,
    }
}

async fn create_unit(shop: &Shop, unit_code: &str) {
    let unit = Unit {
        unit_code: unit_code.to_owned(),
        display_name: "Stars".to_owned(),
        shortfall_policy: ShortfallPolicy::Waive.into(),
        ..Unit::default()
    };
    let request = CreateUnitRequest {
        request_id: request_id(),
        unit: Some(unit),
    };
    shop.ledger.create_unit(request).await.expect("a unit");
}

/// A key of the right form with the right checksum.
fn unknown_key() -> String {
    fealty_rpc::access::ApiKeySecret::generate(&mut rand::rng())
        .expose()
        .to_owned()
}

async fn member_token(shop: &Shop, member_id: &str) -> String {
    let takes_tokens = |method: &&Method| method.member_access != MemberAccess::Denied;
    let methods = fealty_proto::methods().values().filter(takes_tokens);
    let scopes: BTreeSet<i32> = methods.filter_map(|method| method.scope).map(i32::from).collect();
    let request = IssueMemberTokenRequest {
        member_id: member_id.to_owned(),
        scopes: scopes.into_iter().collect(),
        // The tests take longer than the usual token lasts.
        time_to_live: Some(prost_types::Duration {
            seconds: 3_600,
            nanos: 0,
        }),
    };
    let issued = shop.members.issue_member_token(request).await;
    issued.expect("a token").into_message().token
}
