//! The door for people who operate the suite.

use fealty_members::api_keys::domain::{KeyScopes, NewApiKey};
use fealty_members::operator::KeyName;
use fealty_members::refusal::{MembersError, Refusal};
use fealty_proto::access::v1::Scope;
use fealty_types::{ApiKeyId, ProgramId, StaffId, SystemClock};

use crate::harness::{World, name};

fn new_key() -> NewApiKey {
    NewApiKey {
        display_name: name("Till 7"),
        scopes: KeyScopes::of_program(vec![Scope::PurchasesWrite]).expect("a program's scope"),
        staff_id: None,
        expire_time: None,
    }
}

#[track_caller]
fn assert_not_found<T: std::fmt::Debug>(result: Result<T, MembersError>) {
    match result {
        Err(MembersError::Refused(Refusal::NotFound { .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_of_the_suite_and_of_a_program_are_listed_apart() {
    let world = World::start().await;
    let program = world.program().await;
    let own = world.operator.create_key(Some(program), new_key()).await.unwrap();
    let suite = world.operator.create_key(None, new_key()).await.unwrap();
    assert_eq!(
        world.operator.list_keys(Some(program), None).await.unwrap(),
        std::slice::from_ref(&own.api_key)
    );
    assert_eq!(
        world.operator.list_keys(None, None).await.unwrap(),
        [suite.api_key]
    );
    let after = Some(own.api_key.api_key_id);
    assert_eq!(world.operator.list_keys(Some(program), after).await.unwrap(), []);
    let programs = world.operator.list_programs(None, 10).await.unwrap();
    assert_eq!(
        programs
            .into_iter()
            .map(|program| program.program_id)
            .collect::<Vec<_>>(),
        [program]
    );
}

#[tokio::test]
async fn a_key_is_revoked_by_its_id_or_by_its_public_part() {
    let world = World::start().await;
    let program = world.program().await;
    for program_id in [Some(program), None] {
        let first = world
            .operator
            .create_key(program_id, new_key())
            .await
            .unwrap()
            .api_key;
        let second = world
            .operator
            .create_key(program_id, new_key())
            .await
            .unwrap()
            .api_key;
        for key in [KeyName::Id(first.api_key_id), KeyName::ShortId(second.short_id)] {
            let revoked = world.operator.revoke_key(&key).await.unwrap();
            assert!(revoked.revoke_time.is_some());
            let again = world.operator.revoke_key(&key).await.unwrap();
            assert_eq!(again, revoked, "revoking again changes nothing");
        }
    }
    assert_not_found(
        world
            .operator
            .revoke_key(&KeyName::Id(ApiKeyId::generate(&SystemClock)))
            .await,
    );
    assert_not_found(
        world
            .operator
            .revoke_key(&KeyName::ShortId("nobody".to_owned()))
            .await,
    );
}

#[tokio::test]
async fn a_key_for_what_is_not_there_is_not_made() {
    let world = World::start().await;
    let program = world.program().await;
    let before = world.contents().await;
    let nobody = ProgramId::generate(&SystemClock);
    assert_not_found(world.operator.create_key(Some(nobody), new_key()).await);
    for program_id in [Some(program), None] {
        let mut new = new_key();
        new.staff_id = Some(StaffId::generate(&SystemClock));
        assert_not_found(world.operator.create_key(program_id, new).await);
    }
    assert_eq!(world.contents().await, before);
}
