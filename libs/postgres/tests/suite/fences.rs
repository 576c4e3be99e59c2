//! The check of the fences finds each way in which one can be missing.

use fealty_postgres::fences::{leaks, violations};
use fealty_postgres::testing::TestDatabase;
use sqlx::{AssertSqlSafe, Executor};

use crate::probe::{database, insert, program};

async fn violations_after(database: &TestDatabase, sql: &str) -> Vec<String> {
    database
        .owner
        .execute(AssertSqlSafe(sql.to_owned()))
        .await
        .unwrap();
    violations(&database.service, &database.service_database)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_schema_made_after_the_convention_has_none() {
    let database = database().await;
    assert_eq!(
        violations_after(&database, "SELECT 1").await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn each_gap_is_found_and_named() {
    let database = database().await;
    let gaps = [
        (
            "ALTER TABLE thing DISABLE ROW LEVEL SECURITY",
            "not enabled",
            "ALTER TABLE thing ENABLE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE thing NO FORCE ROW LEVEL SECURITY",
            "not forced",
            "ALTER TABLE thing FORCE ROW LEVEL SECURITY",
        ),
        (
            "CREATE POLICY all_see ON thing USING (true)",
            "policy all_see lets fealty_probe past",
            "DROP POLICY all_see ON thing",
        ),
        (
            "ALTER POLICY by_program ON thing USING (program = current_setting('app.program')::uuid)",
            "its condition must be exactly",
            "ALTER POLICY by_program ON thing \
             USING (program = (SELECT current_setting('app.program')::uuid))",
        ),
        (
            "ALTER POLICY by_program ON thing WITH CHECK (true)",
            "policy by_program lets fealty_probe past",
            "ALTER POLICY by_program ON thing \
             WITH CHECK (program = (SELECT current_setting('app.program')::uuid))",
        ),
        (
            "GRANT TRUNCATE ON thing TO fealty_probe",
            "may truncate",
            "REVOKE TRUNCATE ON thing FROM fealty_probe",
        ),
        (
            "CREATE VIEW peek AS SELECT * FROM thing",
            "view peek",
            "DROP VIEW peek",
        ),
        (
            "CREATE MATERIALIZED VIEW copy AS SELECT name FROM thing",
            "materialized view copy",
            "DROP MATERIALIZED VIEW copy",
        ),
        (
            "CREATE FUNCTION lend() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM thing'",
            "function lend()",
            "DROP FUNCTION lend()",
        ),
        (
            "CREATE TABLE bare (program uuid)",
            "table bare: no policy for all commands",
            "DROP TABLE bare",
        ),
        (
            "CREATE TABLE texted (program text) PARTITION BY LIST (program)",
            "table texted: its column program is no uuid",
            "DROP TABLE texted",
        ),
    ];
    for (gap, words, mend) in gaps {
        let found = violations_after(&database, gap).await;
        assert!(
            found.iter().any(|violation| violation.contains(words)),
            "{gap}: {found:?}"
        );
        let mended = violations_after(&database, mend).await;
        assert_eq!(mended, Vec::<String>::new(), "{mend}");
    }
}

#[tokio::test]
async fn a_view_with_the_callers_rights_is_no_gap() {
    let database = database().await;
    let view = "CREATE VIEW fenced WITH (security_invoker = true) AS SELECT * FROM thing";
    assert_eq!(violations_after(&database, view).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_rows_themselves_stay_behind_the_fence() {
    let database = database().await;
    insert(&database.service, program(), "ours").await.unwrap();
    let found = leaks(&database.service, &database.jobs, program()).await.unwrap();
    assert_eq!(found.seen, Vec::<String>::new());
    assert_eq!(found.untried, ["request"]);

    violations_after(&database, "ALTER TABLE thing DISABLE ROW LEVEL SECURITY").await;
    let found = leaks(&database.service, &database.jobs, program()).await.unwrap();
    assert_eq!(found.seen.len(), 2, "{found:?}");
}
