//! Messages as commands, everything that is wrong with them named at once.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{HouseholdId, InvitationId, MemberId, Points, ProgramId, UnitCode};
use prost::Message;

use crate::households::Place;
use crate::households::domain::{
    DissolvePolicy, HouseholdRole, INVITATION_LENGTH_MAX, LIMITS_MAX, Limit, Limits, NewInvitation, Terms,
};

macro_rules! path {
    ($method:literal) => {
        concat!("/fealty.members.v1.HouseholdService/", $method)
    };
}

const CREATE: &str = path!("CreateHousehold");
const ADD: &str = path!("AddHouseholdMember");
const REMOVE: &str = path!("RemoveHouseholdMember");
const LEAVE: &str = path!("LeaveHousehold");
const SET_TERMS: &str = path!("SetHouseholdTerms");
const DISSOLVE: &str = path!("DissolveHousehold");
const INVITE: &str = path!("InviteToHousehold");
const ACCEPT: &str = path!("AcceptHouseholdInvitation");
pub(super) const LIST_INVITATIONS: &str = path!("ListHouseholdInvitations");

/// A call that makes something: its attempt.
struct Making<'a> {
    program_id: ProgramId,
    method: &'static str,
    request_id: &'a str,
    hash: [u8; 32],
}

impl<'a> Making<'a> {
    fn of<M: Message>(program_id: ProgramId, method: &'static str, request_id: &'a str, message: &M) -> Self {
        Self {
            program_id,
            method,
            request_id,
            hash: command_hash(method, message),
        }
    }

    fn parse(&self, v: &mut Violations) -> Option<Attempt> {
        let request_id = v.check("request_id", fields::parse(self.request_id));
        Some(Attempt::of_program(
            self.program_id,
            request_id?,
            self.method,
            self.hash,
        ))
    }
}

fn place(v: &mut Violations, household_id: &str, member_id: &str) -> Option<Place> {
    let household_id = v.check("household_id", fields::parse(household_id));
    let member_id = v.check("member_id", fields::parse(member_id));
    Some((household_id?, member_id?))
}

#[expect(
    clippy::option_option,
    reason = "what failed to parse is another thing than what was not given"
)]
fn by(v: &mut Violations, by_member_id: &str) -> Option<Option<MemberId>> {
    v.check("by_member_id", fields::optional(by_member_id))
}

/// An attempt, and what it asks for.
type Parsed<T> = (Attempt, T);

pub(super) fn create(
    program_id: ProgramId,
    mut message: pb::CreateHouseholdRequest,
) -> Result<(Attempt, MemberId), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, CREATE, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    v.finish_with(|| Some((attempt?, member_id?)))
}

pub(super) fn add(
    program_id: ProgramId,
    mut message: pb::AddHouseholdMemberRequest,
) -> Result<(Attempt, (Place, Terms)), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, ADD, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let place = place(&mut v, &message.household_id, &message.member_id);
    let role = v.check("role", joining_role(message.role));
    let limits = limits(&mut v, &message.spending_limits);
    v.finish_with(|| {
        let terms = Terms {
            role: role?,
            limits: limits?,
        };
        Some((attempt?, (place?, terms)))
    })
}

pub(super) fn remove(
    program_id: ProgramId,
    mut message: pb::RemoveHouseholdMemberRequest,
) -> Result<(Attempt, (Place, Option<MemberId>)), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, REMOVE, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let place = place(&mut v, &message.household_id, &message.member_id);
    let by = by(&mut v, &message.by_member_id);
    v.finish_with(|| Some((attempt?, (place?, by?))))
}

pub(super) fn leave(
    program_id: ProgramId,
    mut message: pb::LeaveHouseholdRequest,
) -> Result<(Attempt, (Place, Option<MemberId>)), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, LEAVE, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let place = place(&mut v, &message.household_id, &message.member_id);
    v.finish_with(|| {
        let (household_id, member_id) = place?;
        Some((attempt?, ((household_id, member_id), Some(member_id))))
    })
}

pub(super) fn set_terms(
    program_id: ProgramId,
    mut message: pb::SetHouseholdTermsRequest,
) -> Result<Parsed<(Place, Terms, Option<MemberId>)>, ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, SET_TERMS, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let place = place(&mut v, &message.household_id, &message.member_id);
    let role = v.check("role", role(message.role));
    let limits = limits(&mut v, &message.spending_limits);
    let by = by(&mut v, &message.by_member_id);
    v.finish_with(|| {
        let terms = Terms {
            role: role?,
            limits: limits?,
        };
        Some((attempt?, (place?, terms, by?)))
    })
}

pub(super) fn dissolve(
    program_id: ProgramId,
    mut message: pb::DissolveHouseholdRequest,
) -> Result<Parsed<(HouseholdId, DissolvePolicy, Option<MemberId>)>, ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, DISSOLVE, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let household_id = v.check("household_id", fields::parse(&message.household_id));
    let policy = v.check("policy", policy(message.policy));
    let by = by(&mut v, &message.by_member_id);
    v.finish_with(|| Some((attempt?, (household_id?, policy?, by?))))
}

pub(super) fn invite(
    program_id: ProgramId,
    now: DateTime<Utc>,
    mut message: pb::InviteToHouseholdRequest,
) -> Result<(Attempt, NewInvitation), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, INVITE, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let place = place(&mut v, &message.household_id, &message.member_id);
    let by = by(&mut v, &message.by_member_id);
    let role = v.check("role", joining_role(message.role));
    let limits = limits(&mut v, &message.spending_limits);
    let expire_time = v.check(
        "expire_time",
        fields::optional_timestamp(message.expire_time.as_ref(), TimeRange::any()),
    );
    if let Some(Some(time)) = expire_time {
        let is_near = time > now && time <= now + INVITATION_LENGTH_MAX;
        v.require(
            is_near,
            "expire_time",
            "must be in the future, and within 90 days",
        );
    }
    v.finish_with(|| {
        let (household_id, member_id) = place?;
        let new = NewInvitation {
            household_id,
            member_id,
            by: by?,
            terms: Terms {
                role: role?,
                limits: limits?,
            },
            expire_time: expire_time?,
        };
        Some((attempt?, new))
    })
}

pub(super) fn accept(
    program_id: ProgramId,
    mut message: pb::AcceptHouseholdInvitationRequest,
) -> Result<(Attempt, (InvitationId, MemberId)), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let making = Making::of(program_id, ACCEPT, &request_id, &message);
    let mut v = Violations::default();
    let attempt = making.parse(&mut v);
    let invitation_id = v.check("invitation_id", fields::parse(&message.invitation_id));
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    v.finish_with(|| Some((attempt?, (invitation_id?, member_id?))))
}

pub(super) fn decline(
    message: &pb::DeclineHouseholdInvitationRequest,
) -> Result<(InvitationId, MemberId), ApiError> {
    let mut v = Violations::default();
    let invitation_id = v.check("invitation_id", fields::parse(&message.invitation_id));
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    v.finish_with(|| Some((invitation_id?, member_id?)))
}

pub(super) fn withdraw(
    message: &pb::WithdrawHouseholdInvitationRequest,
) -> Result<(InvitationId, Option<MemberId>), ApiError> {
    let mut v = Violations::default();
    let invitation_id = v.check("invitation_id", fields::parse(&message.invitation_id));
    let by = by(&mut v, &message.by_member_id);
    v.finish_with(|| Some((invitation_id?, by?)))
}

fn role(role: i32) -> Result<HouseholdRole, Problem> {
    match fields::enumeration::<pb::HouseholdRole>(role)? {
        pb::HouseholdRole::Head => Ok(HouseholdRole::Head),
        pb::HouseholdRole::Adult => Ok(HouseholdRole::Adult),
        pb::HouseholdRole::Child => Ok(HouseholdRole::Child),
        pb::HouseholdRole::Unspecified => Err(Problem::required()),
    }
}

/// Nobody joins as the head.
fn joining_role(given: i32) -> Result<HouseholdRole, Problem> {
    if given == i32::from(pb::HouseholdRole::Unspecified) {
        return Ok(HouseholdRole::Adult);
    }
    match role(given)? {
        HouseholdRole::Head => Err(Problem::new("must be ADULT or CHILD")),
        other => Ok(other),
    }
}

fn policy(policy: i32) -> Result<DissolvePolicy, Problem> {
    match fields::enumeration::<pb::HouseholdDissolvePolicy>(policy)? {
        pb::HouseholdDissolvePolicy::ToHead => Ok(DissolvePolicy::ToHead),
        pb::HouseholdDissolvePolicy::EqualShares => Ok(DissolvePolicy::EqualShares),
        pb::HouseholdDissolvePolicy::Unspecified => Err(Problem::required()),
    }
}

fn limits(v: &mut Violations, given: &[pb::HouseholdSpendingLimit]) -> Option<Limits> {
    const FIELD: &str = "spending_limits";
    let fits = given.len() <= LIMITS_MAX;
    v.require(fits, FIELD, "must be at most 20");
    let parsed = v.each(FIELD, given.iter().take(LIMITS_MAX), limit);
    let mut limits = Limits::default();
    let mut is_right = fits;
    for (index, (unit_code, limit)) in parsed?.into_iter().enumerate() {
        if limits.insert(unit_code, limit).is_some() {
            is_right = false;
            v.within_item(FIELD, index, |v| v.add("unit_code", "must not come twice"));
        }
    }
    is_right.then_some(limits)
}

fn limit(v: &mut Violations, given: &pb::HouseholdSpendingLimit) -> Option<(UnitCode, Limit)> {
    let unit_code = v.check("unit_code", fields::parse(&given.unit_code));
    let mut bound = |field: &str, value: Option<i64>| {
        let value = value.map(|value| fields::number(value, 1..=i64::MAX)).transpose();
        v.check(field, value).map(|value| value.map(Points::new))
    };
    let day_value_max = bound("day_value_max", given.day_value_max);
    let month_value_max = bound("month_value_max", given.month_value_max);
    let has_any = given.day_value_max.is_some() || given.month_value_max.is_some();
    v.require(has_any, "day_value_max", "must be set, or month_value_max");
    let limit = Limit {
        day_value_max: day_value_max?,
        month_value_max: month_value_max?,
    };
    has_any.then_some((unit_code?, limit))
}
