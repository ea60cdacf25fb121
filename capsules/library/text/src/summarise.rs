//! Extractive summary: a sentence scores the mean frequency of its words, the best ones are kept
//! in their own order. It writes no new text and knows no model.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use crate::{Summary, TextError, statistics, stopwords};

pub(crate) fn summarise(text: &str, wanted: usize) -> Result<Summary, TextError> {
    if wanted == 0 {
        return Err(TextError::NoSentencesAsked);
    }
    let sentences = statistics::sentences(text);
    if sentences.is_empty() {
        return Err(TextError::Empty);
    }
    let frequency = statistics::frequencies(text);
    let mut ranked: Vec<(usize, u64)> =
        sentences.iter().enumerate().map(|(at, s)| (at, score(s, &frequency))).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked.truncate(wanted);
    ranked.sort_unstable_by_key(|(at, _)| *at);
    let chosen: Vec<&str> =
        ranked.iter().filter_map(|(at, _)| sentences.get(*at).copied()).collect();
    Ok(Summary {
        text: chosen.join(" "),
        sentences: ranked.iter().map(|(at, _)| *at as u32).collect(),
        total: sentences.len() as u32,
    })
}

/// Mean frequency in thousandths; very short sentences are discounted, they are mostly headings.
fn score(sentence: &str, frequency: &HashMap<String, u64>) -> u64 {
    const FULL_WEIGHT_WORDS: u64 = 6;
    let words: Vec<String> = sentence
        .unicode_words()
        .map(str::to_lowercase)
        .filter(|word| !stopwords::contains(word))
        .collect();
    let sum: u64 = words.iter().filter_map(|word| frequency.get(word)).sum();
    sum * 1000 / (words.len() as u64).max(FULL_WEIGHT_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Bees make honey. Honey bees keep honey in wax cells of the hive. \
        The weather was fine on that day. A hive of honey bees holds many thousand bees.";

    #[test]
    fn the_sentences_about_the_subject_are_kept_in_their_order() {
        let found = summarise(TEXT, 2).unwrap();
        assert_eq!(found.sentences, [1, 3]);
        assert_eq!(found.total, 4);
        assert!(found.text.starts_with("Honey bees keep"));
    }

    #[test]
    fn more_sentences_than_there_are_gives_the_whole_text() {
        assert_eq!(summarise("One thing. Another thing.", 9).unwrap().sentences, [0, 1]);
    }

    #[test]
    fn an_empty_text_and_an_empty_wish_are_errors() {
        assert!(matches!(summarise(" \n ", 1), Err(TextError::Empty)));
        assert!(matches!(summarise(TEXT, 0), Err(TextError::NoSentencesAsked)));
    }
}
