//! Postgres that is not there yet, or goes away.

use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_testing::Proxy;
use tonic::{Code, Response, Status};

use crate::harness::{Auth, PATIENCE, World, database, eventually};

async fn behind_proxies() -> (World, [Proxy; 2]) {
    let database = database().await;
    let (service_proxy, service_url) = Proxy::in_front_of(&database.urls.service).await;
    let (jobs_proxy, jobs_url) = Proxy::in_front_of(&database.urls.jobs).await;
    service_proxy.cut();
    jobs_proxy.cut();
    let world = World::start_over(database, service_url, jobs_url).await;
    (world, [service_proxy, jobs_proxy])
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
    let (world, proxies) = behind_proxies().await;
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
