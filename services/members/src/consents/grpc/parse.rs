//! Messages as commands, everything that is wrong with them named at once.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{MemberId, ProgramId};

use super::HistoryCursor;
use crate::consents::Under;
use crate::consents::domain::{Asked, CompanyCode, ConsentPurpose, Giver, Origin, Party, Pick};
use crate::contacts::domain::Channel;
use crate::contacts::grpc::{channel, each_once};
use crate::display_name::DisplayName;
use crate::policies::domain::PolicyVersion;

const CREATE_COMPANY: &str = "/fealty.members.v1.ConsentService/CreateCompany";
const GRANT: &str = "/fealty.members.v1.ConsentService/GrantConsent";
const WITHDRAW: &str = "/fealty.members.v1.ConsentService/WithdrawConsent";
const ACCEPT_POLICY: &str = "/fealty.members.v1.ConsentService/AcceptPolicy";
const LIST_HISTORY: &str = "/fealty.members.v1.ConsentService/ListConsentHistory";

/// Longest source of a consent, in characters.
const SOURCE_LENGTH_MAX: usize = 100;

pub(super) fn create_company(
    program_id: ProgramId,
    mut message: pb::CreateCompanyRequest,
) -> Result<(Attempt, CompanyCode, DisplayName), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(CREATE_COMPANY, &message);
    let company = v.message("company", message.company, |v, company| {
        let code = v.check(
            "company_code",
            fields::parse::<CompanyCode>(&company.company_code),
        );
        let name = v.check(
            "display_name",
            fields::parse::<DisplayName>(&company.display_name),
        );
        Some((code?, name?))
    });
    v.finish_with(|| {
        let (code, name) = company?;
        let attempt = Attempt::of_program(program_id, request_id?, CREATE_COMPANY, command_hash);
        Some((attempt, code, name))
    })
}

pub(super) fn grant(
    caller: &Caller,
    now: DateTime<Utc>,
    mut message: pb::GrantConsentRequest,
) -> Result<(Attempt, Asked, Under), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(GRANT, &message);
    check_given(&mut v, &message.purposes, &message.channels);
    let asked = Saying {
        member_id: &message.member_id,
        about: Some((&message.purposes, &message.channels)),
        scope: message.scope,
        company_code: &message.company_code,
        origin: message.origin.as_ref(),
    };
    let asked = asked.parse(&mut v, caller);
    let version = v.check("policy_version", parse_version(message.policy_version));
    let time = v.check(
        "consent_time",
        fields::optional_timestamp(message.consent_time.as_ref(), TimeRange::past(now)),
    );
    v.finish_with(|| {
        let under = Under {
            version: version?,
            time: time?,
        };
        let attempt = Attempt::of_program(program_id, request_id?, GRANT, command_hash);
        Some((attempt, asked?, under))
    })
}

pub(super) fn withdraw(
    caller: &Caller,
    mut message: pb::WithdrawConsentRequest,
) -> Result<(Attempt, Asked), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(WITHDRAW, &message);
    let asked = Saying {
        member_id: &message.member_id,
        about: Some((&message.purposes, &message.channels)),
        scope: message.scope,
        company_code: &message.company_code,
        origin: message.origin.as_ref(),
    };
    let asked = asked.parse(&mut v, caller);
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, WITHDRAW, command_hash);
        Some((attempt, asked?))
    })
}

pub(super) fn accept_policy(
    caller: &Caller,
    now: DateTime<Utc>,
    mut message: pb::AcceptPolicyRequest,
) -> Result<(Attempt, Asked, Under), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ACCEPT_POLICY, &message);
    let asked = Saying {
        member_id: &message.member_id,
        about: None,
        scope: pb::ConsentScope::Company.into(),
        company_code: "",
        origin: message.origin.as_ref(),
    };
    let asked = asked.parse(&mut v, caller);
    let version = v.check("policy_version", parse_version(message.policy_version));
    let time = v.check(
        "accept_time",
        fields::optional_timestamp(message.accept_time.as_ref(), TimeRange::past(now)),
    );
    v.finish_with(|| {
        let under = Under {
            version: version?,
            time: time?,
        };
        let attempt = Attempt::of_program(program_id, request_id?, ACCEPT_POLICY, command_hash);
        Some((attempt, asked?, under))
    })
}

pub(super) fn get(message: &pb::GetConsentsRequest) -> Result<(MemberId, Party), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let party = v.check("company_code", party(&message.company_code));
    v.finish_with(|| Some((member_id?, party?)))
}

pub(super) fn list_history(
    program_id: ProgramId,
    message: &pb::ListConsentHistoryRequest,
) -> Result<(MemberId, PageRequest<HistoryCursor>), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
    let tokens = PageTokens::try_new(LIST_HISTORY, Some(program_id), &member_id)?;
    let page = PageRequest::try_new(tokens, size, &message.page_token)?;
    Ok((member_id, page))
}

/// A company, or with no code the program itself.
pub(crate) fn party(code: &str) -> Result<Party, Problem> {
    fields::optional::<CompanyCode>(code)
}

fn parse_purpose(number: i32) -> Result<ConsentPurpose, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::ConsentPurpose::Unspecified => return Err(Problem::required()),
        pb::ConsentPurpose::ServiceQuality => ConsentPurpose::ServiceQuality,
        pb::ConsentPurpose::NewProducts => ConsentPurpose::NewProducts,
        pb::ConsentPurpose::PersonalOffers => ConsentPurpose::PersonalOffers,
        pb::ConsentPurpose::TariffChanges => ConsentPurpose::TariffChanges,
        pb::ConsentPurpose::Marketing => ConsentPurpose::Marketing,
        pb::ConsentPurpose::Protection => ConsentPurpose::Protection,
        pb::ConsentPurpose::DeviceTracking => ConsentPurpose::DeviceTracking,
    })
}

fn parse_scope(number: i32) -> Result<bool, Problem> {
    match fields::enumeration(number)? {
        pb::ConsentScope::Unspecified => Err(Problem::required()),
        pb::ConsentScope::Company => Ok(false),
        pb::ConsentScope::Group => Ok(true),
    }
}

fn parse_version(number: i64) -> Result<PolicyVersion, Problem> {
    if number == 0 {
        return Err(Problem::required());
    }
    PolicyVersion::try_new(number).map_err(|error| Problem::new(error.to_string()))
}

/// What the messages have in common by which somebody says something.
struct Saying<'a> {
    member_id: &'a str,
    /// The purposes and channels; None where it is about a policy.
    about: Option<(&'a [i32], &'a [i32])>,
    scope: i32,
    company_code: &'a str,
    origin: Option<&'a pb::ConsentOrigin>,
}

impl Saying<'_> {
    fn parse(&self, v: &mut Violations, caller: &Caller) -> Option<Asked> {
        let member_id = v.check("member_id", fields::parse(self.member_id));
        let pick = match self.about {
            Some((purposes, channels)) => parse_pick(v, purposes, channels),
            None => Some(Pick::default()),
        };
        let for_group = v.check("scope", parse_scope(self.scope));
        let said_to = v.check("company_code", party(self.company_code));
        let origin = parse_origin(v, self.origin, member_id);
        Some(Asked {
            member_id: member_id?,
            pick: pick?,
            for_group: for_group?,
            said_to: said_to?,
            origin: origin?,
            actor: caller.actor(),
        })
    }
}

fn parse_pick(v: &mut Violations, purposes: &[i32], channels: &[i32]) -> Option<Pick> {
    let without_channels = !names_tracking(purposes) || channels.is_empty();
    let problem = "must be empty for DEVICE_TRACKING, which has none";
    v.require(without_channels, "channels", problem);
    let purposes = each_once(v, "purposes", purposes, ConsentPurpose::ALL.len(), parse_purpose);
    let channels = each_once(v, "channels", channels, Channel::ALL.len(), channel);
    Some(Pick {
        purposes: purposes?.into_iter().collect(),
        channels: channels?.into_iter().collect(),
    })
}

fn names_tracking(purposes: &[i32]) -> bool {
    purposes.contains(&pb::ConsentPurpose::DeviceTracking.into())
}

/// What is given is named: silence is no consent.
fn check_given(v: &mut Violations, purposes: &[i32], channels: &[i32]) {
    let tracking = names_tracking(purposes);
    if purposes.is_empty() {
        v.add("purposes", "is required");
    } else if tracking && purposes.len() > 1 {
        v.add(
            "purposes",
            "must not name DEVICE_TRACKING with others: it is given apart",
        );
    }
    if !tracking && channels.is_empty() {
        v.add("channels", "is required");
    }
}

fn parse_origin(
    v: &mut Violations,
    origin: Option<&pb::ConsentOrigin>,
    member_id: Option<MemberId>,
) -> Option<Origin> {
    v.message("origin", origin, |v, origin| {
        let giver = v.check("giver", parse_giver(origin.giver));
        let guardian = v.check(
            "guardian_member_id",
            fields::optional::<MemberId>(&origin.guardian_member_id),
        );
        let source = v.check("source", fields::text(&origin.source, 1..=SOURCE_LENGTH_MAX));
        if let (Some(giver), Some(guardian)) = (giver, guardian) {
            v.require(
                (giver == Giver::Guardian) == guardian.is_some(),
                "guardian_member_id",
                "must be set for GUARDIAN, and for nobody else",
            );
            v.require(
                guardian.is_none() || guardian != member_id,
                "guardian_member_id",
                "must not be the member",
            );
        }
        Some(Origin {
            giver: giver?,
            guardian_member_id: guardian?,
            source: source?,
        })
    })
}

fn parse_giver(number: i32) -> Result<Giver, Problem> {
    match fields::enumeration(number)? {
        pb::ConsentGiver::Unspecified => Err(Problem::required()),
        pb::ConsentGiver::Member => Ok(Giver::Member),
        pb::ConsentGiver::Guardian => Ok(Giver::Guardian),
        pb::ConsentGiver::Staff => Ok(Giver::Staff),
    }
}
