//! A program that people can join: a members service beside a ledger, a policy in force, and a key.

use std::sync::Arc;

use fealty_members::erasures::fault::Faults;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_types::{Clock, ManualClock, ProgramId, SharedClock, SystemClock};
use tonic::{Response, Status};

use crate::harness::{Auth, World, request_id};
use crate::ledger::LedgerStandIn;

/// What a shop's own systems may do.
pub const SHOP_SCOPES: [Scope; 11] = [
    Scope::ContactsWrite,
    Scope::PersonalDataAudit,
    Scope::PersonalDataErase,
    Scope::PersonalDataExport,
    Scope::RetentionRead,
    Scope::RetentionWrite,
    Scope::EventsRead,
    Scope::MembersRead,
    Scope::MembersWrite,
    Scope::PoliciesRead,
    Scope::PoliciesWrite,
];

pub struct Shop {
    pub world: World,
    pub ledger: LedgerStandIn,
    pub program: ProgramId,
    pub auth: Auth,
}

impl Shop {
    pub async fn open() -> Self {
        let shop = Self::open_without_policy(SystemClock::shared()).await;
        shop.publish("The terms.").await;
        shop
    }

    pub async fn open_without_policy(clock: SharedClock) -> Self {
        Self::open_cut_off(clock, Faults::default()).await
    }

    /// With erasures that are cut off.
    pub async fn open_cut_off(clock: SharedClock, faults: Faults) -> Self {
        let ledger = LedgerStandIn::start().await;
        let world = World::start_cut_off(&ledger, clock, faults).await;
        let program = world.program().await;
        let auth = world.key_of(program, &SHOP_SCOPES).await;
        Self {
            world,
            ledger,
            program,
            auth,
        }
    }

    /// Open, with a clock of the test's own.
    pub async fn open_with_clock() -> (Self, ManualClock) {
        let clock = ManualClock::new(SystemClock.now());
        let shop = Self::open_without_policy(Arc::new(clock.clone())).await;
        shop.publish("The terms.").await;
        (shop, clock)
    }

    /// Another program of the same suite, with a policy of its own.
    pub async fn neighbour(&self) -> Auth {
        let program = self.world.program().await;
        let auth = self.world.key_of(program, &SHOP_SCOPES).await;
        publish(&self.world, &auth, policy("The neighbour's terms."))
            .await
            .expect("published");
        auth
    }

    pub async fn publish(&self, text: &str) -> pb::Policy {
        publish(&self.world, &self.auth, policy(text))
            .await
            .expect("published")
    }

    pub async fn try_enrol(
        &self,
        request: pb::EnrolMemberRequest,
    ) -> Result<Response<pb::EnrolMemberResponse>, Status> {
        self.world.members(&self.auth).enrol_member(request).await
    }

    /// Enrols somebody with these identifiers, who must be taken.
    pub async fn enrol(&self, identifiers: &[Value]) -> pb::Member {
        let enrolled = self.try_enrol(enrolment(identifiers)).await.expect("enrolled");
        enrolled.into_inner().member.expect("a member")
    }

    pub async fn get(&self, member_id: &str) -> Result<pb::Member, Status> {
        let request = pb::GetMemberRequest {
            member_id: member_id.to_owned(),
        };
        let answer = self.world.members(&self.auth).get_member(request).await?;
        Ok(answer.into_inner().member.expect("a member"))
    }

    pub async fn lookup(&self, value: Value) -> Result<pb::Member, Status> {
        let request = pb::LookupMemberRequest {
            identifier: Some(identifier(value)),
        };
        let answer = self.world.members(&self.auth).lookup_member(request).await?;
        Ok(answer.into_inner().member.expect("a member"))
    }

    pub async fn update(&self, member: pb::Member, paths: &[&str]) -> Result<pb::Member, Status> {
        let request = pb::UpdateMemberRequest {
            member: Some(member),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
        };
        let answer = self.world.members(&self.auth).update_member(request).await?;
        Ok(answer.into_inner().member.expect("a member"))
    }

    pub async fn list(&self, request: pb::ListMembersRequest) -> Result<pb::ListMembersResponse, Status> {
        let answer = self.world.members(&self.auth).list_members(request).await?;
        Ok(answer.into_inner())
    }

    /// How many members a list shows.
    pub async fn count(&self) -> usize {
        let all = pb::ListMembersRequest {
            page_size: 1_000,
            ..Default::default()
        };
        self.list(all).await.expect("a page").members.len()
    }
}

pub fn policy(text: &str) -> pb::Policy {
    pb::Policy {
        title: "Terms".to_owned(),
        text: text.to_owned(),
        ..Default::default()
    }
}

pub async fn publish(world: &World, auth: &Auth, policy: pb::Policy) -> Result<pb::Policy, Status> {
    let request = pb::PublishPolicyRequest {
        request_id: request_id(),
        policy: Some(policy),
    };
    let answer = world.policies(auth).publish_policy(request).await?;
    Ok(answer.into_inner().policy.expect("a policy"))
}

/// Consent to the first version.
pub fn acceptance() -> pb::PolicyAcceptance {
    pb::PolicyAcceptance {
        policy_version: 1,
        channel: "till 4".to_owned(),
        ..Default::default()
    }
}

pub fn enrolment(identifiers: &[Value]) -> pb::EnrolMemberRequest {
    pb::EnrolMemberRequest {
        request_id: request_id(),
        profile: None,
        identifiers: identifiers.iter().cloned().map(identifier).collect(),
        policy_acceptance: Some(acceptance()),
        referral: None,
        guardian_member_id: String::new(),
    }
}

pub fn identifier(value: Value) -> pb::Identifier {
    pb::Identifier {
        value: Some(value),
        ..Default::default()
    }
}

pub fn external_id(text: &str) -> Value {
    Value::ExternalId(text.to_owned())
}

pub fn card(text: &str) -> Value {
    Value::CardNumber(text.to_owned())
}

pub fn phone(text: &str) -> Value {
    Value::PhoneNumber(text.to_owned())
}

pub fn email(text: &str) -> Value {
    Value::EmailAddress(text.to_owned())
}
