//! What members refuses about deliveries, preferences and the numbers of contacts.

use fealty_proto::members::v1::{
    ContactAddress, ContactChannel, ContactPreferences, ContactPurpose, ContactSettings, DeliveryOutcome,
    ExplainContactRequest, GetContactPreferencesRequest, ReportDeliveryRequest, SetContactPreferencesRequest,
    UpdateContactSettingsRequest,
};
use fealty_tests::shop::request_id;

use super::case::{Case, Table, invalid, mask, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [explanations, deliveries, preferences, settings]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn explanations(world: &World) -> Vec<Case> {
    let of = |member_id: &str, company_code: &str| ExplainContactRequest {
        member_id: member_id.to_owned(),
        channel: ContactChannel::Email.into(),
        purpose: ContactPurpose::Marketing.into(),
        topic: "sale".to_owned(),
        company_code: company_code.to_owned(),
    };
    Table::of(world, "/fealty.members.v1.ContactService/ExplainContact")
        .row(
            "nothing",
            &ExplainContactRequest::default(),
            invalid(&["member_id", "purpose", "topic"]),
        )
        .row(
            "a company that nobody named",
            &of(&world.ours.member_id, "shoes"),
            not_found(),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id, ""),
            not_found(),
        )
        .done()
}

fn deliveries(world: &World) -> Vec<Case> {
    let of = |contact_id: String| ReportDeliveryRequest {
        contact_id,
        outcome: DeliveryOutcome::Delivered.into(),
    };
    Table::of(world, "/fealty.members.v1.ContactService/ReportDelivery")
        .row(
            "nothing",
            &ReportDeliveryRequest::default(),
            invalid(&["contact_id", "outcome"]),
        )
        .row("no id", &of("the first".to_owned()), invalid(&["contact_id"]))
        .row("no contact", &of(request_id()), not_found())
        .done()
}

fn preferences(world: &World) -> Vec<Case> {
    let of = |preferences: ContactPreferences| SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(preferences),
    };
    let set = Table::of(world, "/fealty.members.v1.ContactService/SetContactPreferences")
        .row(
            "nothing",
            &SetContactPreferencesRequest::default(),
            invalid(&["request_id", "preferences"]),
        )
        .row(
            "what there is not",
            &of(ContactPreferences {
                member_id: "Ana".to_owned(),
                channels: vec![99],
                addresses: vec![ContactAddress {
                    channel: ContactChannel::Email.into(),
                    address: "x".repeat(501),
                }],
                time_zone: "Home".to_owned(),
                update_time: None,
            }),
            invalid(&[
                "preferences.member_id",
                "preferences.channels[0]",
                "preferences.addresses[0].channel",
                "preferences.addresses[0].address",
                "preferences.time_zone",
            ]),
        )
        .row(
            "a member of another program",
            &of(ContactPreferences {
                member_id: world.theirs.member_id.clone(),
                ..ContactPreferences::default()
            }),
            not_found(),
        );
    let get = |member_id: &str| GetContactPreferencesRequest {
        member_id: member_id.to_owned(),
    };
    let got = Table::of(world, "/fealty.members.v1.ContactService/GetContactPreferences")
        .row("nobody", &get(""), invalid(&["member_id"]))
        .row(
            "a member of another program",
            &get(&world.theirs.member_id),
            not_found(),
        );
    [set, got].into_iter().flat_map(Table::done).collect()
}

fn settings(world: &World) -> Vec<Case> {
    let of = |settings: ContactSettings, paths: &[&str]| UpdateContactSettingsRequest {
        settings: Some(settings),
        update_mask: Some(mask(paths)),
    };
    Table::of(world, "/fealty.members.v1.ContactService/UpdateContactSettings")
        .row(
            "nothing",
            &UpdateContactSettingsRequest::default(),
            invalid(&["update_mask", "settings"]),
        )
        .row(
            "numbers out of their bounds",
            &of(
                ContactSettings {
                    commercial_count_max: 101,
                    quiet_end_minute: 1_440,
                    ..ContactSettings::default()
                },
                &[
                    "commercial_count_max",
                    "commercial_window_days",
                    "quiet_end_minute",
                ],
            ),
            invalid(&[
                "settings.commercial_count_max",
                "settings.commercial_window_days",
                "settings.quiet_end_minute",
            ]),
        )
        .done()
}
