//! Lists for people: columns on a terminal and in a pipe, without frames.

use comfy_table::{ContentArrangement, TableStyle};

use super::neutral;

/// A list with a head.
#[derive(Debug)]
pub(crate) struct Table {
    inner: comfy_table::Table,
    rows: usize,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
        inner.set_header(head.iter().map(|h| (*h).to_owned()));
        Self { inner, rows: 0 }
    }

    /// Adds a row; foreign text in it is neutralised and kept on one line.
    pub(crate) fn row<I: IntoIterator<Item = S>, S: AsRef<str>>(&mut self, cells: I) {
        self.inner
            .add_row(cells.into_iter().map(|c| neutral(c.as_ref()).replace(['\n', '\t'], " ")));
        self.rows += 1;
    }

    /// The list as text, or `empty` if there is no row.
    pub(crate) fn text(&self, empty: &str) -> String {
        if self.rows == 0 {
            return empty.to_owned();
        }
        let lines: Vec<String> = self.inner.lines().map(|l| l.trim_end().to_owned()).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_their_heads_and_foreign_text_is_tamed() {
        let mut table = Table::new(&["id", "state"]);
        table.row(["issues", "active"]);
        table.row(["x\x1b[2J", "a\nb"]);
        let text = table.text("none");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("x\\u{1b}[2J") && text.contains("a b"), "{text}");
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(Table::new(&["id"]).text("no installations"), "no installations");
    }
}
