//! «Did you mean»: the nearest known word, and readable errors for unknown keys.
//!
//! It deliberately knows no vocabulary of its own: each room passes the words that it accepts.

/// The longest word that is compared; longer ones get no suggestion.
const WORD_MAX: usize = 64;

/// The known word nearest to `word`, if it is near enough to be a typing slip.
#[must_use]
pub fn suggest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.is_empty() || word.chars().count() > WORD_MAX {
        return None;
    }
    let slips_max = (word.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "x"?`, or nothing: to be appended to an error text.
#[must_use]
pub fn did_you_mean(word: &str, known: &[&str]) -> String {
    suggest(word, known).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default()
}

/// Turns serde's «unknown field» and «unknown variant» messages into `unknown key "x"; did you mean "y"?`.
///
/// Any other message comes back unchanged. Works for every format, because serde itself words these two.
#[must_use]
pub fn explain_serde(message: &str) -> String {
    for (serde_word, ours) in
        [("unknown field", "unknown key"), ("unknown variant", "unknown value")]
    {
        if let Some(text) = explain_unknown(message, serde_word, ours) {
            return text;
        }
    }
    message.to_owned()
}

fn explain_unknown(message: &str, serde_word: &str, ours: &str) -> Option<String> {
    let (before, rest) = message.split_once(&format!("{serde_word} `"))?;
    let (word, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let hint = match suggest(word, &known) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None if known.is_empty() => String::new(),
        None => format!("; known here: {}", known.join(", ")),
    };
    Some(format!("{before}{ours} \"{word}\"{hint}"))
}

/// Edits between two words: insert, delete, replace, and swapping two neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(previous.len());
        row.push(i + 1);
        for (j, to) in b.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&previous, j) + usize::from(from != to);
            let mut best = replaced.min(at(&previous, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["methods", "paths", "origin"];
        assert_eq!(suggest("method", &known), Some("methods"));
        assert_eq!(suggest("orgiin", &known), Some("origin"));
        assert_eq!(suggest("pahts", &known), Some("paths"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(suggest("colour", &["methods", "paths"]), None);
        assert_eq!(suggest("", &["a"]), None);
        assert_eq!(suggest(&"x".repeat(100), &["x"]), None);
        assert_eq!(did_you_mean("colour", &["methods"]), "");
    }

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn serde_messages_become_suggestions() {
        let said = explain_serde("unknown field `method`, expected one of `origin`, `methods`");
        assert_eq!(said, "unknown key \"method\"; did you mean \"methods\"?");
        let said = explain_serde("unknown variant `raed`, expected `read` or `write`");
        assert_eq!(said, "unknown value \"raed\"; did you mean \"read\"?");
        let said = explain_serde("unknown field `zzz`, expected `origin`");
        assert_eq!(said, "unknown key \"zzz\"; known here: origin");
        assert_eq!(explain_serde("missing field `x`"), "missing field `x`");
    }
}
