//! Every code that Soma prints, in one table: `soma explain` and the reference page are made from it.
//!
//! The table itself is in `code/catalogue.rs`. Codes are never reused: a retired one keeps its line.

mod catalogue;

use std::fmt;
use std::str::FromStr;

pub use catalogue::Code;

use crate::id::IdError;
use crate::suggest::did_you_mean;
use crate::text::string_form;

/// One line of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeEntry {
    /// `SOMA-D012`.
    pub id: &'static str,
    /// The exit code of a command that ends with it.
    pub exit: u8,
    /// The HTTP status of a response that ends with it.
    pub http: u16,
    /// A few words.
    pub title: &'static str,
    /// What it means and how one gets there.
    pub explain: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Code {
    /// The letter of its family: `D` of `SOMA-D012`.
    #[must_use]
    pub fn family(self) -> char {
        self.id().chars().nth(5).unwrap_or('?')
    }

    /// `SOMA-D012`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.entry().id
    }

    /// The code that people mean by `text`; lower case and a missing `SOMA-` are forgiven.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        let id = if upper.starts_with("SOMA-") { upper } else { format!("SOMA-{upper}") };
        Self::ALL.iter().copied().find(|code| code.id() == id)
    }

    /// `; did you mean "SOMA-D012"?`, or nothing.
    #[must_use]
    pub fn near(text: &str) -> String {
        let known: Vec<&str> = Self::ALL.iter().map(|code| code.id()).collect();
        did_you_mean(&text.trim().to_ascii_uppercase(), &known)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Code {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let exact = Self::ALL.iter().copied().find(|code| code.id() == text);
        exact.ok_or_else(|| IdError::new("a code", text, "it is one of docs/reference/errors.md"))
    }
}

string_form!(Code, "Code", "a code such as SOMA-D012");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_unique_and_says_what_to_do() {
        let ids: BTreeSet<&str> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        for code in Code::ALL {
            let CodeEntry { id, exit, http, title, explain, remedy } = *code.entry();
            let (family, number) = id.strip_prefix("SOMA-").unwrap().split_at(1);
            assert!("MCVDLKJIPTHRGUBSF".contains(family), "{id}");
            assert!(number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()), "{id}");
            assert!((1..=9).contains(&exit) || exit == 130, "{id}");
            assert!((400..600).contains(&http), "{id}");
            assert!(!title.is_empty() && explain.len() > 20 && remedy.len() > 8, "{id}");
            assert!(!title.ends_with('.') && explain.ends_with('.'), "{id}");
        }
    }

    #[test]
    fn the_catalogue_is_in_order_within_each_family() {
        for pair in Code::ALL.windows(2) {
            if pair[0].family() == pair[1].family() {
                assert!(pair[0].id() < pair[1].id(), "{} before {}", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn people_find_a_code_in_any_spelling() {
        for text in ["SOMA-D012", "soma-d012", "d012", " D012 "] {
            assert_eq!(Code::find(text), Some(Code::HttpMethod), "{text}");
        }
        assert_eq!(Code::find("D999"), None);
        assert!(Code::near("SOMA-D01").contains("did you mean"));
        assert_eq!(Code::HttpMethod.family(), 'D');
    }

    #[test]
    fn the_published_codes_keep_their_meaning() {
        assert_eq!(Code::ManifestUnknownKey.id(), "SOMA-M007");
        assert_eq!(Code::HttpMethod.id(), "SOMA-D012");
        assert_eq!("SOMA-D012".parse(), Ok(Code::HttpMethod));
        assert!("D012".parse::<Code>().is_err());
        assert_eq!(serde_json::to_value(Code::HttpMethod).unwrap(), "SOMA-D012");
    }
}
