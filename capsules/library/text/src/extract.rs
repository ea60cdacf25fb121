//! Finds web and e-mail addresses in running text. It is a reader for people's prose, not a
//! validator: it leaves unusual quoted forms alone rather than guess.

use crate::References;

pub(crate) fn references(text: &str) -> References {
    let mut found = References { links: Vec::new(), emails: Vec::new() };
    for token in text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`')) {
        if let Some(start) = link_start(token) {
            push(&mut found.links, tidy(token.get(start..).unwrap_or_default()));
        } else {
            let word = token.trim_matches(|c: char| !c.is_alphanumeric());
            if is_email(word) {
                push(&mut found.emails, word);
            }
        }
    }
    found
}

fn link_start(token: &str) -> Option<usize> {
    ["https://", "http://"].iter().filter_map(|scheme| token.find(scheme)).min()
}

/// Punctuation that ends the sentence is not part of the link; a bracket is, if it was opened.
fn tidy(link: &str) -> &str {
    let mut link = link;
    loop {
        let cut = link.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', ']', '*']);
        let unbalanced = cut.ends_with(')') && cut.matches(')').count() > cut.matches('(').count();
        let next = if unbalanced { cut.strip_suffix(')').unwrap_or(cut) } else { cut };
        if next.len() == link.len() {
            return link;
        }
        link = next;
    }
}

fn is_email(word: &str) -> bool {
    let Some((local, domain)) = word.split_once('@') else { return false };
    let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_alphanumeric() || c == '-');
    !local.is_empty()
        && local.chars().all(|c| c.is_ascii_alphanumeric() || "._%+-".contains(c))
        && domain.contains('.')
        && domain.split('.').all(label)
}

fn push(list: &mut Vec<String>, item: &str) {
    let scheme_only = item.ends_with("://");
    if !item.is_empty() && !scheme_only && !list.iter().any(|known| known == item) {
        list.push(item.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lose_the_punctuation_of_the_sentence_but_keep_their_own_brackets() {
        let found = references(
            "See (https://example.org/a_(b)), http://x.test/?q=1. <https://example.org/a_(b)>!",
        );
        assert_eq!(found.links, ["https://example.org/a_(b)", "http://x.test/?q=1"]);
    }

    #[test]
    fn emails_are_found_once_and_half_ones_are_not() {
        let found = references("Write to ann@example.org, ann@example.org; not to @x or a@b.");
        assert_eq!(found.emails, ["ann@example.org"]);
    }
}
