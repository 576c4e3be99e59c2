//! `AccessFeedService`: what the other services copy.

use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::Scope;
use fealty_proto::access::v1::access_change::Record;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::{ProgramId, StaffId, SystemClock};
use sqlx::postgres::PgConnection;
use tonic::{Code, Status};

use crate::harness::{Auth, World, assert_invalid, assert_refused, eventually};

async fn page(
    world: &World,
    auth: &Auth,
    page_size: i32,
    token: &str,
) -> Result<pb::ListAccessChangesResponse, Status> {
    let request = pb::ListAccessChangesRequest {
        page_size,
        resume_token: token.to_owned(),
    };
    let answer = world.access_feed(auth).list_access_changes(request).await?;
    Ok(answer.into_inner())
}

/// A reader as the other services are: it keeps its token.
struct Reader<'a> {
    world: &'a World,
    auth: Auth,
    token: String,
}

impl<'a> Reader<'a> {
    async fn new(world: &'a World) -> Self {
        Self {
            world,
            auth: world.suite_key(&[Scope::AccessFeed]).await,
            token: String::new(),
        }
    }

    /// Everything that is new, page by page.
    async fn read(&mut self) -> Vec<pb::AccessChange> {
        let mut read = Vec::new();
        loop {
            let page = page(self.world, &self.auth, 2, &self.token)
                .await
                .expect("a page");
            read.extend(page.changes);
            self.token = page.next_resume_token;
            if !page.more {
                return read;
            }
        }
    }

    /// Reads until a record has come: other tests' transactions on the same cluster may hold the feed up.
    async fn read_until(&mut self, id: &str) -> Vec<pb::AccessChange> {
        let mut read = Vec::new();
        eventually(id, async || {
            read.extend(self.read().await);
            read.iter().any(|change| id_of(change) == id).then_some(())
        })
        .await;
        read
    }
}

fn id_of(change: &pb::AccessChange) -> &str {
    match change.record.as_ref().expect("a record") {
        Record::Program(program) => &program.program_id,
        Record::ApiKey(key) => &key.api_key_id,
        Record::Staff(staff) => &staff.staff_id,
    }
}

#[tokio::test]
async fn every_record_is_in_the_feed_as_it_is_now() {
    let world = World::start().await;
    let program = world.program().await;
    let admin = world
        .key_of(program, &[Scope::AccessWrite, Scope::AccessRead])
        .await;
    let member = crate::staff::create(&world, &admin, "Ana", "").await;
    let key = crate::api_keys::create(&world, &admin, &[Scope::AccessRead], &member.staff_id).await;
    let key = key.api_key.unwrap();
    let mut reader = Reader::new(&world).await;
    let changes = reader.read_until(&key.api_key_id).await;

    let found = |id: &str| {
        changes
            .iter()
            .find(|change| id_of(change) == id)
            .unwrap()
            .record
            .clone()
            .unwrap()
    };
    let Record::Program(record) = found(&program.to_string()) else {
        panic!("not a program");
    };
    assert_eq!(
        (
            record.time_zone.as_str(),
            record.currency_code.as_str(),
            record.active
        ),
        ("Europe/London", "GBP", true)
    );
    let Record::Staff(record) = found(&member.staff_id) else {
        panic!("not a staff member");
    };
    assert_eq!((record.program_id, record.active), (program.to_string(), true));
    let Record::ApiKey(record) = found(&key.api_key_id) else {
        panic!("not a key");
    };
    assert_eq!(
        (record.short_id, record.staff_id),
        (key.short_id, member.staff_id)
    );
    assert_eq!((record.secret_sha256.len(), record.scopes), (32, key.scopes));
    assert_eq!(record.revoke_time, None);
    let suite_keys = changes
        .iter()
        .filter(|change| matches!(&change.record, Some(Record::ApiKey(key)) if key.program_id.is_empty()));
    assert_eq!(suite_keys.count(), 1, "the reader's own key");
}

#[tokio::test]
async fn a_change_comes_again_with_a_larger_number() {
    let world = World::start().await;
    let program = world.program().await;
    let admin = world.key_of(program, &[Scope::AccessWrite]).await;
    let key = crate::api_keys::create(&world, &admin, &[Scope::AccessWrite], "")
        .await
        .api_key
        .unwrap();
    let mut reader = Reader::new(&world).await;
    let before = reader.read_until(&key.api_key_id).await;
    let first = before
        .iter()
        .find(|change| id_of(change) == key.api_key_id)
        .unwrap()
        .sequence;

    let request = fealty_proto::members::v1::RevokeApiKeyRequest {
        api_key_id: key.api_key_id.clone(),
    };
    world.api_keys(&admin).revoke_api_key(request).await.unwrap();
    let mut changes = reader.read_until(&key.api_key_id).await;
    // The reader's own key, of no program, is newer than what it waited for first.
    changes
        .retain(|change| !matches!(&change.record, Some(Record::ApiKey(key)) if key.program_id.is_empty()));
    assert_eq!(changes.len(), 1, "nothing else has changed: {changes:?}");
    assert!(changes[0].sequence > first);
    let Some(Record::ApiKey(record)) = &changes[0].record else {
        panic!("not a key");
    };
    assert!(record.revoke_time.is_some());
    assert_eq!(reader.read().await, vec![]);
}

#[tokio::test]
async fn a_transaction_that_begins_early_and_commits_late_is_not_skipped() {
    let world = World::start().await;
    let program = world.program().await;
    let mut reader = Reader::new(&world).await;
    reader.read_until(&program.to_string()).await;

    // It has its number, and waits.
    let mut early = world.database.jobs.acquire().await.unwrap();
    execute(&mut early, "BEGIN").await;
    execute(&mut early, "SELECT pg_current_xact_id()").await;
    let late_program = world.program().await;
    for _ in 0..3 {
        assert_eq!(
            reader.read().await,
            vec![],
            "later changes wait for the one that is still open"
        );
    }

    let early_staff = StaffId::generate(&SystemClock);
    insert_staff(&mut early, program, early_staff).await;
    execute(&mut early, "COMMIT").await;
    let changes = reader.read_until(&late_program.to_string()).await;
    let ids: Vec<&str> = changes.iter().map(id_of).collect();
    assert_eq!(ids, [early_staff.to_string(), late_program.to_string()]);
}

async fn execute(connection: &mut PgConnection, statement: &'static str) {
    sqlx::query(statement)
        .execute(connection)
        .await
        .expect("executed");
}

async fn insert_staff(connection: &mut PgConnection, program: ProgramId, staff_id: StaffId) {
    for statement in [
        "INSERT INTO staff (program, staff_id, display_name, active, revision, create_time, update_time) \
         VALUES ($1, $2, 'Early', true, 0, now(), now())",
        "INSERT INTO access_change (program, record_kind, record_id) VALUES ($1, 'STAFF', $2)",
    ] {
        sqlx::query(statement)
            .bind(program.as_uuid())
            .bind(staff_id.as_uuid())
            .execute(&mut *connection)
            .await
            .expect("inserted");
    }
}

#[tokio::test]
async fn malformed_calls_are_refused() {
    let world = World::start().await;
    let auth = world.suite_key(&[Scope::AccessFeed]).await;
    for page_size in [-1, 1_001] {
        assert_invalid(
            "page_size",
            page(&world, &auth, page_size, "").await,
            &["page_size"],
        );
    }
    let token = page(&world, &auth, 0, "").await.unwrap().next_resume_token;
    page(&world, &auth, 0, &token).await.unwrap();
    let other_world = World::start().await;
    let elsewhere = other_world.suite_key(&[Scope::AccessFeed]).await;
    let foreign = page(&other_world, &elsewhere, 0, &token).await;
    assert_refused(
        "another database's",
        foreign,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
    let damaged = page(&world, &auth, 0, "x").await;
    assert_refused(
        "damaged",
        damaged,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
}
