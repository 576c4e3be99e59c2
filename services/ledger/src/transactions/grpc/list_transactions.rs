//! `ListTransactions`.

use chrono::{DateTime, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::fields::TimeRange;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{OwnerId, ProgramId, UnitCode};
use prost::Message;

use super::present;
use crate::posting::domain::TransactionKind;
use crate::transactions::domain::{Statement, StatementOf, StatementPosition};

const LIST_TRANSACTIONS: &str = "/fealty.ledger.v1.TransactionService/ListTransactions";

/// Longest source there is, in characters: that of a hold.
const SOURCE_LENGTH_MAX: usize = 100;

/// A page that is asked for.
pub(super) struct Page {
    pub(super) asked: StatementOf,
    page: PageRequest<StatementPosition>,
}

pub(super) fn parse(program: ProgramId, message: &pb::ListTransactionsRequest) -> Result<Page, ApiError> {
    let mut v = Violations::default();
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let kinds: Option<Vec<TransactionKind>> =
        v.each("kinds", &message.kinds, |v, kind| v.check("", parse_kind(*kind)));
    let unit_code = v.check("unit_code", fields::optional::<UnitCode>(&message.unit_code));
    let from = v.check("occurred_from_time", time(message.occurred_from_time.as_ref()));
    let before = v.check(
        "occurred_before_time",
        time(message.occurred_before_time.as_ref()),
    );
    let source = v.check(
        "source",
        fields::optional_text(&message.source, SOURCE_LENGTH_MAX),
    );
    let (size, mut asked) = v.finish_with(|| {
        let mut kinds = kinds?;
        // The same filter however it is written, for the page tokens.
        kinds.sort_unstable();
        kinds.dedup();
        let asked = StatementOf {
            owner_id: owner_id?,
            kinds,
            unit_code: unit_code?,
            occurred_from_time: from?,
            occurred_before_time: before?,
            source: source?,
            before: None,
            // Known with the page, which is bound to all of the above.
            count_max: 0,
        };
        Some((size?, asked))
    })?;
    let page = PageRequest::try_new(tokens(program, &asked)?, size, &message.page_token)?;
    asked.before = page.after();
    asked.count_max = page.count_max();
    Ok(Page { asked, page })
}

fn tokens(program: ProgramId, asked: &StatementOf) -> Result<PageTokens, ApiError> {
    let kinds: Vec<&str> = asked.kinds.iter().map(|kind| kind.as_str()).collect();
    let times = (asked.occurred_from_time, asked.occurred_before_time);
    PageTokens::try_new(
        LIST_TRANSACTIONS,
        Some(program),
        &(asked.owner_id, kinds, &asked.unit_code, times, &asked.source),
    )
}

impl Page {
    pub(super) fn present(&self, read: &Statement) -> Result<pb::ListTransactionsResponse, ApiError> {
        let rows = read.transactions.iter().map(|transaction| {
            let position = StatementPosition {
                owner_id: transaction.owner_id,
                version: transaction.version,
            };
            (position, present(transaction))
        });
        // One transaction can have hundreds of entries.
        let size_bytes = |(_, transaction): &(_, pb::Transaction)| transaction.encoded_len();
        let (rows, mut next_page_token) =
            self.page
                .cut_within(rows.collect(), size_bytes, |(position, _)| *position)?;
        if let Some(looked_to) = read.looked_to.filter(|_| next_page_token.is_empty()) {
            next_page_token = self.page.token_after(&looked_to)?;
        }
        Ok(pb::ListTransactionsResponse {
            transactions: rows.into_iter().map(|(_, transaction)| transaction).collect(),
            next_page_token,
        })
    }
}

fn time(time: Option<&prost_types::Timestamp>) -> Result<Option<DateTime<Utc>>, Problem> {
    fields::optional_timestamp(time, TimeRange::any())
}

fn parse_kind(kind: i32) -> Result<TransactionKind, Problem> {
    match fields::enumeration::<pb::TransactionKind>(kind)? {
        pb::TransactionKind::Credit => Ok(TransactionKind::Credit),
        pb::TransactionKind::Spend => Ok(TransactionKind::Spend),
        pb::TransactionKind::Expire => Ok(TransactionKind::Expire),
        pb::TransactionKind::Purchase => Ok(TransactionKind::Purchase),
        pb::TransactionKind::Refund => Ok(TransactionKind::Refund),
        pb::TransactionKind::Hold => Ok(TransactionKind::Hold),
        pb::TransactionKind::Capture => Ok(TransactionKind::Capture),
        pb::TransactionKind::Release => Ok(TransactionKind::Release),
        pb::TransactionKind::Move => Ok(TransactionKind::Move),
        pb::TransactionKind::Notice => Ok(TransactionKind::Notice),
        pb::TransactionKind::Activate => Ok(TransactionKind::Activate),
        pb::TransactionKind::Adjust => Ok(TransactionKind::Adjust),
        pb::TransactionKind::Transfer => Ok(TransactionKind::Transfer),
        pb::TransactionKind::Reverse => Ok(TransactionKind::Reverse),
        pb::TransactionKind::Unspecified => Err(Problem::required()),
    }
}
