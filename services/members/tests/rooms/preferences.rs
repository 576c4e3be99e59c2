//! `ContactService`: how members like to be contacted, when they sleep, and the program's own numbers.

use chrono::{TimeDelta, TimeZone, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{ContactChannel, ContactDecision, ContactPurpose, ContactRule};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use tonic::{Code, Status};

use crate::contacts::{ALLOWED, CAPPED, ask, ask_when, at, contact, reachable, try_ask};
use crate::harness::{assert_invalid, assert_refused, is_replayed, request_id};
use crate::permissions::{NO_CONSENT, by, open_at_noon, try_set};
use crate::shop::Shop;

async fn try_prefer(
    shop: &Shop,
    member: &pb::Member,
    set: impl FnOnce(&mut pb::ContactPreferences),
) -> Result<pb::ContactPreferences, Status> {
    let mut preferences = pb::ContactPreferences {
        member_id: member.member_id.clone(),
        ..Default::default()
    };
    set(&mut preferences);
    let request = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(preferences),
    };
    let answer = shop
        .world
        .contacts(&shop.auth)
        .set_contact_preferences(request)
        .await?;
    Ok(answer.into_inner().preferences.expect("preferences"))
}

#[tokio::test]
async fn b5_each_channel_needs_its_consent_and_address_and_the_preferred_one_is_taken() {
    let (shop, _) = open_at_noon().await;
    let ana = reachable(&shop, "ana", 18).await;
    let message = |channel| by(channel, contact(&ana, ContactPurpose::ServiceMessage, "order"));
    let no_address = (ContactDecision::No, ContactRule::AddressMissing);
    let addressed = [
        ContactChannel::Messenger,
        ContactChannel::Push,
        ContactChannel::Paper,
        ContactChannel::Fax,
    ];
    for channel in addressed {
        assert_eq!(ask(&shop, message(channel)).await, no_address, "{channel:?}");
    }
    for channel in [
        ContactChannel::Email,
        ContactChannel::Sms,
        ContactChannel::Call,
        ContactChannel::Viber,
    ] {
        assert_eq!(ask(&shop, message(channel)).await, ALLOWED, "{channel:?}");
    }
    let by_fax = by(
        ContactChannel::Fax,
        contact(&ana, ContactPurpose::TariffChanges, "prices"),
    );
    let by_fax = ask(&shop, by_fax).await;
    assert_eq!(by_fax, NO_CONSENT, "others were allowed");

    let kept = try_prefer(&shop, &ana, |it| {
        it.channels = vec![
            ContactChannel::Paper.into(),
            ContactChannel::Viber.into(),
            ContactChannel::Fax.into(),
        ];
        it.addresses = addressed
            .iter()
            .map(|channel| pb::ContactAddress {
                channel: (*channel).into(),
                address: "12 Acacia Avenue".to_owned(),
            })
            .collect();
    });
    let kept = kept.await.expect("kept");
    for channel in addressed {
        assert_eq!(ask(&shop, message(channel)).await, ALLOWED, "{channel:?}");
    }
    let request = pb::GetContactPreferencesRequest {
        member_id: ana.member_id.clone(),
    };
    let mut client = shop.world.contacts(&shop.auth);
    let read = client.get_contact_preferences(request).await;
    assert_eq!(read.unwrap().into_inner().preferences.unwrap(), kept);

    // Paper is liked best, and not allowed: Viber is next. What is not liked is not used.
    let any = by(
        ContactChannel::Unspecified,
        contact(&ana, ContactPurpose::TariffChanges, "prices"),
    );
    let chosen = try_ask(&shop, any).await.unwrap().into_inner();
    assert_eq!(
        (chosen.rule(), chosen.channel()),
        (ContactRule::Allowed, ContactChannel::Viber)
    );
    let unwanted = contact(&ana, ContactPurpose::TariffChanges, "prices");
    let not_wanted = (ContactDecision::No, ContactRule::ChannelNotWanted);
    assert_eq!(ask(&shop, unwanted).await, not_wanted);
    let stored = format!("{:?}", shop.world.contents().await);
    // As text, and as Postgres shows its bytes.
    for plain in ["Acacia", "416361636961"] {
        assert!(!stored.contains(plain), "an address is stored as it is");
    }
}

#[tokio::test]
async fn b6_quiet_hours_are_those_of_the_members_clock_also_when_it_is_put_forward() {
    let (shop, clock) = open_at_noon().await;
    let (ana, vera) = (
        reachable(&shop, "ana", 18).await,
        reachable(&shop, "vera", 19).await,
    );
    try_prefer(&shop, &vera, |it| it.time_zone = "America/New_York".to_owned())
        .await
        .unwrap();
    // 22:00 in London, before the night in which the clock is put forward there.
    let night = Utc
        .with_ymd_and_hms(2026, 3, 28, 22, 0, 0)
        .single()
        .expect("a time");
    clock.advance(night - clock.now());
    let text = |member| {
        by(
            ContactChannel::Sms,
            contact(member, ContactPurpose::Marketing, "sale"),
        )
    };
    let quiet = (ContactDecision::NotBefore, ContactRule::QuietHours);
    let morning = at(Utc
        .with_ymd_and_hms(2026, 3, 29, 7, 0, 0)
        .single()
        .expect("a time"));
    assert_eq!(
        ask_when(&shop, text(&ana)).await,
        (quiet, Some(morning)),
        "8:00 of summer time"
    );
    assert_eq!(ask(&shop, text(&vera)).await, ALLOWED, "it is afternoon there");
    assert_eq!(
        ask(&shop, contact(&ana, ContactPurpose::Marketing, "sale")).await,
        ALLOWED,
        "mail waits silently"
    );
    let needed = by(
        ContactChannel::Sms,
        contact(&ana, ContactPurpose::ServiceMessage, "code"),
    );
    assert_eq!(ask(&shop, needed).await, ALLOWED);
    clock.advance(TimeDelta::hours(9));
    assert_eq!(ask(&shop, text(&ana)).await, ALLOWED);
}

#[tokio::test]
async fn a_programs_numbers_have_defaults_and_are_changed_one_by_one() {
    let shop = Shop::open().await;
    let get = async || {
        let mut contacts = shop.world.contacts(&shop.auth);
        let answer = contacts
            .get_contact_settings(pb::GetContactSettingsRequest {})
            .await;
        answer.expect("settings").into_inner().settings.expect("settings")
    };
    let defaults = get().await;
    let numbers = [
        (defaults.commercial_count_max, 3),
        (defaults.commercial_window_days, 7),
        (defaults.service_quality_count_max, 1),
        (defaults.service_quality_window_days, 30),
        (defaults.commercial_run_max, 6),
        (defaults.commercial_run_window_days, 30),
        (defaults.quiet_begin_minute, 1_260),
        (defaults.quiet_end_minute, 480),
        (defaults.reservation_minutes, 1_440),
    ];
    assert!(
        numbers.iter().all(|(number, expected)| number == expected),
        "{defaults:?}"
    );
    let change = pb::ContactSettings {
        service_quality_count_max: 2,
        etag: defaults.etag.clone(),
        ..Default::default()
    };
    let changed = try_set(&shop, change.clone(), &["service_quality_count_max"])
        .await
        .unwrap();
    let expected = pb::ContactSettings {
        service_quality_count_max: 2,
        etag: changed.etag.clone(),
        ..defaults.clone()
    };
    assert_eq!((&changed, &get().await), (&expected, &expected));
    let outdated = try_set(
        &shop,
        change,
        &["commercial_run_max", "service_quality_count_max"],
    )
    .await;
    assert_invalid("a run of none", outdated, &["settings.commercial_run_max"]);
    let stale = pb::ContactSettings {
        commercial_run_max: 9,
        ..defaults
    };
    let stale = try_set(&shop, stale, &["commercial_run_max"]).await;
    assert_refused("an old etag", stale, Code::Aborted, ErrorReason::EtagMismatch);
    let ana = reachable(&shop, "ana", 18).await;
    for expected in [ALLOWED, ALLOWED, CAPPED] {
        assert_eq!(
            ask(&shop, contact(&ana, ContactPurpose::ServiceQuality, "nps")).await,
            expected
        );
    }
}

#[tokio::test]
async fn preferences_are_set_once_for_each_request_and_nobody_elses() {
    let mut shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(pb::ContactPreferences {
            member_id: ana.member_id.clone(),
            channels: vec![ContactChannel::Paper.into()],
            ..Default::default()
        }),
    };
    let first = shop
        .world
        .contacts(&shop.auth)
        .set_contact_preferences(request.clone())
        .await
        .unwrap();
    let again = shop
        .world
        .contacts(&shop.auth)
        .set_contact_preferences(request.clone())
        .await
        .unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let wrong = try_prefer(&shop, &ana, |it| {
        it.channels = vec![ContactChannel::Paper.into(), ContactChannel::Paper.into()];
        it.addresses = vec![pb::ContactAddress {
            channel: ContactChannel::Email.into(),
            address: String::new(),
        }];
        it.time_zone = "Belgrade".to_owned();
    });
    let fields = [
        "preferences.channels[1]",
        "preferences.addresses[0].channel",
        "preferences.addresses[0].address",
        "preferences.time_zone",
    ];
    assert_invalid("wrong", wrong.await, &fields);
    shop.auth = shop.neighbour().await;
    let request = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        ..request
    };
    let theirs = shop
        .world
        .contacts(&shop.auth)
        .set_contact_preferences(request)
        .await;
    assert_refused("theirs", theirs, Code::NotFound, ErrorReason::ResourceNotFound);
}
