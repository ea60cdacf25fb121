//! Texts as tokens, and capabilities as words.

use std::collections::BTreeSet;

use soma_capsule::Manifest;
use soma_market::diff::Diff;
use soma_policy::{Declarations, PublisherName};

use crate::store::TOKENS_MAX;

/// The token that every listed capsule has.
const EVERY: &str = "every";
/// Shortest beginning of a word by which a name is found.
const BEGINNING_MIN: usize = 3;
/// Words of one text at most, and their length.
const WORDS_MAX: usize = 64;
const WORD_CHARS_MAX: usize = 32;

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) words: String,
    pub(crate) capability: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) publisher: Option<PublisherName>,
    pub(crate) free: Option<bool>,
}

impl Query {
    /// The tokens that a capsule must have, all of them; none if there are too many.
    pub(crate) fn tokens(&self) -> Option<Vec<String>> {
        let mut all: BTreeSet<String> = words(&self.words).collect();
        all.extend(self.capability.as_ref().map(|it| format!("cap:{it}")));
        all.extend(self.kind.as_ref().map(|it| format!("kind:{it}")));
        all.extend(self.publisher.as_ref().map(|it| format!("by:{it}")));
        all.extend(self.free.map(price));
        if all.is_empty() {
            all.insert(EVERY.to_owned());
        }
        (all.len() <= TOKENS_MAX).then(|| all.into_iter().collect())
    }
}

fn price(free: bool) -> String {
    if free { "price:free" } else { "price:paid" }.to_owned()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let word = |word: &str| word.to_lowercase().chars().take(WORD_CHARS_MAX).collect::<String>();
    parts.take(WORDS_MAX).map(word)
}

/// Every token of a release.
pub(crate) fn tokens(manifest: &Manifest) -> Vec<String> {
    let mut all = BTreeSet::from([EVERY.to_owned()]);
    for word in words(&manifest.name.to_string()) {
        let chars: Vec<char> = word.chars().collect();
        for length in BEGINNING_MIN..chars.len() {
            all.extend(chars.get(..length).map(|beginning| beginning.iter().collect::<String>()));
        }
        all.insert(word);
    }
    all.extend(words(&manifest.summary));
    for name in manifest.functions.keys() {
        all.extend(words(name.as_str()));
    }
    all.insert(format!("kind:{}", manifest.kind));
    all.insert(format!("by:{}", manifest.name.publisher));
    all.insert(price(manifest.price.as_ref().is_none_or(|it| it.per_call.micros == 0)));
    for change in Diff::declared(&Declarations::default(), &manifest.capabilities).changes() {
        let kind = change.capability.as_ref().map(ToString::to_string).unwrap_or_default();
        all.insert(format!("cap:{}", kind.split('.').next().unwrap_or_default()));
    }
    all.into_iter().collect()
}

/// What a capsule asks for, one line for each right, for people.
pub(crate) fn capabilities(declared: &Declarations) -> Vec<String> {
    let all = Diff::declared(&Declarations::default(), declared);
    let plain = |words: &str| words.replacen("may now ", "may ", 1);
    let line = |change: &soma_market::diff::Change| match &change.capability {
        Some(capability) => format!("{capability}: {}", plain(&change.words)),
        None => plain(&change.words),
    };
    all.changes().iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_its_words_and_filters_and_bounded() {
        let query = Query {
            words: "List GitHub-issues".to_owned(),
            capability: Some("http".to_owned()),
            free: Some(true),
            ..Query::default()
        };
        assert_eq!(query.tokens().unwrap(), ["cap:http", "github", "issues", "list", "price:free"]);
        assert_eq!(Query::default().tokens().unwrap(), [EVERY]);
        let long = Query { words: "a b c d e f g h i".to_owned(), ..Query::default() };
        assert!(long.tokens().is_none());
    }
}
