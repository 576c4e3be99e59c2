//! Another master key: after its rotation the old one is not needed any more.

use fealty_members::MembersConfig;
use fealty_proto::members::v1 as pb;
use fealty_runtime::config::Secret;
use fealty_types::{Clock as _, SystemClock};
use fealty_vault::rotation::{Progress, Rotation};
use fealty_vault::{MasterKey, check_master_key};

use crate::erasures::enrol_whole;
use crate::harness::{Replica, World, is_replayed};
use crate::shop::{Shop, enrolment, identifier, phone};

/// The settings with another master key, and those that still open.
fn with_keys(config: &MembersConfig, key: &str, previous: &[&str]) -> MembersConfig {
    let mut config = config.clone();
    config.vault.master_key = Secret::new(key.to_owned());
    config.vault.previous_master_keys = previous
        .iter()
        .map(|key| Secret::new((*key).to_owned()))
        .collect();
    config
}

async fn rotation(shop: &Shop, config: &MembersConfig) -> Rotation {
    let jobs = shop.world.database.jobs.clone();
    let vault = config.vault.vault("members").expect("keys");
    let other = check_master_key(&jobs, &vault, SystemClock.now())
        .await
        .expect("an answer");
    assert_eq!(other, None);
    Rotation::new(jobs, vault, "member")
}

async fn rotate(shop: &Shop, config: &MembersConfig) -> Progress {
    let rotation = rotation(shop, config).await;
    let mut progress = rotation.begin().await.expect("begun");
    while !progress.done {
        progress = rotation.step(progress, SystemClock.now()).await.expect("a step");
    }
    progress
}

async fn name_by_phone(shop: &Shop, replica: &Replica) -> String {
    let request = pb::LookupMemberRequest {
        identifier: Some(identifier(phone("+442079460018"))),
    };
    let found = replica
        .members(&shop.auth)
        .lookup_member(request)
        .await
        .expect("found");
    let profile = found.into_inner().member.and_then(|member| member.profile);
    profile.expect("a profile").given_name
}

#[tokio::test]
async fn after_a_rotation_the_old_master_key_is_needed_for_nothing() {
    let shop = Shop::open().await;
    let clock = SystemClock::shared;
    enrol_whole(&shop).await;
    let retried = enrolment(&[phone("+442079460020")]);
    shop.try_enrol(retried.clone()).await.unwrap();
    let old = shop.world.config.vault.master_key.expose().clone();
    let new = MasterKey::generate_text().to_string();
    let both = with_keys(&shop.world.config, &new, &[&old]);
    let alone = with_keys(&shop.world.config, &new, &[]);

    // Both keys: what lies under the old one opens, and new people come under the new one.
    let replica = World::start_replica_with(&both, clock()).await;
    assert_eq!(name_by_phone(&shop, &replica).await, "Anastasija");
    let vera = enrolment(&[phone("+442079460021")]);
    replica.members(&shop.auth).enrol_member(vera).await.unwrap();

    // Cut off after its first step, and begun again.
    let cut_off = rotation(&shop, &both).await;
    let begun = cut_off.begin().await.unwrap();
    assert_eq!(
        cut_off
            .step(begun, SystemClock.now())
            .await
            .unwrap()
            .wrapped_count,
        2
    );
    assert_eq!(
        rotate(&shop, &both).await.wrapped_count,
        0,
        "all were wrapped already"
    );

    drop(replica);
    let replica = World::start_replica_with(&alone, clock()).await;
    assert_eq!(name_by_phone(&shop, &replica).await, "Anastasija");
    let again = replica.members(&shop.auth).enrol_member(retried).await.unwrap();
    assert!(is_replayed(&again), "a repeated command is known as before");
    let taken = replica
        .members(&shop.auth)
        .enrol_member(enrolment(&[phone("+442079460021")]))
        .await;
    assert!(taken.is_err(), "a number belongs to one member");
    let left: i64 = sqlx::query_scalar("SELECT count(DISTINCT master_key_id) FROM member")
        .fetch_one(&shop.world.database.owner)
        .await
        .unwrap();
    assert_eq!(left, 1);

    // And once more, on top of it.
    let third = MasterKey::generate_text().to_string();
    let both = with_keys(&shop.world.config, &third, &[&new]);
    assert_eq!(rotate(&shop, &both).await.wrapped_count, 3);
    let alone = with_keys(&shop.world.config, &third, &[]);
    let replica = World::start_replica_with(&alone, clock()).await;
    assert_eq!(name_by_phone(&shop, &replica).await, "Anastasija");
}
