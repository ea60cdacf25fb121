//! Words that people write and others read: reasons, evidence, comments. Bounded, and without control characters.

use std::fmt;

use serde::{Deserialize, Serialize};
use soma_policy::Code;

use crate::refusal::Refusal;

/// 1 to 2000 bytes of plain text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Words(Box<str>);

impl Words {
    /// Longest text, in bytes.
    pub const BYTES_MAX: usize = 2000;

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What fits of a text that a machine wrote: control characters replaced, the rest cut. Never refused, because
    /// evidence must not get lost for its form.
    #[must_use]
    pub fn clipped(text: &str) -> Self {
        let mut kept = String::new();
        for c in text.trim().chars() {
            let c = if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER };
            if kept.len() + c.len_utf8() > Self::BYTES_MAX {
                break;
            }
            kept.push(c);
        }
        if kept.is_empty() {
            kept.push('-');
        }
        Self(kept.into())
    }
}

/// A line break is plain; a direction override is not, because it shows another text than it holds.
fn is_plain(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c == '\n' || !(c.is_control() || turns)
}

impl TryFrom<String> for Words {
    type Error = Refusal;
    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl std::str::FromStr for Words {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let trimmed = text.trim();
        let plain = trimmed.chars().all(is_plain);
        if trimmed.is_empty() || trimmed.len() > Self::BYTES_MAX || !plain {
            let reason = format!("a text has 1 to {} bytes of plain text", Self::BYTES_MAX);
            return Err(Refusal::new(Code::TextBad, "read", reason));
        }
        Ok(Self(trimmed.into()))
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0.into()
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_bounded_and_plain() {
        let words: Words = "  it leaks\nkeys ".parse().unwrap();
        assert_eq!(words.as_str(), "it leaks\nkeys");
        for bad in ["", " ", "\u{1b}[31m", "\u{202e}txt", &"x".repeat(2001)] {
            assert_eq!(bad.parse::<Words>().unwrap_err().code, Code::TextBad);
        }
        let json = serde_json::to_string(&words).unwrap();
        assert_eq!(serde_json::from_str::<Words>(&json).unwrap(), words);
        assert!(serde_json::from_str::<Words>("\"\"").is_err());
    }

    #[test]
    fn what_machines_write_is_cut_and_never_lost() {
        assert_eq!(Words::clipped("\u{1b}[0m").as_str(), "\u{fffd}[0m");
        assert_eq!(Words::clipped(" ").as_str(), "-");
        let long = Words::clipped(&"é".repeat(2000));
        assert_eq!(long.as_str().len(), 2000);
        assert!(long.to_string().parse::<Words>().is_ok());
    }
}
