//! The second fence of this service's own tables.

use fealty_postgres::fences;

use crate::harness::database;

#[tokio::test]
async fn every_table_with_a_program_is_fenced() {
    let database = database().await;
    let violations = fences::violations(&database.service, &database.service_database)
        .await
        .unwrap();
    assert_eq!(violations, Vec::<String>::new());
}
