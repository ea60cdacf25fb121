//! Counts by Unicode's own word and sentence rules (UAX #29), not by splitting on spaces.
//! It does not guess a language: stop words are English only, and say so.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use crate::{Statistics, WordCount, stopwords};

const WORDS_PER_MINUTE: u64 = 230;

pub(crate) fn measure(text: &str) -> Statistics {
    let words: Vec<String> = text.unicode_words().map(str::to_lowercase).collect();
    let mut unique = words.clone();
    unique.sort_unstable();
    unique.dedup();
    Statistics {
        characters: count(text.graphemes(true)),
        bytes: text.len() as u64,
        words: words.len() as u64,
        unique_words: unique.len() as u64,
        sentences: count(sentences(text).into_iter()),
        paragraphs: count(paragraphs(text)),
        lines: count(text.lines()),
        reading_seconds: (words.len() as u64 * 60).div_ceil(WORDS_PER_MINUTE),
    }
}

pub(crate) fn top_words(text: &str, limit: usize) -> Vec<WordCount> {
    let mut counted: Vec<WordCount> =
        frequencies(text).into_iter().map(|(word, count)| WordCount { word, count }).collect();
    counted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word)));
    counted.truncate(limit);
    counted
}

/// How often each word that carries meaning occurs.
pub(crate) fn frequencies(text: &str) -> HashMap<String, u64> {
    let mut seen = HashMap::new();
    for word in text.unicode_words().map(str::to_lowercase) {
        if !stopwords::contains(&word) {
            *seen.entry(word).or_insert(0) += 1;
        }
    }
    seen
}

/// Sentences that hold at least one word, without the space around them.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    paragraphs(text).flat_map(|part| part.unicode_sentences()).map(str::trim).collect()
}

/// A blank line ends a paragraph.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n")
        .flat_map(|part| part.split("\r\n\r\n"))
        .filter(|part| part.unicode_words().next().is_some())
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_sentences_and_paragraphs_are_counted_by_unicode_rules() {
        let found = measure("Don't panic. It is 3.14!\n\nNaïve café 👩‍👩‍👧.");
        assert_eq!((found.words, found.sentences, found.paragraphs), (7, 3, 2));
        assert_eq!(found.lines, 3);
    }

    #[test]
    fn a_family_emoji_is_one_character() {
        assert_eq!(measure("👩‍👩‍👧").characters, 1);
    }

    #[test]
    fn nothing_counts_as_nothing() {
        let found = measure("");
        assert_eq!((found.words, found.sentences, found.reading_seconds), (0, 0, 0));
    }

    #[test]
    fn top_words_skip_function_words_and_break_ties_by_name() {
        let top = top_words("the cat and the dog and a cat", 5);
        let pairs: Vec<_> = top.iter().map(|w| (w.word.as_str(), w.count)).collect();
        assert_eq!(pairs, [("cat", 2), ("dog", 1)]);
    }
}
