//! Making foreign text harmless for a terminal.
//!
//! Control characters (but newline and tab), escape sequences, and the marks that reorder or hide text
//! become visible. JSON stays the same document: there they are written as `\u` escapes.

use std::borrow::Cow;
use std::fmt::Write;

/// Foreign text as it may be shown to a person.
pub(crate) fn neutral(text: &str) -> Cow<'_, str> {
    rewrite(text, |letter, shown| {
        let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
    })
}

/// Printed JSON as it may be shown on a terminal: the same document, letter by letter.
pub(crate) fn neutral_json(text: &str) -> Cow<'_, str> {
    rewrite(text, |letter, shown| {
        let mut units = [0; 2];
        for unit in letter.encode_utf16(&mut units) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

fn rewrite(text: &str, show: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_active(letter) { show(letter, &mut shown) } else { shown.push(letter) }
    }
    Cow::Owned(shown)
}

/// Whether a terminal, or a reader's eye, may be led astray by it.
fn is_active(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_visible_and_nothing_else_changes() {
        assert_eq!(neutral("a\x1b[31mred\x07"), "a\\u{1b}[31mred\\u{7}");
        assert_eq!(
            neutral("C1 \u{9b}2J, back\r, bidi \u{202e}x"),
            "C1 \\u{9b}2J, back\\u{d}, bidi \\u{202e}x"
        );
        assert!(matches!(neutral("plain\tünïcode ✓\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_means_the_same_after_it() {
        let value = serde_json::json!({ "k\u{9b}": "x\u{1b}\u{202e}\u{e0001}\r" });
        let printed = value.to_string();
        let safe = neutral_json(&printed);
        assert!(!safe.chars().any(is_active), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
