//! Postgres that is not there yet, or goes away.

use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_testing::Proxy;
use tonic::{Code, Response, Status};

use crate::harness::{Auth, PATIENCE, World, assert_refused, database, eventually, is_replayed, request_id};

/// The end of a transaction on the wire; with its zero, so that "READ COMMITTED" is none.
const COMMIT: &[u8] = b"COMMIT\0";

/// A service and the ways to its database: of its own role, and of the jobs' role.
async fn behind_proxies(prepare: impl Fn(&Proxy)) -> (World, [Proxy; 2]) {
    let database = database().await;
    let (service_proxy, service_url) = Proxy::in_front_of(&database.urls.service).await;
    let (jobs_proxy, jobs_url) = Proxy::in_front_of(&database.urls.jobs).await;
    prepare(&service_proxy);
    prepare(&jobs_proxy);
    let world = World::start_over(database, service_url, jobs_url).await;
    (world, [service_proxy, jobs_proxy])
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_makes_nothing_twice() {
    let (world, [service_proxy, _jobs_proxy]) = behind_proxies(|_| ()).await;
    assert!(world.serving.health.wait_until_ready().await);
    let program = world.program().await;
    let auth = world
        .key_of(program, &[Scope::AccessWrite, Scope::AccessRead])
        .await;
    list(&world, &auth).await.unwrap();

    // The service tries again by itself, and finds what the first attempt made.
    service_proxy.lose_answer_to(COMMIT);
    crate::staff::create(&world, &auth, "Ana", "17").await;
    let request = pb::ListStaffMembersRequest::default();
    let listed = world.staff(&auth).list_staff_members(request).await.unwrap();
    assert_eq!(listed.into_inner().staff_members.len(), 1);

    // A key's text would be lost that way: the caller is told, and its retry finds the key.
    let before = list(&world, &auth).await.unwrap().into_inner().api_keys.len();
    service_proxy.lose_answer_to(COMMIT);
    let id = request_id();
    let lost = crate::api_keys::try_create(&world, &auth, &id, &[Scope::AccessRead]).await;
    let (code, reason) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
    assert_refused("lost", lost, code, reason);
    let again = crate::api_keys::try_create(&world, &auth, &id, &[Scope::AccessRead]).await;
    assert!(is_replayed(&again.unwrap()));
    let after = list(&world, &auth).await.unwrap().into_inner().api_keys.len();
    assert_eq!(after, before + 1);
}

#[tokio::test]
async fn a_schema_of_another_version_ends_the_process() {
    let database = database().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 1")
        .execute(&database.owner)
        .await
        .unwrap();
    let (service, jobs) = (database.urls.service.clone(), database.urls.jobs.clone());
    let world = World::start_over(database, service, jobs).await;
    let ending = tokio::time::timeout(PATIENCE, world.tasks().soft_shutdown().cancelled_owned()).await;
    assert!(ending.is_ok(), "the process goes on");
    assert!(!world.serving.health.readiness().is_ready());
}

async fn list(world: &World, auth: &Auth) -> Result<Response<pb::ListApiKeysResponse>, Status> {
    world
        .api_keys(auth)
        .list_api_keys(pb::ListApiKeysRequest::default())
        .await
}

#[tokio::test]
async fn a_service_waits_for_postgres_and_outlives_its_absence() {
    let (world, proxies) = behind_proxies(Proxy::cut).await;
    let program = world.program().await;
    let auth = world.key_of(program, &[Scope::AccessRead]).await;
    assert!(!world.serving.health.readiness().is_ready());
    assert_eq!(list(&world, &auth).await.unwrap_err().code(), Code::Unavailable);

    proxies.iter().for_each(Proxy::restore);
    eventually("readiness", async || {
        world.serving.health.readiness().is_ready().then_some(())
    })
    .await;
    eventually("an answer", async || list(&world, &auth).await.ok()).await;

    proxies.iter().for_each(Proxy::cut);
    eventually("no readiness", async || {
        (!world.serving.health.readiness().is_ready()).then_some(())
    })
    .await;
    assert_eq!(list(&world, &auth).await.unwrap_err().code(), Code::Unavailable);

    proxies.iter().for_each(Proxy::restore);
    eventually("readiness again", async || {
        world.serving.health.readiness().is_ready().then_some(())
    })
    .await;
    eventually("an answer again", async || list(&world, &auth).await.ok()).await;
}
