//! One thing after another is changed by hand, found, named, and put back.

mod counterparts;
mod funding;
mod kept;
mod sides;

use fealty_ledger::verify::{Check, Finding};
use fealty_postgres::testing::TestDatabase;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::support::Ledger;
use super::{assert_verified, busy, clock, report_of};

/// What is put back after each change: parents first.
const TABLES: [&str; 9] = [
    "owner",
    "account",
    "lot",
    "hold",
    "transaction",
    "purchase",
    "refund",
    "reversal",
    "transfer_day",
];

/// A change by hand. The statement answers where it was: owner, version and transaction, as far as it has them.
struct Tamper {
    what: &'static str,
    statement: &'static str,
    /// What has to find it.
    checks: &'static [Check],
    /// Nothing else may.
    alone: bool,
}

const fn found_by(what: &'static str, statement: &'static str, checks: &'static [Check]) -> Tamper {
    Tamper {
        what,
        statement,
        checks,
        alone: false,
    }
}

const fn found_only_by(what: &'static str, statement: &'static str, checks: &'static [Check]) -> Tamper {
    Tamper {
        alone: true,
        ..found_by(what, statement, checks)
    }
}

/// In the rows of transactions. `$1` is the member, `$2` who joined a household, `$3` whom the member sent points.
const TRANSACTIONS: &[Tamper] = &[
    found_by(
        "an entry's value",
        "UPDATE transaction SET entries = jsonb_set(entries, '{0,value}', '501') WHERE owner_id = $1 AND version = 1
         RETURNING owner_id, version, transaction_id",
        &[Check::Sum, Check::Chain, Check::Balance],
    ),
    found_by(
        "an amount, everywhere in the row",
        "UPDATE transaction SET entries = jsonb_set(jsonb_set(jsonb_set(entries, '{0,value}', '501'), '{0,balance}', '501'),
                                                    '{1,value}', '-501'),
                                lot_movements = jsonb_set(lot_movements, '{0,value}', '501')
         WHERE owner_id = $1 AND version = 1 RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "a reason",
        "UPDATE transaction SET reason = 'another' WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "who did it",
        "UPDATE transaction SET actor = 'key:another' WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "when it happened, by a microsecond",
        "UPDATE transaction SET occur_time = occur_time - interval '1 microsecond' WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "the request that asked for it",
        "UPDATE transaction SET request_id = gen_random_uuid() WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "the answer that was given",
        "UPDATE transaction SET answer = answer || '\\x00'::bytea WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_by(
        "an entry with more in it than is hashed",
        "UPDATE transaction SET entries = jsonb_set(entries, '{0,note}', '\"x\"') WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Form],
    ),
    found_by(
        "a hash",
        "UPDATE transaction SET chain_hash = sha256(chain_hash) WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Chain],
    ),
    found_only_by(
        "the units",
        "UPDATE transaction SET unit_codes = '{}' WHERE owner_id = $1 AND version = 2
         RETURNING owner_id, version, transaction_id",
        &[Check::Form],
    ),
    found_by(
        "the last one removed",
        "DELETE FROM transaction t USING owner o
         WHERE o.owner_id = $1 AND t.program = o.program AND t.owner_id = $1 AND t.version = o.version
         RETURNING t.owner_id, t.version - 1, NULL::uuid",
        &[Check::Version, Check::Chain, Check::Account],
    ),
    found_by(
        "the last one removed, and the owner's version put back",
        "WITH gone AS (DELETE FROM transaction t USING owner o
                       WHERE o.owner_id = $1 AND t.program = o.program AND t.owner_id = $1 AND t.version = o.version
                       RETURNING t.owner_id)
         UPDATE owner o SET version = o.version - 1 FROM gone WHERE o.owner_id = gone.owner_id
         RETURNING o.owner_id, NULL::bigint, NULL::uuid",
        &[Check::Chain, Check::Account],
    ),
    found_by(
        "one in the middle removed",
        "WITH gone AS (DELETE FROM transaction WHERE owner_id = $1 AND version = 2 RETURNING program)
         SELECT owner_id, version, transaction_id FROM transaction WHERE owner_id = $1 AND version = 3",
        &[Check::Version, Check::Chain],
    ),
    found_by(
        "one in the middle hidden as a refusal",
        "WITH hidden AS (UPDATE transaction SET version = NULL, chain_hash = NULL, feed_xid = NULL
                         WHERE owner_id = $1 AND version = 2 RETURNING program)
         SELECT owner_id, version, transaction_id FROM transaction WHERE owner_id = $1 AND version = 3",
        &[Check::Version, Check::Chain],
    ),
    found_by(
        "one inserted at the end",
        "INSERT INTO transaction SELECT (new).* FROM (
             SELECT jsonb_populate_record(NULL::transaction, to_jsonb(t) || jsonb_build_object(
                 'transaction_id', gen_random_uuid(), 'request_id', gen_random_uuid(), 'version', o.version + 1)) AS new
             FROM transaction t JOIN owner o ON o.program = t.program AND o.owner_id = t.owner_id
             WHERE t.owner_id = $1 AND t.version = 1) AS made
         RETURNING owner_id, version, transaction_id",
        &[Check::Version, Check::Chain, Check::Balance, Check::Account],
    ),
    found_by(
        "two that changed places",
        "UPDATE transaction SET version = 1000 WHERE owner_id = $1 AND version = 2;
         UPDATE transaction SET version = 2 WHERE owner_id = $1 AND version = 3;
         UPDATE transaction SET version = 3 WHERE owner_id = $1 AND version = 1000;
         SELECT owner_id, version, transaction_id FROM transaction WHERE owner_id = $1 AND version = 2",
        &[Check::Chain],
    ),
    found_by(
        "points that left and did not arrive",
        "UPDATE transaction SET entries = (
             SELECT jsonb_agg(jsonb_set(e, '{value}', to_jsonb((e ->> 'value')::bigint + sign((e ->> 'value')::bigint)::bigint)))
             FROM jsonb_array_elements(entries) AS e WHERE e ->> 'unit' = 'points')
         WHERE owner_id = $2 AND kind = 'move' RETURNING owner_id, version, transaction_id",
        &[Check::Moved, Check::Chain, Check::Balance],
    ),
    found_by(
        "another's request",
        "UPDATE transaction SET request_id = (SELECT request_id FROM transaction WHERE owner_id = $1 AND version = 1)
         WHERE owner_id = $1 AND version = 2 RETURNING owner_id, version, transaction_id",
        &[Check::Request, Check::Chain],
    ),
    found_by(
        "another's receipt",
        "DROP INDEX transaction_receipt;
         UPDATE transaction SET receipt_id = (SELECT receipt_id FROM transaction
                                              WHERE owner_id = $1 AND kind = 'purchase' ORDER BY version LIMIT 1)
         WHERE owner_id = $1 AND kind = 'purchase';
         SELECT owner_id, max(version), NULL::uuid FROM transaction WHERE owner_id = $1 AND kind = 'purchase'
         GROUP BY owner_id",
        &[Check::Receipt, Check::Chain, Check::Purchase],
    ),
];

/// In the rows that sum transactions up.
const STANDINGS: &[Tamper] = &[
    found_only_by(
        "an account's balance",
        "UPDATE account SET available = available + 1 WHERE owner_id = $1 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_only_by(
        "what an account holds",
        "UPDATE account SET held = held + 1 WHERE owner_id = $1 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_only_by(
        "what an account owes",
        "UPDATE account SET debt = 7 WHERE owner_id = $1 AND unit_code = 'stamps'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_by(
        "an account removed",
        "DELETE FROM account WHERE owner_id = $1 AND unit_code = 'points' RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_by(
        "what is left of a lot",
        "UPDATE lot SET value_left = value_left - 1 WHERE owner_id = $1 AND value_left > 0 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "what was credited to a lot",
        "UPDATE lot SET value_credited = value_credited + 1 WHERE owner_id = $1 AND value_left > 0 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "the end of a lot",
        "UPDATE lot SET expire_time = now() WHERE owner_id = $1 AND value_left > 0 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "whether the end of a lot moves",
        "UPDATE lot SET slides = NOT slides WHERE owner_id = $1 AND value_left > 0 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "the age of a lot",
        "UPDATE lot SET create_time = create_time - interval '1 day'
         WHERE owner_id = $1 AND value_left > 0 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_by(
        "what holds claim of a lot",
        "UPDATE lot SET value_held = value_held - 1 WHERE owner_id = $1 AND value_held > 0
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "who paid for a lot",
        "UPDATE lot SET budget_code = 'autumn' WHERE owner_id = $1 AND budget_code IS NOT NULL
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_by(
        "what waits made to count",
        "UPDATE lot SET pending = false, begin_time = NULL, credited_by = NULL WHERE owner_id = $1 AND open AND pending
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "when a lot begins",
        "UPDATE lot SET begin_time = now() WHERE owner_id = $1 AND open AND pending
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "what gave a lot that waits",
        "UPDATE lot SET credited_by = gen_random_uuid() WHERE owner_id = $1 AND open AND pending
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot, Check::Waiting],
    ),
    found_only_by(
        "what gave a lot that waits and came along from another owner",
        "UPDATE lot l SET credited_by = (SELECT t.transaction_id FROM transaction t WHERE t.owner_id = $2 AND t.version = 1)
         WHERE l.open AND l.pending
           AND l.credited_by IN (SELECT t.transaction_id FROM transaction t WHERE t.owner_id = $2)
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Waiting],
    ),
    found_by(
        "more that waits than was given, less what was taken back of it, in all that sums it up",
        "WITH more AS (
             UPDATE lot l SET value_left = l.value_left + 10, value_credited = l.value_credited + 10
             WHERE l.open AND l.pending
               AND l.credited_by IN (SELECT t.transaction_id FROM transaction t WHERE t.owner_id = $2)
             RETURNING l.program, l.owner_id, l.unit_code)
         UPDATE account a SET pending = a.pending + 10 FROM more
         WHERE a.program = more.program AND a.owner_id = more.owner_id AND a.unit_code = more.unit_code
         RETURNING a.owner_id, NULL::bigint, NULL::uuid",
        &[Check::Waiting, Check::Lot, Check::Account],
    ),
    found_by(
        "what was taken back of what waits, forgotten",
        "WITH gone AS (DELETE FROM reversal r USING lot l
                       WHERE l.open AND l.pending AND l.credited_by = r.transaction_id RETURNING l.owner_id)
         SELECT owner_id, NULL::bigint, NULL::uuid FROM gone",
        &[Check::Waiting, Check::Reversal],
    ),
    found_only_by(
        "what is pending",
        "UPDATE account SET pending = pending + 1 WHERE owner_id = $1 AND unit_code = 'stamps'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Account],
    ),
    found_by(
        "a lot removed",
        "DELETE FROM lot WHERE owner_id = $1 AND value_left > 0 AND unit_code = 'points'
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_by(
        "a lot out of nothing",
        "INSERT INTO lot (program, owner_id, lot_id, unit_code, value_left, value_credited, create_time)
         SELECT program, owner_id, gen_random_uuid(), 'points', 5, 5, now() FROM owner WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Lot],
    ),
    found_only_by(
        "an owner's version",
        "UPDATE owner SET version = version + 1 WHERE owner_id = $1 RETURNING owner_id, version - 1, NULL::uuid",
        &[Check::Version],
    ),
    found_only_by(
        "an owner's head",
        "UPDATE owner SET chain_head = sha256(chain_head) WHERE owner_id = $1 RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Chain],
    ),
    found_only_by(
        "an owner's time",
        "UPDATE owner SET last_time = last_time + interval '1 day' WHERE owner_id = $1
         RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Time],
    ),
    found_only_by(
        "an owner removed",
        "DELETE FROM owner WHERE owner_id = $1 RETURNING owner_id, NULL::bigint, NULL::uuid",
        &[Check::Owner],
    ),
];

/// A database that can be put back as it was.
struct Kept<'a> {
    database: &'a TestDatabase,
}

impl<'a> Kept<'a> {
    async fn of(database: &'a TestDatabase) -> Self {
        let kept = Self { database };
        for table in TABLES {
            kept.run(format!("CREATE TABLE kept_{table} AS TABLE {table}"))
                .await;
        }
        kept
    }

    async fn put_back(&self) {
        for table in TABLES.iter().rev() {
            self.run(format!("DELETE FROM {table}")).await;
        }
        for table in TABLES {
            let columns: String = sqlx::query_scalar(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
            )
            .bind(table)
            .fetch_one(&self.database.owner)
            .await
            .expect("columns");
            self.run(format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM kept_{table}"
            ))
            .await;
        }
        self.run(
            "CREATE UNIQUE INDEX IF NOT EXISTS transaction_receipt ON transaction (program, source, receipt_id)
             WHERE version IS NOT NULL AND receipt_id IS NOT NULL"
                .to_owned(),
        )
        .await;
    }

    async fn run(&self, statement: String) {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&self.database.owner)
            .await
            .expect("a statement");
    }

    /// Runs a change, and answers where it was.
    async fn tamper(&self, tamper: &Tamper, owners: [Uuid; 3]) -> (Uuid, Option<i64>, Option<Uuid>) {
        let text = |id: Uuid| format!("'{id}'::uuid");
        let statement = tamper
            .statement
            .replace("$1", &text(owners[0]))
            .replace("$2", &text(owners[1]))
            .replace("$3", &text(owners[2]));
        let (before, last) = statement.rsplit_once(';').unwrap_or(("", &statement));
        for statement in before.split(';').filter(|it| !it.trim().is_empty()) {
            self.run(statement.to_owned()).await;
        }
        let rows: Vec<(Uuid, Option<i64>, Option<Uuid>)> = sqlx::query_as(AssertSqlSafe(last.to_owned()))
            .fetch_all(&self.database.owner)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", tamper.what));
        *rows
            .first()
            .unwrap_or_else(|| panic!("{}: nothing was changed", tamper.what))
    }
}

async fn each_is_found(tampers: &[Tamper]) {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let shop = busy::Shop::play(&ledger, &clock).await;
    let owners = [&shop.member, &shop.joined, &shop.friend].map(|id| id.parse().expect("an id"));
    let program = ledger.shop.program.as_uuid();
    let kept = Kept::of(&ledger.database).await;
    for tamper in tampers {
        let (owner_id, version, transaction_id) = kept.tamper(tamper, owners).await;
        let report = report_of(&ledger.database, None).await;
        let found: &[Finding] = report.findings.kept();
        let shown = || found.iter().map(ToString::to_string).collect::<Vec<_>>();
        for check in tamper.checks {
            let named = |it: &&Finding| it.check == *check && it.program == program;
            let finding = found.iter().find(named);
            assert!(
                finding.is_some(),
                "{}: {check} says nothing: {:#?}",
                tamper.what,
                shown()
            );
        }
        let is_there = |it: &&Finding| {
            it.owner_id == Some(owner_id)
                && (version.is_none() || it.version == version)
                && (transaction_id.is_none() || it.transaction_id == transaction_id)
        };
        assert!(
            found.iter().any(|it| is_there(&it)),
            "{}: not named: {:#?}",
            tamper.what,
            shown()
        );
        let others = found
            .iter()
            .filter(|it| !tamper.checks.contains(&it.check))
            .count();
        assert!(!tamper.alone || others == 0, "{}: {:#?}", tamper.what, shown());
        kept.put_back().await;
    }
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_removed_inserted_or_reordered_transaction_is_found_and_named() {
    each_is_found(TRANSACTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_owner_account_or_lot_is_found_and_named() {
    each_is_found(STANDINGS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_hold_purchase_or_refund_is_found_and_named() {
    each_is_found(sides::SIDES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_or_removed_side_of_a_transfer_is_found_and_named() {
    each_is_found(counterparts::COUNTERPARTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_day_of_a_sender_or_end_of_what_slides_is_found_and_named() {
    each_is_found(kept::KEPT).await;
}
