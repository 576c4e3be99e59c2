//! What is in a ledger's record at the end of a run, read in two ways: by plain SQL from the tables, and through the public
//! API like any caller.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fealty_client::LedgerClient;
use fealty_proto::ledger::v1 as pb;
use fealty_types::ProgramId;
use serde_json::Value;

use crate::database::Database;
use crate::history::{Entry, Record, Row, Standing, Values};

/// Rows of a page of a statement, the most that there can be.
const PAGE_SIZE: i32 = 1_000;

const ROWS: &str = "
    SELECT program::text, owner_id::text, version::text, transaction_id::text, request_id::text, reason, entries::text,
           counterpart_transaction_id::text
    FROM transaction t WHERE version IS NOT NULL ORDER BY t.owner_id, t.version";
const OWNERS: &str = "SELECT program::text, owner_id::text, version::text FROM owner";
const ACCOUNTS: &str = "
    SELECT a.program::text, a.owner_id::text, a.unit_code, kept.key, kept.value
    FROM account a, jsonb_each_text(to_jsonb(a)) kept
    WHERE kept.key IN ('available', 'held', 'pending', 'debt')";

/// What Postgres says when it ends a transaction for waiting in a circle.
const DEADLOCK: &str = "deadlock detected";

/// Reads everything about a program.
///
/// # Panics
/// When the database or the ledger does not answer.
pub async fn read(database: &Database, ledger: &LedgerClient, program: ProgramId, data_dir: &Path) -> Record {
    let program = program.to_string();
    let mut record = Record {
        deadlocks_count: deadlocks_count(data_dir),
        ..Record::default()
    };
    for [of, owner_id, version] in columns(database, OWNERS).await {
        if of == program {
            let version = number(&version);
            record.standings.entry(owner_id.clone()).or_default().version = version;
            record.rows.insert(owner_id, Vec::new());
        }
    }
    for [of, owner_id, unit, account, value] in columns(database, ACCOUNTS).await {
        if of == program {
            add_account(
                record.standings.entry(owner_id).or_default(),
                unit,
                &account,
                &value,
            );
        }
    }
    for row in columns(database, ROWS).await {
        let [
            of,
            owner_id,
            version,
            transaction_id,
            request_id,
            mark,
            entries,
            counterpart,
        ] = row;
        if of == program {
            let row = Row {
                version: number(&version),
                transaction_id,
                request_id: some(request_id),
                mark,
                entries: entries_of(&entries),
                counterpart: some(counterpart),
            };
            record.rows.entry(owner_id).or_default().push(row);
        }
    }
    let owners: BTreeSet<String> = record.rows.keys().cloned().collect();
    for owner_id in owners {
        let statement = statement(ledger, &owner_id).await;
        record.statements.insert(owner_id, statement);
    }
    record
}

/// The balances of an answer, as places.
#[must_use]
pub fn shown(balance: &pb::OwnerBalance) -> Values {
    let mut values = Values::new();
    for it in &balance.balances {
        let place = |account: &str| (account.to_owned(), it.unit_code.clone());
        values.insert(place("owner_available"), it.available);
        values.insert(place("owner_held"), it.held);
        values.insert(place("owner_pending"), it.pending);
        // What is owed is counted downwards from zero.
        values.insert(place("owner_debt"), -it.debt);
    }
    crate::history::without_zeros(values)
}

async fn columns<const COUNT: usize>(database: &Database, query: &'static str) -> Vec<[String; COUNT]> {
    let rows = database.ledger_rows(query).await;
    let texts = rows
        .into_iter()
        .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>());
    texts
        .map(|row| row.try_into().expect("as many as were asked for"))
        .collect()
}

/// Empty for none.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn number(text: &str) -> i64 {
    text.parse().expect("a number")
}

fn add_account(standing: &mut Standing, unit: String, account: &str, value: &str) {
    let value = number(value);
    let value = if account == "debt" { -value } else { value };
    standing
        .balances
        .insert((format!("owner_{account}"), unit), value);
}

fn entries_of(json: &str) -> Vec<Entry> {
    let entries: Vec<Value> = serde_json::from_str(json).expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    entries
        .iter()
        .map(|entry| Entry {
            account: text(&entry["account"]),
            unit: text(&entry["unit"]),
            value: entry["value"].as_i64().expect("a number"),
            balance: entry["balance"].as_i64(),
        })
        .collect()
}

/// Oldest first, which is the other way around than it is told.
async fn statement(ledger: &LedgerClient, owner_id: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListTransactionsRequest {
            owner_id: owner_id.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
            ..pb::ListTransactionsRequest::default()
        };
        let page = ledger.list_transactions(request).await.expect("a page");
        let page = page.into_message();
        rows.extend(page.transactions.into_iter().map(told_row));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            rows.reverse();
            return rows;
        }
    }
}

fn told_row(transaction: pb::Transaction) -> Row {
    let entries = transaction.entries.iter().map(|entry| {
        let account = entry.account().as_str_name().to_lowercase();
        let account = account.trim_start_matches("entry_account_").to_owned();
        let balance = Some(entry.balance_after).filter(|_| account.starts_with("owner_"));
        Entry {
            account,
            unit: entry.unit_code.clone(),
            value: entry.value,
            balance,
        }
    });
    Row {
        version: transaction.version,
        entries: entries.collect(),
        transaction_id: transaction.transaction_id,
        request_id: some(transaction.request_id),
        mark: transaction.reason,
        counterpart: some(transaction.counterpart_transaction_id),
    }
}

/// Out of the server's logs, of all its lives: its own counters do not survive a kill.
fn deadlocks_count(data_dir: &Path) -> usize {
    let logs = fs::read_dir(data_dir.join("logs")).expect("the folder of logs");
    let of_postgres = logs
        .flatten()
        .filter(|log| log.file_name().to_string_lossy().starts_with("postgres"));
    let texts = of_postgres.map(|log| fs::read(log.path()).unwrap_or_default());
    texts
        .map(|text| String::from_utf8_lossy(&text).matches(DEADLOCK).count())
        .sum()
}

/// What events say came to what an owner can spend.
#[must_use]
pub fn available_changes(posted: &fealty_proto::events::v1::TransactionPosted) -> BTreeMap<String, i64> {
    let changes = posted.available_changes.iter();
    changes
        .map(|amount| (amount.unit_code.clone(), amount.value))
        .collect()
}
