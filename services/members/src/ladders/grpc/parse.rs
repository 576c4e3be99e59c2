//! Messages about tiers as commands.

mod ladder;

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::PageSize;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{MemberId, TierGrantId};
use fealty_vault::Personal;

pub(super) use self::ladder::definition;
use crate::ladders::Publication;
use crate::ladders::domain::{BenefitCode, Definition, LadderCode, NewGrant, VERSIONS_MAX};

const PUBLISH: &str = "/fealty.members.v1.TierService/PublishLadder";
const RETIRE: &str = "/fealty.members.v1.TierService/RetireLadder";
const GRANT: &str = "/fealty.members.v1.TierService/GrantTier";
const REVOKE: &str = "/fealty.members.v1.TierService/RevokeTierGrant";

/// Most samples of one kind: as many as somebody looks at.
const SAMPLE_COUNT_MAX: i32 = 100;

/// Longest reason of a grant, in characters.
const REASON_LENGTH_MAX: usize = 500;

pub(super) fn publish(
    caller: &Caller,
    mut message: pb::PublishLadderRequest,
) -> Result<(Attempt, Publication), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(PUBLISH, &message);
    let definition = v.message("ladder", message.ladder, |v, ladder| definition(v, &ladder));
    let known_version = v.check(
        "known_version",
        fields::number(message.known_version, 0..=VERSIONS_MAX),
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, PUBLISH, command_hash);
        let new = Publication {
            definition: definition?,
            known_version: known_version?,
            actor: caller.actor(),
        };
        Some((attempt, new))
    })
}

pub(super) fn evaluate(message: &pb::EvaluateLadderRequest) -> Result<(Definition, usize), ApiError> {
    let mut v = Violations::default();
    let given = message.ladder.as_ref();
    let definition = v.message("ladder", given, definition);
    let sample_count = v.check(
        "sample_count",
        fields::number(message.sample_count, 0..=SAMPLE_COUNT_MAX),
    );
    v.finish_with(|| Some((definition?, usize::try_from(sample_count?).ok()?)))
}

pub(super) fn get(message: &pb::GetLadderRequest) -> Result<(LadderCode, Option<i64>), ApiError> {
    let mut v = Violations::default();
    let ladder_code = v.check("ladder_code", fields::parse(&message.ladder_code));
    let version = v.check("version", fields::number(message.version, 0..=VERSIONS_MAX));
    v.finish_with(|| Some((ladder_code?, version.filter(|version| *version > 0))))
}

pub(super) fn retire(
    caller: &Caller,
    mut message: pb::RetireLadderRequest,
) -> Result<(Attempt, LadderCode), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(RETIRE, &message);
    let ladder_code = v.check("ladder_code", fields::parse(&message.ladder_code));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, RETIRE, command_hash);
        Some((attempt, ladder_code?))
    })
}

pub(super) fn member_id(text: &str) -> Result<MemberId, ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(text));
    v.finish_with(|| member_id)
}

pub(super) fn check_entitlement(
    message: &pb::CheckEntitlementRequest,
) -> Result<(MemberId, BenefitCode), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let benefit_code = v.check("benefit_code", fields::parse(&message.benefit_code));
    v.finish_with(|| Some((member_id?, benefit_code?)))
}

pub(super) fn list_of(member_id: &str, page_size: i32) -> Result<(MemberId, PageSize), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(member_id));
    let page_size = v.check("page_size", PageSize::parse(page_size));
    v.finish_with(|| Some((member_id?, page_size?)))
}

pub(super) fn grant(
    caller: &Caller,
    now: DateTime<Utc>,
    mut message: pb::GrantTierRequest,
) -> Result<(Attempt, NewGrant), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(GRANT, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let ladder_code = v.check("ladder_code", fields::parse(&message.ladder_code));
    let tier_code = v.check("tier_code", fields::parse(&message.tier_code));
    let end_time = v.check("end_time", parse_end(now, message.end_time.as_ref()));
    let reason = v.check("reason", fields::text(&message.reason, 1..=REASON_LENGTH_MAX));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, GRANT, command_hash);
        let new = NewGrant {
            member_id: member_id?,
            ladder_code: ladder_code?,
            tier_code: tier_code?,
            end_time: end_time?,
            actor: caller.actor(),
            reason: Personal::new(reason?),
        };
        Some((attempt, new))
    })
}

fn parse_end(
    now: DateTime<Utc>,
    end: Option<&prost_types::Timestamp>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let end = fields::optional_timestamp(end, TimeRange::any())?;
    if end.is_some_and(|end| end <= now) {
        return Err(Problem::new("must be in the future"));
    }
    Ok(end)
}

pub(super) fn revoke(
    caller: &Caller,
    mut message: pb::RevokeTierGrantRequest,
) -> Result<(Attempt, TierGrantId), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(REVOKE, &message);
    let tier_grant_id = v.check("tier_grant_id", fields::parse(&message.tier_grant_id));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, REVOKE, command_hash);
        Some((attempt, tier_grant_id?))
    })
}
