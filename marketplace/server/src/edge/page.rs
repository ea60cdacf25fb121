//! Lists, page by page: `limit`, and a `cursor` that an earlier page returned.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use soma_policy::Code;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::store::PAGE_MAX;

const LIMIT: u32 = 50;
/// Longest cursor that is looked at.
const CURSOR_BYTES_MAX: usize = 512;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub(super) limit: Option<u32>,
    /// What the page before returned as `next`.
    pub(super) cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The page's items.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; none on the last one.
    pub(crate) next: Option<String>,
}

impl Paging {
    #[cfg(test)]
    pub(crate) fn of(limit: Option<u32>, cursor: Option<&str>) -> Self {
        Self { limit, cursor: cursor.map(str::to_owned) }
    }

    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(LIMIT),
            Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::field("limit", "it is from 1 to 100")),
        }
    }

    /// The key behind which the page begins; empty for the first.
    pub(crate) fn after(&self) -> Result<String, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(String::new()) };
        let bad = || Problem::new(Code::CursorBad, "the cursor is not one of this list");
        if cursor.len() > CURSOR_BYTES_MAX {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        // PostgreSQL takes no NUL in text.
        if text.contains('\0') { Err(bad()) } else { Ok(text) }
    }

    /// A page from one row more than it shows, which says whether another follows.
    pub(crate) fn page<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Listed<T>, Problem> {
        let limit = self.limit()? as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|item| URL_SAFE_NO_PAD.encode(key(item)));
        Ok(Listed { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_the_next_page_and_rubbish_to_none() {
        let paging = Paging::of(Some(2), None);
        let page = paging.page(vec!["a", "b", "c"], ToString::to_string).unwrap();
        assert_eq!(page.items, ["a", "b"]);
        let next = Paging::of(Some(2), page.next.as_deref());
        assert_eq!(next.after().unwrap(), "b");
        assert!(next.page(vec!["c"], ToString::to_string).unwrap().next.is_none());
        let long = "A".repeat(600);
        for bad in ["%", "AA=", "gA", "AA", long.as_str()] {
            assert!(Paging::of(None, Some(bad)).after().is_err(), "{bad}");
        }
        for bad in [0, 101] {
            assert!(Paging::of(Some(bad), None).limit().is_err(), "{bad}");
        }
    }
}
