//! Messages as commands, everything that is wrong with them named at once.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields::{self, FieldMask, TimeRange};
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{Points, ProgramId, RewardId, UnitCode, Version};

use crate::catalogue::domain::{
    CODES_MAX, Change, CodeSource, NewReward, PoolCode, Price, RewardStatus, STOCK_MAX, Terms, TermsChange,
    TierCode, find_repeated,
};

const CREATE: &str = "/fealty.rewards.v1.RewardService/CreateReward";
const ADJUST_STOCK: &str = "/fealty.rewards.v1.RewardService/AdjustStock";
const ADD_CODES: &str = "/fealty.rewards.v1.RewardService/AddCodes";

/// Longest name, in characters: it has to fit on a screen.
const DISPLAY_NAME_LENGTH_MAX: usize = 200;

/// Longest description, in characters: a page of text.
const DESCRIPTION_LENGTH_MAX: usize = 2_000;

/// Most tiers of one reward: more than any program has.
const TIER_CODES_MAX: usize = 20;

/// Longest life of a voucher: ten years.
const VOUCHER_LIFE_DAYS_MAX: i32 = 3_650;

/// What an update may name.
const UPDATABLE: [&str; 9] = [
    "display_name",
    "description",
    "price",
    "status",
    "start_time",
    "end_time",
    "tier_codes",
    "per_member_count_max",
    "voucher_life_days",
];

/// A change of a reward.
pub(super) struct Update {
    pub(super) reward_id: RewardId,
    pub(super) meant_for: Option<Version>,
    pub(super) change: TermsChange,
}

pub(super) fn create(
    program_id: ProgramId,
    mut message: pb::CreateRewardRequest,
) -> Result<(Attempt, NewReward), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(CREATE, &message);
    let stock_count = v.check("stock_count", fields::number(message.stock_count, 0..=STOCK_MAX));
    let new = v.message("reward", message.reward.as_ref(), |v, reward| {
        let terms = parse_terms(v, reward);
        let code_source = v.check("code_source", code_source(reward.code_source));
        Some((terms?, code_source?, reward.stock_unlimited))
    });
    if let Some((_, code_source, stock_unlimited)) = &new {
        let uncounted = *stock_unlimited || *code_source == CodeSource::Pool;
        v.require(
            !uncounted || message.stock_count == 0,
            "stock_count",
            "must be 0 where there are as many as anybody wants, or where codes come from a pool",
        );
    }
    v.finish_with(|| {
        let (terms, code_source, stock_unlimited) = new?;
        let new = NewReward {
            terms,
            code_source,
            stock_unlimited,
            stock_count: stock_count?,
        };
        Some((
            Attempt::of_program(program_id, request_id?, CREATE, command_hash),
            new,
        ))
    })
}

pub(super) fn reward_id(text: &str) -> Result<RewardId, ApiError> {
    let mut v = Violations::default();
    let reward_id = v.check("reward_id", fields::parse(text));
    v.finish_with(|| reward_id)
}

pub(super) fn update(message: &pb::UpdateRewardRequest) -> Result<Update, ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let update = v.message("reward", message.reward.as_ref(), |v, reward| {
        let reward_id = v.check("reward_id", fields::parse(&reward.reward_id));
        let etag = v.check("etag", fields::optional::<Etag>(&reward.etag));
        let change = parse_change(v, reward, &mask);
        Some(Update {
            reward_id: reward_id?,
            meant_for: etag?.map(Etag::version),
            change: change?,
        })
    });
    v.finish_with(|| update)
}

pub(super) fn adjust_stock(
    program_id: ProgramId,
    mut message: pb::AdjustStockRequest,
) -> Result<(Attempt, RewardId, i64), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ADJUST_STOCK, &message);
    let reward_id = v.check("reward_id", fields::parse(&message.reward_id));
    v.require(message.change_count != 0, "change_count", "must not be 0");
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, ADJUST_STOCK, command_hash);
        Some((attempt, reward_id?, message.change_count))
    })
}

pub(super) fn add_codes(
    program_id: ProgramId,
    mut message: pb::AddCodesRequest,
) -> Result<(Attempt, RewardId, Vec<PoolCode>), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ADD_CODES, &message);
    let reward_id = v.check("reward_id", fields::parse(&message.reward_id));
    let codes = parse_codes(&mut v, &message.codes);
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, ADD_CODES, command_hash);
        Some((attempt, reward_id?, codes?))
    })
}

fn parse_codes(v: &mut Violations, codes: &[String]) -> Option<Vec<PoolCode>> {
    if !(1..=CODES_MAX).contains(&codes.len()) {
        v.add(
            "codes",
            format!("must be 1 to {CODES_MAX} codes, and are {}", codes.len()),
        );
        return None;
    }
    let mut parsed = Vec::with_capacity(codes.len());
    for (index, code) in codes.iter().enumerate() {
        parsed.extend(v.check(&format!("codes[{index}]"), fields::parse::<PoolCode>(code)));
    }
    if parsed.len() < codes.len() {
        return None;
    }
    for (index, first) in find_repeated(&parsed) {
        v.add(
            &format!("codes[{index}]"),
            format!("is the same as codes[{first}]"),
        );
    }
    Some(parsed)
}

fn parse_terms(v: &mut Violations, reward: &pb::Reward) -> Option<Terms> {
    let display_name = v.check("display_name", display_name(reward));
    let description = v.check("description", description(&reward.description));
    let price = v.check("price", price(reward.price.as_ref()));
    let status = v.check("status", status(reward.status));
    let start_time = v.check("start_time", time(reward.start_time.as_ref()));
    let end_time = v.check("end_time", time(reward.end_time.as_ref()));
    let tier_codes = parse_tiers(v, &reward.tier_codes);
    let per_member_count_max = v.check("per_member_count_max", count_max(reward));
    let voucher_life_days = v.check("voucher_life_days", life_days(reward));
    let terms = Terms {
        display_name: display_name?,
        description: description?,
        price: price?,
        status: status?,
        start_time: start_time?,
        end_time: end_time?,
        tier_codes: tier_codes?,
        per_member_count_max: per_member_count_max?,
        voucher_life_days: voucher_life_days?,
    };
    v.require(terms.has_sound_dates(), "end_time", "must be after start_time");
    Some(terms)
}

/// Only what the mask names is looked at: nobody asked what is in the rest.
fn parse_change(v: &mut Violations, reward: &pb::Reward, mask: &FieldMask) -> Option<TermsChange> {
    let display_name = change(v, mask, "display_name", || display_name(reward));
    let description = change(v, mask, "description", || description(&reward.description));
    let price = change(v, mask, "price", || price(reward.price.as_ref()));
    let status = change(v, mask, "status", || status(reward.status));
    let start_time = change(v, mask, "start_time", || time(reward.start_time.as_ref()));
    let end_time = change(v, mask, "end_time", || time(reward.end_time.as_ref()));
    let tier_codes = if mask.names("tier_codes") {
        parse_tiers(v, &reward.tier_codes).map(Change::Set)
    } else {
        Some(Change::Keep)
    };
    let per_member_count_max = change(v, mask, "per_member_count_max", || count_max(reward));
    let voucher_life_days = change(v, mask, "voucher_life_days", || life_days(reward));
    Some(TermsChange {
        display_name: display_name?,
        description: description?,
        price: price?,
        status: status?,
        start_time: start_time?,
        end_time: end_time?,
        tier_codes: tier_codes?,
        per_member_count_max: per_member_count_max?,
        voucher_life_days: voucher_life_days?,
    })
}

fn change<T>(
    v: &mut Violations,
    mask: &FieldMask,
    path: &'static str,
    parse: impl FnOnce() -> Result<T, Problem>,
) -> Option<Change<T>> {
    if mask.names(path) {
        v.check(path, parse()).map(Change::Set)
    } else {
        Some(Change::Keep)
    }
}

fn display_name(reward: &pb::Reward) -> Result<String, Problem> {
    fields::text(&reward.display_name, 1..=DISPLAY_NAME_LENGTH_MAX)
}

/// Text of several lines.
fn description(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().any(|one| one.is_control() && one != '\n') {
        return Err(Problem::new("must not contain control characters but line feeds"));
    }
    let count = text.chars().count();
    if count > DESCRIPTION_LENGTH_MAX {
        let problem = format!("must have up to {DESCRIPTION_LENGTH_MAX} characters, and has {count}");
        return Err(Problem::new(problem));
    }
    Ok(text.to_owned())
}

fn price(amount: Option<&Amount>) -> Result<Option<Price>, Problem> {
    amount.map(price_of).transpose()
}

/// A price that is there.
pub(crate) fn price_of(amount: &Amount) -> Result<Price, Problem> {
    let mut v = Violations::default();
    let unit_code = v.check("unit_code", fields::parse::<UnitCode>(&amount.unit_code));
    v.require(amount.value > 0, "value", "must be above 0");
    match unit_code {
        Some(unit_code) if v.is_empty() => Ok(Price {
            unit_code,
            value: Points::new(amount.value),
        }),
        _ => Err(v.into_problem()),
    }
}

fn status(number: i32) -> Result<RewardStatus, Problem> {
    match fields::enumeration::<pb::RewardStatus>(number)? {
        pb::RewardStatus::Draft => Ok(RewardStatus::Draft),
        pb::RewardStatus::Active => Ok(RewardStatus::Active),
        pb::RewardStatus::Ended => Ok(RewardStatus::Ended),
        pb::RewardStatus::Unspecified => Err(Problem::required()),
    }
}

fn code_source(number: i32) -> Result<CodeSource, Problem> {
    match fields::enumeration::<pb::CodeSource>(number)? {
        pb::CodeSource::Generated => Ok(CodeSource::Generated),
        pb::CodeSource::Pool => Ok(CodeSource::Pool),
        pb::CodeSource::Unspecified => Err(Problem::required()),
    }
}

fn time(time: Option<&prost_types::Timestamp>) -> Result<Option<DateTime<Utc>>, Problem> {
    fields::optional_timestamp(time, TimeRange::any())
}

fn count_max(reward: &pb::Reward) -> Result<i32, Problem> {
    fields::number(reward.per_member_count_max, 0..=i32::MAX)
}

fn life_days(reward: &pb::Reward) -> Result<i32, Problem> {
    fields::number(reward.voucher_life_days, 0..=VOUCHER_LIFE_DAYS_MAX)
}

/// Sorted, each once: the order in which tiers were sent means nothing.
fn parse_tiers(v: &mut Violations, texts: &[String]) -> Option<Vec<TierCode>> {
    if texts.len() > TIER_CODES_MAX {
        v.add(
            "tier_codes",
            format!("must be at most {TIER_CODES_MAX}, and are {}", texts.len()),
        );
        return None;
    }
    let mut codes = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        codes.extend(v.check(&format!("tier_codes[{index}]"), fields::parse::<TierCode>(text)));
    }
    if codes.len() < texts.len() {
        return None;
    }
    codes.sort_unstable();
    codes.dedup();
    Some(codes)
}
