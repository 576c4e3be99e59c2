//! Pages of lists: each goes on after the last row of the page before.
//!
//! A list that takes nothing but a page reads it in one step:
//!
//! ```
//! # use fealty_rpc::errors::ApiError;
//! # use fealty_rpc::page::PageRequest;
//! # use fealty_rpc::page_token::PageTokens;
//! # fn example(page_size: i32, page_token: &str) -> Result<(Vec<u64>, String), ApiError> {
//! let tokens = PageTokens::try_new("/fealty.ledger.v1.UnitService/ListUnits", None, &())?;
//! let page = PageRequest::<u64>::parse(tokens, page_size, page_token)?;
//! let rows = vec![1, 2, 3]; // at most page.count_max() rows after page.after()
//! page.cut(rows, |row| *row)
//! # }
//! ```
//!
//! One with a filter checks [`PageSize`] beside its other fields, so that all that is wrong is told at once, and then
//! takes [`PageRequest::try_new`] with tokens that are bound to the filter.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::errors::ApiError;
use crate::fields;
use crate::page_token::PageTokens;
use crate::violations::{Problem, Violations};

/// Rows of a page whose caller does not say: a screen or two.
pub const PAGE_SIZE_DEFAULT: i32 = 50;

/// Most rows of a page: with a few hundred bytes each, well within one message.
pub const PAGE_SIZE_MAX: i32 = 1_000;

/// Bytes of a page's rows: gRPC clients take messages of 4 MiB unless told otherwise, and some of it is the rest.
const PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;

/// How many rows a page has at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(usize);

impl PageSize {
    /// Reads `page_size`: the default when it is unset.
    pub fn parse(page_size: i32) -> Result<Self, Problem> {
        let size = fields::page_size(page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
        usize::try_from(size)
            .map(Self)
            .map_err(|_| Problem::new("must not be negative"))
    }
}

/// The page that a caller asks for. `C` is where it begins: the key of the last row of the page before.
#[derive(Debug)]
pub struct PageRequest<C> {
    after: Option<C>,
    size: PageSize,
    tokens: PageTokens,
}

impl<C: Serialize + DeserializeOwned + Clone> PageRequest<C> {
    /// Reads `page_size` and `page_token` of a list that takes nothing else.
    pub fn parse(tokens: PageTokens, page_size: i32, page_token: &str) -> Result<Self, ApiError> {
        let mut v = Violations::default();
        let size = v.check("page_size", PageSize::parse(page_size));
        Self::try_new(tokens, v.finish_with(|| size)?, page_token)
    }

    /// Reads `page_token` for the list and the filter that the tokens belong to.
    pub fn try_new(tokens: PageTokens, size: PageSize, page_token: &str) -> Result<Self, ApiError> {
        Ok(Self {
            after: tokens.cursor(page_token)?,
            size,
            tokens,
        })
    }

    /// The row that the page begins after; None for the first page.
    #[must_use]
    pub fn after(&self) -> Option<C> {
        self.after.clone()
    }

    /// How many rows to read: one more than the page has, which tells whether there is another page.
    #[must_use]
    pub fn count_max(&self) -> i64 {
        i64::try_from(self.size.0.saturating_add(1)).unwrap_or(i64::MAX)
    }

    /// The page's rows out of those that were read, and the token of the next page: empty when this is the last.
    pub fn cut<T>(&self, mut rows: Vec<T>, cursor: impl Fn(&T) -> C) -> Result<(Vec<T>, String), ApiError> {
        let size = rows.len().min(self.size.0);
        let next = self.next_after(&rows, size, cursor)?;
        rows.truncate(size);
        Ok((rows, next))
    }

    /// The same for rows that may be large: the page ends early rather than become a message that no client takes.
    pub fn cut_within<T>(
        &self,
        mut rows: Vec<T>,
        size_bytes: impl Fn(&T) -> usize,
        cursor: impl Fn(&T) -> C,
    ) -> Result<(Vec<T>, String), ApiError> {
        let mut page_bytes = 0;
        let fitting = rows.iter().take(self.size.0).take_while(|row| {
            page_bytes += size_bytes(row);
            page_bytes <= PAGE_BYTES_MAX
        });
        // A page has at least one row, or nobody would ever come past it.
        let size = fitting.count().max(1).min(rows.len());
        let next = self.next_after(&rows, size, cursor)?;
        rows.truncate(size);
        Ok((rows, next))
    }

    /// The token of a page that begins after a place that is no row of this one: where reading stopped short of the next.
    pub fn token_after(&self, place: &C) -> Result<String, ApiError> {
        self.tokens.token(place)
    }

    /// The token of the page after the first `size` rows; empty when there are no more.
    fn next_after<T>(&self, rows: &[T], size: usize, cursor: impl Fn(&T) -> C) -> Result<String, ApiError> {
        match rows[..size].last() {
            Some(last) if rows.len() > size => self.tokens.token(&cursor(last)),
            _ => Ok(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> PageTokens {
        PageTokens::try_new("list", None, &()).unwrap()
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = PageRequest::<u32>::parse(tokens(), 2, "").unwrap();
        assert_eq!(page.count_max(), 3);
        assert_eq!(
            page.cut(vec![7, 8], |row| *row).unwrap(),
            (vec![7, 8], String::new())
        );
    }

    #[test]
    fn the_next_page_begins_after_the_last_row() {
        let page = PageRequest::<u32>::parse(tokens(), 2, "").unwrap();
        let (rows, next) = page.cut(vec![7, 8, 9], |row| *row).unwrap();
        assert_eq!(rows, [7, 8]);
        let page = PageRequest::<u32>::parse(tokens(), 2, &next).unwrap();
        assert_eq!(page.after(), Some(8));
    }

    #[test]
    fn a_page_of_large_rows_ends_early_and_never_empty() {
        let page = PageRequest::<usize>::parse(tokens(), 3, "").unwrap();
        let half = PAGE_BYTES_MAX / 2;
        let (rows, next) = page
            .cut_within(vec![half, half, half], |row| *row, |row| *row)
            .unwrap();
        assert_eq!((rows.len(), next.is_empty()), (2, false));
        let huge = PAGE_BYTES_MAX * 2;
        let (rows, next) = page.cut_within(vec![huge, 1], |row| *row, |row| *row).unwrap();
        assert_eq!((rows, next.is_empty()), (vec![huge], false));
        let (rows, next) = page.cut_within(vec![1, 2, 3], |row| *row, |row| *row).unwrap();
        assert_eq!((rows, next), (vec![1, 2, 3], String::new()));
        assert_eq!(
            page.cut_within(vec![], |row| *row, |row| *row).unwrap(),
            (vec![], String::new())
        );
    }

    #[test]
    fn a_size_that_is_no_page_is_a_problem_of_its_field() {
        assert_eq!(PageSize::parse(0), Ok(PageSize(50)));
        assert_eq!(PageSize::parse(7), Ok(PageSize(7)));
        assert!(PageSize::parse(-1).is_err());
        let error = PageRequest::<u32>::parse(tokens(), -1, "").unwrap_err();
        assert_eq!(error.violations()[0].field, "page_size");
    }
}
