//! Messages as commands, everything that is wrong with them named at once.

use std::mem;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::enrolment_referral::By;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::PageSize;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{MemberId, Points, ProgramId};
use fealty_vault::Personal;

use crate::people::domain::{IdentifierKind, IdentifierValue};
use crate::referrals::codes::NewCode;
use crate::referrals::domain::{Action, BroughtBy, Code, EnrolmentReferral, Factor, Settings, State};
use crate::referrals::storage::Wanted;

macro_rules! path {
    ($method:literal) => {
        concat!("/fealty.members.v1.ReferralService/", $method)
    };
}

const ISSUE: &str = path!("IssueReferralCode");
const REPORT: &str = path!("ReportReferralInvites");
const RECORD: &str = path!("RecordReferral");
pub(super) const LIST_CODES: &str = path!("ListReferralCodes");
pub(super) const LIST: &str = path!("ListReferrals");

/// Longest name of a device, in characters.
const DEVICE_LENGTH_MAX: usize = 200;
/// Longest link.
const LINK_LENGTH_MAX: usize = 500;
/// What a link has the code in the place of.
pub(super) const CODE_PLACE: &str = "{code}";
/// Levels of a tree, and how many are shown if nobody says.
const DEPTH_MAX: i32 = 10;
const DEPTH_DEFAULT: i32 = 3;
/// Of each member's whom they brought, and how many are shown if nobody says.
const BREADTH_MAX: i32 = 100;
const BREADTH_DEFAULT: i32 = 20;
/// Longest time of which a factor is told.
const WINDOW_MAX: TimeDelta = TimeDelta::days(400);
const SEED_COUNT_MAX: i64 = 1_000_000_000;
const ROUND_COUNT_MAX: i32 = 100;
const INVITE_COUNT_MAX: i32 = 10_000;
const QUALIFY_DAYS_MAX: i32 = 3_650;

pub(super) fn code(text: &str) -> Result<Code, Problem> {
    if text.is_empty() {
        return Err(Problem::required());
    }
    Code::parse(text).map_err(Problem::new)
}

pub(super) fn member_id(text: &str) -> Result<MemberId, ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(text));
    v.finish_with(|| member_id)
}

#[expect(
    clippy::option_option,
    reason = "what failed to parse is another thing than what was not given"
)]
fn device(v: &mut Violations, text: &str) -> Option<Option<Personal>> {
    let device = v.check("device_id", fields::optional_text(text, DEVICE_LENGTH_MAX));
    device.map(|device| device.map(Personal::new))
}

pub(super) fn issue(
    program_id: ProgramId,
    mut message: pb::IssueReferralCodeRequest,
) -> Result<(Attempt, NewCode), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let hash = command_hash(ISSUE, &message);
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&request_id));
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let given = Some(&message.code).filter(|code| !code.is_empty());
    let code = v.check("code", given.map(|given| code(given)).transpose());
    let device = device(&mut v, &message.device_id);
    v.finish_with(|| {
        let new = NewCode {
            member_id: member_id?,
            code: code?,
            device: device?,
        };
        Some((Attempt::of_program(program_id, request_id?, ISSUE, hash), new))
    })
}

pub(super) fn report(
    program_id: ProgramId,
    mut message: pb::ReportReferralInvitesRequest,
) -> Result<(Attempt, (Code, i32)), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let hash = command_hash(REPORT, &message);
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&request_id));
    let code = v.check("code", code(&message.code));
    let count = v.check(
        "invite_count",
        fields::number(message.invite_count, 1..=INVITE_COUNT_MAX),
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, REPORT, hash);
        Some((attempt, (code?, count?)))
    })
}

pub(super) fn record(
    program_id: ProgramId,
    mut message: pb::RecordReferralRequest,
) -> Result<(Attempt, (MemberId, MemberId)), ApiError> {
    let request_id = mem::take(&mut message.request_id);
    let hash = command_hash(RECORD, &message);
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&request_id));
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let referrer = v.check("referrer_member_id", fields::parse(&message.referrer_member_id));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, RECORD, hash);
        Some((attempt, (member_id?, referrer?)))
    })
}

pub(super) fn list(message: &pb::ListReferralsRequest) -> Result<(Wanted, PageSize), ApiError> {
    let mut v = Violations::default();
    let referrer = v.check(
        "referrer_member_id",
        fields::optional::<MemberId>(&message.referrer_member_id),
    );
    let state = v.check("state", state(message.state));
    let page_size = v.check("page_size", PageSize::parse(message.page_size));
    let wanted = match (referrer, state) {
        (Some(Some(referrer)), Some(state)) => Some(Wanted::BroughtBy(referrer, state)),
        (Some(None), Some(Some(state))) => Some(Wanted::In(state)),
        (Some(None), Some(None)) => {
            v.add("state", "is required where no referrer_member_id is named");
            None
        }
        _ => None,
    };
    v.finish_with(|| Some((wanted?, page_size?)))
}

fn state(state: i32) -> Result<Option<State>, Problem> {
    if state == i32::from(pb::ReferralState::Unspecified) {
        return Ok(None);
    }
    Ok(match fields::enumeration::<pb::ReferralState>(state)? {
        pb::ReferralState::Unspecified => None,
        pb::ReferralState::Pending => Some(State::Pending),
        pb::ReferralState::Held => Some(State::Held),
        pb::ReferralState::Rejected => Some(State::Rejected),
        pb::ReferralState::Qualified => Some(State::Qualified),
    })
}

pub(super) fn tree(message: &pb::GetReferralTreeRequest) -> Result<(MemberId, i32, i64), ApiError> {
    let or = |given: i32, default: i32| if given == 0 { default } else { given };
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let depth = v.check(
        "depth_max",
        fields::number(or(message.depth_max, DEPTH_DEFAULT), 1..=DEPTH_MAX),
    );
    let breadth = v.check(
        "breadth_max",
        fields::number(or(message.breadth_max, BREADTH_DEFAULT), 1..=BREADTH_MAX),
    );
    v.finish_with(|| Some((member_id?, depth?, i64::from(breadth?))))
}

pub(super) fn settings(message: pb::SetReferralSettingsRequest) -> Result<Settings, ApiError> {
    let mut v = Violations::default();
    let settings = v.message("settings", message.settings, |v, given| {
        let same_household = v.check("same_household", action(given.same_household));
        let same_device = v.check("same_device", action(given.same_device));
        let same_person = v.check("same_person", action(given.same_person));
        let same_identifier = v.check("same_identifier", action(given.same_identifier));
        let unit_code = v.check("reward_unit_code", fields::optional(&given.reward_unit_code));
        let bringers = v.check(
            "referrer_value",
            fields::number(given.referrer_value, 0..=i64::MAX),
        );
        let newcomers = v.check(
            "referred_value",
            fields::number(given.referred_value, 0..=i64::MAX),
        );
        let days = v.check(
            "qualify_within_days",
            fields::number(given.qualify_within_days, 0..=QUALIFY_DAYS_MAX),
        );
        let link = v.check(
            "link_template",
            fields::optional_text(&given.link_template, LINK_LENGTH_MAX),
        );
        let has_place = link.iter().flatten().all(|link| link.contains(CODE_PLACE));
        v.require(has_place, "link_template", "must have {code} in it");
        let has_unit = !given.reward_unit_code.is_empty();
        let gives = given.referrer_value > 0 || given.referred_value > 0;
        v.require(
            has_unit || !gives,
            "reward_unit_code",
            "is required where something is given",
        );
        Some(Settings {
            same_household: same_household?,
            same_device: same_device?,
            same_person: same_person?,
            same_identifier: same_identifier?,
            reward_unit_code: unit_code?,
            referrer_value: Points::new(bringers?),
            referred_value: Points::new(newcomers?),
            qualify_within_days: days?,
            link_template: link?,
        })
    });
    v.finish_with(|| settings)
}

fn action(action: i32) -> Result<Action, Problem> {
    match fields::enumeration::<pb::ReferralAction>(action)? {
        pb::ReferralAction::Unspecified => Err(Problem::required()),
        pb::ReferralAction::Allow => Ok(Action::Allow),
        pb::ReferralAction::Hold => Ok(Action::Hold),
        pb::ReferralAction::Refuse => Ok(Action::Refuse),
    }
}

pub(super) fn window(
    message: &pb::GetReferralFactorRequest,
) -> Result<(DateTime<Utc>, DateTime<Utc>), ApiError> {
    let mut v = Violations::default();
    let from = v.check(
        "from_time",
        fields::timestamp(message.from_time.as_ref(), TimeRange::any()),
    );
    let before = v.check(
        "before_time",
        fields::timestamp(message.before_time.as_ref(), TimeRange::any()),
    );
    if let (Some(from), Some(before)) = (from, before) {
        let is_window = from < before && before - from <= WINDOW_MAX;
        v.require(
            is_window,
            "before_time",
            "must be after from_time, by 400 days at most",
        );
    }
    v.finish_with(|| Some((from?, before?)))
}

pub(super) fn projection(message: &pb::ProjectReferralsRequest) -> Result<(i64, Factor, usize), ApiError> {
    let mut v = Violations::default();
    let seeds = v.check(
        "seed_count",
        fields::number(message.seed_count, 1..=SEED_COUNT_MAX),
    );
    let factor = v.check("factor", fields::parse::<Factor>(&message.factor));
    let rounds = v.check(
        "round_count",
        fields::number(message.round_count, 1..=ROUND_COUNT_MAX),
    );
    v.finish_with(|| Some((seeds?, factor?, usize::try_from(rounds?).ok()?)))
}

/// How somebody came to be enrolled.
pub(crate) fn enrolment(v: &mut Violations, given: &pb::EnrolmentReferral) -> Option<EnrolmentReferral> {
    let by = match &given.by {
        Some(By::Code(text)) => v.check("code", code(text)).map(BroughtBy::Code),
        Some(By::CardNumber(text)) => {
            let card = IdentifierValue::parse(IdentifierKind::CardNumber, text);
            v.check("card_number", card).map(BroughtBy::Card)
        }
        Some(By::ReferrerMemberId(text)) => v
            .check("referrer_member_id", fields::parse(text))
            .map(BroughtBy::Member),
        None => {
            v.add("by", "is required: one of code, card_number, referrer_member_id");
            None
        }
    };
    let device = device(v, &given.device_id);
    Some(EnrolmentReferral {
        by: by?,
        device: device?,
    })
}
