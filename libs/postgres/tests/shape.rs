//! The shape of a transaction's body: it borrows its surroundings, may be spawned, and may call generic code.

use std::pin::Pin;

use fealty_postgres::{Scope, StorageError, TransactError, TransactOptions, in_tx, transact};
use sqlx::{PgConnection, PgPool};

#[derive(Debug, thiserror::Error)]
enum RoomError {
    #[error("already there")]
    Taken(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TransactError for RoomError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Taken(_) => None,
            Self::Storage(error) => Some(error),
        }
    }
}

async fn insert_in_tx(tx: &mut PgConnection, names: &[String]) -> Result<u64, StorageError> {
    let mut inserted_count = 0;
    for name in names {
        inserted_count += sqlx::query("INSERT INTO t (name) VALUES ($1)")
            .bind(name)
            .execute(&mut *tx)
            .await?
            .rows_affected();
    }
    Ok(inserted_count)
}

struct Room {
    pool: PgPool,
}

impl Room {
    async fn enrol(&self, names: &[String], label: &str) -> Result<u64, RoomError> {
        transact(
            &self.pool,
            "enrol",
            Scope::Suite,
            TransactOptions::default(),
            |tx| {
                in_tx(async move {
                    let inserted_count = insert_in_tx(tx, names).await?;
                    let found: Vec<(String,)> = sqlx::query_as("SELECT name FROM t WHERE name = $1")
                        .bind(label)
                        .fetch_all(&mut *tx)
                        .await
                        .map_err(StorageError::from)?;
                    if found.is_empty() {
                        return Err(RoomError::Taken(label.to_owned()));
                    }
                    Ok(inserted_count)
                })
            },
        )
        .await
    }

    /// As `async_trait` does it for a gRPC handler.
    fn handler<'a>(
        &'a self,
        names: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<u64, RoomError>> + Send + 'a>> {
        Box::pin(async move { self.enrol(names, "x").await })
    }
}

fn spawnable<F: Future + Send + 'static>(_: F) {}

#[tokio::test]
async fn a_transaction_can_be_boxed_and_spawned() {
    let pool = PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    spawnable(async move {
        let room = Room { pool };
        let names = vec!["a".to_owned()];
        room.handler(&names).await
    });
}
