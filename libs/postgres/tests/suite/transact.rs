//! What a transaction sees, keeps and undoes.

use std::pin::Pin;

use fealty_postgres::{Failure, Fault, Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::ProgramId;
use sqlx::postgres::PgPool;

use crate::probe::{ThingError, database, insert, insert_in_tx, names, program};

#[tokio::test]
async fn a_program_sees_its_own_rows_and_no_others() {
    let database = database().await;
    let (ours, theirs) = (program(), program());
    insert(&database.service, ours, "ours").await.unwrap();
    insert(&database.service, theirs, "theirs").await.unwrap();

    let seen = names(&database.service, Scope::Program(ours)).await.unwrap();
    assert_eq!(seen, ["ours"]);
    let seen_by_jobs = names(&database.jobs, Scope::Suite).await.unwrap();
    assert_eq!(seen_by_jobs, ["ours", "theirs"]);
    let seen_by_owner = names(&database.owner, Scope::Suite).await.unwrap();
    assert_eq!(seen_by_owner.len(), 2);
}

#[tokio::test]
async fn a_row_of_another_program_is_refused_whatever_the_statement_says() {
    let database = database().await;
    let (ours, theirs) = (program(), program());
    let scope = Scope::Program(ours);
    let error: StorageError = transact(
        &database.service,
        "foreign",
        scope,
        TransactOptions::default(),
        |tx| in_tx(insert_in_tx(tx, theirs, "smuggled")),
    )
    .await
    .unwrap_err();
    assert_eq!(error.failure(), Failure::Fenced);
    assert_eq!(error.fault(), Fault::Internal);
    assert!(names(&database.jobs, Scope::Suite).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_a_program_the_service_reads_nothing_but_an_error() {
    let database = database().await;
    let fresh = names(&database.service, Scope::Suite).await;
    assert!(fresh.is_err(), "{fresh:?}");
    // The connection that served a program has forgotten it.
    for _ in 0..20 {
        insert(&database.service, program(), "any").await.unwrap();
        let used = names(&database.service, Scope::Suite).await;
        assert!(used.is_err(), "{used:?}");
    }
}

#[tokio::test]
async fn an_error_of_the_body_undoes_everything() {
    let database = database().await;
    let program = program();
    let scope = Scope::Program(program);
    let refused = transact(
        &database.service,
        "refuse",
        scope,
        TransactOptions::default(),
        |tx| {
            in_tx(async move {
                insert_in_tx(tx, program, "first").await?;
                Err::<(), _>(ThingError::Taken("first".to_owned()))
            })
        },
    )
    .await;
    assert!(matches!(refused, Err(ThingError::Taken(name)) if name == "first"));
    assert!(names(&database.jobs, Scope::Suite).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_violated_constraint_is_named_and_never_tried_again() {
    let database = database().await;
    let program = program();
    insert(&database.service, program, "twice").await.unwrap();
    let runs = std::sync::atomic::AtomicU32::new(0);
    let runs = &runs;
    let options = TransactOptions::default().repeatable();
    let taken: StorageError = transact(
        &database.service,
        "taken",
        Scope::Program(program),
        options,
        |tx| {
            in_tx(async move {
                runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                insert_in_tx(tx, program, "twice").await
            })
        },
    )
    .await
    .unwrap_err();
    assert_eq!(taken.unique_violation().as_deref(), Some("thing_name"));
    assert_eq!(runs.load(std::sync::atomic::Ordering::SeqCst), 1);

    let long = insert(&database.service, program, "a name of far too many letters")
        .await
        .unwrap_err();
    assert_eq!(
        long.failure(),
        Failure::CheckViolation("thing_name_is_short".to_owned())
    );
}

#[tokio::test]
async fn a_transaction_that_only_reads_cannot_write() {
    let database = database().await;
    let program = program();
    let options = TransactOptions::read_only();
    let error: StorageError = transact(
        &database.service,
        "peek",
        Scope::Program(program),
        options,
        |tx| in_tx(insert_in_tx(tx, program, "no")),
    )
    .await
    .unwrap_err();
    assert_eq!(error.failure(), Failure::Other);
}

struct Room {
    pool: PgPool,
}

impl Room {
    async fn enrol(&self, program: ProgramId, names: &[String], label: &str) -> Result<usize, ThingError> {
        let options = TransactOptions::default();
        transact(&self.pool, "enrol", Scope::Program(program), options, |tx| {
            in_tx(async move {
                for name in names {
                    insert_in_tx(&mut *tx, program, name).await?;
                }
                let found: Option<(String,)> = sqlx::query_as("SELECT name FROM thing WHERE name = $1")
                    .bind(label)
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(StorageError::from)?;
                match found {
                    Some((name,)) => Err(ThingError::Taken(name)),
                    None => Ok(names.len()),
                }
            })
        })
        .await
    }

    /// As `async_trait` makes of a gRPC handler.
    fn handler<'a>(
        &'a self,
        program: ProgramId,
        names: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<usize, ThingError>> + Send + 'a>> {
        Box::pin(async move { self.enrol(program, names, "label").await })
    }
}

fn can_be_spawned<F: Future + Send + 'static>(future: F) -> F {
    future
}

#[tokio::test]
async fn a_body_borrows_its_surroundings_and_moves_between_threads() {
    let database = database().await;
    let pool = database.service.clone();
    let program = program();
    let enrolled = can_be_spawned(async move {
        let room = Room { pool };
        let names = vec!["a".to_owned(), "b".to_owned()];
        room.handler(program, &names).await
    });
    assert_eq!(enrolled.await.unwrap(), 2);
    let taken = Room {
        pool: database.service.clone(),
    }
    .enrol(program, &["label".to_owned()], "label")
    .await;
    assert!(matches!(taken, Err(ThingError::Taken(_))));
}
