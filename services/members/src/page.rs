//! Pages of lists: each goes on after the last row of the page before.

use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Violations;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows of a page whose caller does not say: a screen or two.
pub(crate) const PAGE_SIZE_DEFAULT: i32 = 50;

/// Most rows of a page: with a few hundred bytes each, well within one message.
pub(crate) const PAGE_SIZE_MAX: i32 = 1_000;

/// The page that a caller asks for. `C` is where it begins: the key of the last row of the page before.
#[derive(Debug)]
pub(crate) struct PageRequest<C> {
    after: Option<C>,
    size: usize,
    tokens: PageTokens,
}

impl<C: Serialize + DeserializeOwned + Copy> PageRequest<C> {
    /// Reads `page_size` and `page_token` for the list that the tokens belong to.
    pub(crate) fn parse(tokens: PageTokens, page_size: i32, page_token: &str) -> Result<Self, ApiError> {
        let mut v = Violations::default();
        let size = v.check(
            "page_size",
            fields::page_size(page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX),
        );
        let size = v.finish_with(|| usize::try_from(size?).ok())?;
        Ok(Self {
            after: tokens.cursor(page_token)?,
            size,
            tokens,
        })
    }

    /// The row that the page begins after; None for the first page.
    pub(crate) const fn after(&self) -> Option<C> {
        self.after
    }

    /// How many rows to read: one more than the page has, which tells whether there is another page.
    pub(crate) fn count_max(&self) -> i64 {
        i64::try_from(self.size.saturating_add(1)).unwrap_or(i64::MAX)
    }

    /// The page's rows out of those that were read, and the token of the next page: empty when this is the last.
    pub(crate) fn cut<T>(
        &self,
        mut rows: Vec<T>,
        cursor: impl Fn(&T) -> C,
    ) -> Result<(Vec<T>, String), ApiError> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let next = match rows.last() {
            Some(last) if more => self.tokens.token(&cursor(last))?,
            _ => String::new(),
        };
        Ok((rows, next))
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
}
