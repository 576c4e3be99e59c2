//! What the messages of several rooms have in common: times, money, pages.

use chrono::{DateTime, Utc};
use fealty_proto::types::v1 as pb;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Problem;
use fealty_types::Money;
use serde::Serialize;

/// Items of a page whose size was left to the service: a screenful.
const PAGE_SIZE_DEFAULT: i32 = 50;

/// Items of the largest page: some hundred kilobytes, a fraction of the largest message.
const PAGE_SIZE_MAX: i32 = 1_000;

/// Longest text that people call something, in characters: it has to fit on a screen, and into the database's checks.
pub const DISPLAY_NAME_LENGTH_MAX: usize = 200;

/// A time as messages carry it.
#[must_use]
pub fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        // A leap second's nanoseconds are chrono's, not protobuf's.
        nanos: i32::try_from(time.timestamp_subsec_nanos().min(999_999_999)).unwrap_or_default(),
    }
}

/// Money as messages carry it.
#[must_use]
pub fn money(money: Money) -> pb::Money {
    pb::Money {
        currency_code: money.currency.to_string(),
        amount_minor: money.minor,
    }
}

/// The page size that a request asks for.
pub fn page_size(asked: i32) -> Result<i64, Problem> {
    fields::page_size(asked, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX).map(i64::from)
}

/// How many items to read for a page: one more tells whether there is another page.
#[must_use]
pub const fn read_count(page_size: i64) -> i64 {
    page_size + 1
}

/// Cuts what was read for a page down to it. With the token of the next page, empty when this was the last.
pub fn into_page<T, C: Serialize>(
    mut read: Vec<T>,
    page_size: i64,
    tokens: &PageTokens,
    cursor: impl FnOnce(&T) -> C,
) -> Result<(Vec<T>, String), ApiError> {
    let page_size = usize::try_from(page_size).unwrap_or(usize::MAX);
    let more = read.len() > page_size;
    read.truncate(page_size);
    let token = match read.last() {
        Some(last) if more => tokens.token(&cursor(last))?,
        _ => String::new(),
    };
    Ok((read, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_item_too_many_tells_of_another_page() {
        let tokens = PageTokens::try_new("m", None, &()).unwrap();
        let (page, token) = into_page(vec![1, 2, 3], 2, &tokens, |last| *last).unwrap();
        assert_eq!(
            (page, tokens.cursor::<i32>(&token).unwrap()),
            (vec![1, 2], Some(2))
        );
        let (page, token) = into_page(vec![1, 2], 2, &tokens, |last| *last).unwrap();
        assert_eq!((page, token.as_str()), (vec![1, 2], ""));
    }
}
