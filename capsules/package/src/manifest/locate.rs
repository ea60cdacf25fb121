//! Where in capsule.toml something stands, so that a message can say the line.

use toml_edit::{Document, Item, Value};

/// The line of a byte offset, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// The line of the key at `path`, or of the nearest table above it; `None` when the text is not
/// TOML or holds none of it.
#[must_use]
pub fn locate<S: AsRef<str>>(text: &str, path: &[S]) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let mut at: &dyn toml_edit::TableLike = document.as_table();
    let mut found = None;
    for key in path {
        let Some((name, item)) = at.get_key_value(key.as_ref()) else { break };
        let table = match item {
            Item::Table(table) => table.span(),
            _ => None,
        };
        found = table.or_else(|| name.span()).or_else(|| item.span()).or(found);
        let next: Option<&dyn toml_edit::TableLike> = match item {
            Item::Table(table) => Some(table),
            Item::Value(Value::InlineTable(table)) => Some(table),
            _ => None,
        };
        let Some(next) = next else { break };
        at = next;
    }
    found.map(|span| line_of(text, span.start))
}
