//! Messages as commands, everything that is wrong with them named at once.

use std::mem;

use chrono_tz::Tz;
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{ContactId, MemberId, ProgramId, Version};
use fealty_vault::Personal;

use crate::consents::grpc::party;
use crate::contacts::domain::{
    ADDRESS_LENGTH_MAX, Address, Channel, Contact, Outcome, Preferences, Purpose, SettingsChange, Topic,
};

const MAY_CONTACT: &str = "/fealty.members.v1.ContactService/MayContact";
const SET_PREFERENCES: &str = "/fealty.members.v1.ContactService/SetContactPreferences";
const LIST_OPT_OUTS: &str = "/fealty.members.v1.ContactService/ListTopicOptOuts";

/// How much of a contact may be advertising, in percent: nothing that is sent is nothing but advertising.
const AD_SHARE_PERCENT_MAX: i32 = 99;

/// The last minute of a day.
const MINUTE_MAX: i32 = 24 * 60 - 1;

/// Longest life of a reservation that nobody reports on: printed paper takes its time.
const RESERVATION_MINUTES_MAX: i32 = 30 * 24 * 60;

/// Most contacts within a window: more than anybody bears.
const COUNT_MAX: i32 = 100;

/// Longest windows: nobody waits for longer.
const COMMERCIAL_WINDOW_DAYS_MAX: i32 = 90;
const WINDOW_DAYS_MAX: i32 = 365;

/// What an update may name.
const UPDATABLE: [&str; 9] = [
    "commercial_count_max",
    "commercial_window_days",
    "service_quality_count_max",
    "service_quality_window_days",
    "commercial_run_max",
    "commercial_run_window_days",
    "quiet_begin_minute",
    "quiet_end_minute",
    "reservation_minutes",
];

pub(super) fn may_contact(
    program_id: ProgramId,
    mut message: pb::MayContactRequest,
) -> Result<(Attempt, MemberId, Contact), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(MAY_CONTACT, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let contact = parse_contact(
        &mut v,
        (message.channel, message.purpose),
        &message.topic,
        &message.company_code,
    );
    let replaces = v.check(
        "replaces_contact_id",
        fields::optional::<ContactId>(&message.replaces_contact_id),
    );
    let ad_share = fields::number(message.ad_share_percent, 0..=AD_SHARE_PERCENT_MAX);
    v.check("ad_share_percent", ad_share);
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, MAY_CONTACT, command_hash);
        let contact = Contact {
            replaces: replaces?,
            ..contact?
        };
        Some((attempt, member_id?, contact))
    })
}

pub(super) fn explain(message: &pb::ExplainContactRequest) -> Result<(MemberId, Contact), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let contact = parse_contact(
        &mut v,
        (message.channel, message.purpose),
        &message.topic,
        &message.company_code,
    );
    v.finish_with(|| Some((member_id?, contact?)))
}

fn parse_contact(
    v: &mut Violations,
    (channel_number, purpose): (i32, i32),
    topic: &str,
    company_code: &str,
) -> Option<Contact> {
    let asked = match channel_number {
        0 => Some(None),
        number => v.check("channel", channel(number)).map(Some),
    };
    let purpose = v.check("purpose", parse_purpose(purpose));
    let topic = v.check("topic", fields::parse::<Topic>(topic));
    let party = v.check("company_code", party(company_code));
    Some(Contact {
        channel: asked?,
        purpose: purpose?,
        topic: topic?,
        party: party?,
        replaces: None,
    })
}

pub(super) fn report(message: &pb::ReportDeliveryRequest) -> Result<(ContactId, Outcome), ApiError> {
    let mut v = Violations::default();
    let contact_id = v.check("contact_id", fields::parse(&message.contact_id));
    let outcome = v.check("outcome", parse_outcome(message.outcome));
    v.finish_with(|| Some((contact_id?, outcome?)))
}

pub(super) fn member_id(text: &str) -> Result<MemberId, ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(text));
    v.finish_with(|| member_id)
}

pub(super) fn set_preferences(
    program_id: ProgramId,
    mut message: pb::SetContactPreferencesRequest,
) -> Result<(Attempt, MemberId, Preferences), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(SET_PREFERENCES, &message);
    let preferences = v.message("preferences", message.preferences, |v, preferences| {
        let member_id = v.check("member_id", fields::parse::<MemberId>(&preferences.member_id));
        let count_max = Channel::ALL.len();
        let channels = each_once(v, "channels", &preferences.channels, count_max, channel);
        let addresses = parse_addresses(v, &preferences.addresses);
        let time_zone = v.check("time_zone", parse_zone(&preferences.time_zone));
        let preferences = Preferences {
            channels: channels?,
            addresses: addresses?,
            time_zone: time_zone?,
            update_time: None,
        };
        Some((member_id?, preferences))
    });
    v.finish_with(|| {
        let (member_id, preferences) = preferences?;
        let attempt = Attempt::of_program(program_id, request_id?, SET_PREFERENCES, command_hash);
        Some((attempt, member_id, preferences))
    })
}

/// Values each of which may be there once.
pub(crate) fn each_once<T: PartialEq>(
    v: &mut Violations,
    field: &str,
    numbers: &[i32],
    count_max: usize,
    parse: impl Fn(i32) -> Result<T, Problem>,
) -> Option<Vec<T>> {
    if numbers.len() > count_max {
        v.add(field, format!("must have at most {count_max} values"));
        return None;
    }
    let mut values: Vec<Option<T>> = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let place = format!("{field}[{index}]");
        let parsed = v.check(&place, parse(*number));
        let same = |other: &Option<T>| parsed.is_some() && *other == parsed;
        if let Some(first) = values.iter().position(same) {
            v.add(&place, format!("is the same as {field}[{first}]"));
        }
        values.push(parsed);
    }
    values.into_iter().collect()
}

fn parse_addresses(v: &mut Violations, addresses: &[pb::ContactAddress]) -> Option<Vec<Address>> {
    // One more than there may be is enough to see that there are too many.
    let some = addresses.iter().take(Channel::ALL.len() + 1);
    let parsed = v.each("addresses", some, |v, address| {
        let channel = v.check("channel", parse_addressed(address.channel));
        let text = v.check("address", fields::text(&address.address, 1..=ADDRESS_LENGTH_MAX));
        Some(Address {
            channel: channel?,
            address: Personal::new(text?),
        })
    })?;
    for (index, address) in parsed.iter().enumerate() {
        let of_same_channel = |other: &Address| other.channel == address.channel;
        if let Some(first) = parsed[..index].iter().position(of_same_channel) {
            v.within_item("addresses", index, |v| {
                v.add("channel", format!("is the same as that of addresses[{first}]"));
            });
        }
    }
    Some(parsed)
}

fn parse_addressed(number: i32) -> Result<Channel, Problem> {
    let channel = channel(number)?;
    if channel.has_address_of_its_own() {
        Ok(channel)
    } else {
        Err(Problem::new(
            "must be one whose address is no identifier: MESSENGER, PUSH, PAPER or FAX",
        ))
    }
}

pub(super) fn update_settings(
    message: &pb::UpdateContactSettingsRequest,
) -> Result<(Option<Version>, SettingsChange), ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let update = v.message("settings", message.settings.as_ref(), |v, settings| {
        let etag = v.check("etag", fields::optional::<Etag>(&settings.etag));
        let mut number = |field: &str, value: i32, min: i32, max: i32| {
            let named = mask.names(field);
            named
                .then(|| v.check(field, fields::number(value, min..=max)))
                .flatten()
        };
        let it = settings;
        let change = SettingsChange {
            commercial_count_max: number("commercial_count_max", it.commercial_count_max, 0, COUNT_MAX),
            commercial_window_days: number(
                "commercial_window_days",
                it.commercial_window_days,
                1,
                COMMERCIAL_WINDOW_DAYS_MAX,
            ),
            service_quality_count_max: number(
                "service_quality_count_max",
                it.service_quality_count_max,
                0,
                COUNT_MAX,
            ),
            service_quality_window_days: number(
                "service_quality_window_days",
                it.service_quality_window_days,
                1,
                WINDOW_DAYS_MAX,
            ),
            commercial_run_max: number("commercial_run_max", it.commercial_run_max, 1, COUNT_MAX),
            commercial_run_window_days: number(
                "commercial_run_window_days",
                it.commercial_run_window_days,
                1,
                WINDOW_DAYS_MAX,
            ),
            quiet_begin_minute: number("quiet_begin_minute", it.quiet_begin_minute, 0, MINUTE_MAX),
            quiet_end_minute: number("quiet_end_minute", it.quiet_end_minute, 0, MINUTE_MAX),
            reservation_minutes: number(
                "reservation_minutes",
                it.reservation_minutes,
                1,
                RESERVATION_MINUTES_MAX,
            ),
        };
        Some((etag?.map(Etag::version), change))
    });
    v.finish_with(|| update)
}

pub(super) fn opt_out(message: &pb::OptOutTopicRequest) -> Result<(MemberId, Topic), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let topic = v.check("topic", fields::parse(&message.topic));
    v.finish_with(|| Some((member_id?, topic?)))
}

pub(super) fn list_opt_outs(
    program_id: ProgramId,
    message: &pb::ListTopicOptOutsRequest,
) -> Result<(MemberId, PageRequest<String>), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
    let tokens = PageTokens::try_new(LIST_OPT_OUTS, Some(program_id), &member_id)?;
    let page = PageRequest::try_new(tokens, size, &message.page_token)?;
    Ok((member_id, page))
}

/// How somebody is contacted.
pub(crate) fn channel(number: i32) -> Result<Channel, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::ContactChannel::Unspecified => return Err(Problem::required()),
        pb::ContactChannel::Email => Channel::Email,
        pb::ContactChannel::Sms => Channel::Sms,
        pb::ContactChannel::Messenger => Channel::Messenger,
        pb::ContactChannel::Push => Channel::Push,
        pb::ContactChannel::Call => Channel::Call,
        pb::ContactChannel::Paper => Channel::Paper,
        pb::ContactChannel::Viber => Channel::Viber,
        pb::ContactChannel::Fax => Channel::Fax,
    })
}

fn parse_purpose(number: i32) -> Result<Purpose, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::ContactPurpose::Unspecified => return Err(Problem::required()),
        pb::ContactPurpose::ServiceQuality => Purpose::ServiceQuality,
        pb::ContactPurpose::ServiceMessage => Purpose::ServiceMessage,
        pb::ContactPurpose::Marketing => Purpose::Marketing,
        pb::ContactPurpose::NewProducts => Purpose::NewProducts,
        pb::ContactPurpose::PersonalOffers => Purpose::PersonalOffers,
        pb::ContactPurpose::TariffChanges => Purpose::TariffChanges,
        pb::ContactPurpose::Protection => Purpose::Protection,
    })
}

fn parse_outcome(number: i32) -> Result<Outcome, Problem> {
    match fields::enumeration(number)? {
        pb::DeliveryOutcome::Unspecified => Err(Problem::required()),
        pb::DeliveryOutcome::Delivered => Ok(Outcome::Delivered),
        pb::DeliveryOutcome::Failed => Ok(Outcome::Failed),
    }
}

fn parse_zone(text: &str) -> Result<Option<Tz>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let zone = text.parse().map(Some);
    zone.map_err(|_| Problem::new("must be an IANA time zone, such as \"Europe/Belgrade\""))
}
