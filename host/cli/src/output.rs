//! What a command says: results to standard output, all else to standard error.
//!
//! A result is a [`Report`]: text for people and a JSON value with a `schema` for programs. Text that
//! comes from guests or from other hosts is neutralised before it reaches a terminal, in every format.

mod columns;
mod neutral;
mod table;

pub(crate) use columns::{Column, listed, shown};
pub(crate) use neutral::{neutral, neutral_json};
pub(crate) use table::Table;

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde_json::{Value, json};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document with `schema`.
    Json,
    /// One JSON document a line: one for each item of a list.
    Jsonl,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal that can.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A result.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    schema: &'static str,
    value: Value,
    text: String,
}

impl Report {
    /// A result with its text and its JSON. `value` should be an object; lists go under `items`.
    pub(crate) fn new(schema: &'static str, value: Value, text: impl Into<String>) -> Self {
        Self { schema, value, text: text.into() }
    }

    /// The words for people.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn document(&self) -> Value {
        with_schema(self.schema, &self.value)
    }

    fn lines(&self) -> Vec<Value> {
        match self.value.get("items").and_then(Value::as_array) {
            Some(items) => items.iter().map(|item| with_schema(self.schema, item)).collect(),
            None => vec![self.document()],
        }
    }
}

fn with_schema(schema: &str, value: &Value) -> Value {
    let mut document = serde_json::Map::new();
    document.insert("schema".to_owned(), json!(schema));
    match value {
        Value::Object(fields) => document.extend(fields.clone()),
        other => {
            document.insert("value".to_owned(), other.clone());
        }
    }
    Value::Object(document)
}

/// Where and how a command prints.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

impl Output {
    pub(crate) fn new(format: Format, quiet: bool, verbose: bool, colour: Colour) -> Self {
        match colour {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self { format, quiet, verbose }
    }

    /// Prints a result on standard output.
    pub(crate) fn report(&self, report: &Report) -> io::Result<()> {
        match self.format {
            Format::Text => write_text(&report.text),
            Format::Json => self.raw_line(&neutral_json(&pretty(&report.document()))),
            Format::Jsonl => {
                report.lines().iter().try_for_each(|l| self.raw_line(&neutral_json(&l.to_string())))
            }
        }
    }

    /// Prints one line of a stream of results (follow, watch, emit).
    pub(crate) fn event(&self, report: &Report) -> io::Result<()> {
        match self.format {
            Format::Text => write_text(&report.text),
            Format::Json | Format::Jsonl => {
                self.raw_line(&neutral_json(&report.document().to_string()))
            }
        }
    }

    /// Prints a line on standard output as it is.
    pub(crate) fn raw_line(&self, line: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Prints bytes on standard output as they are (`call --raw`, `completions`, `key export`).
    pub(crate) fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A remark on standard error; nothing with `-q`.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        if !self.quiet {
            say(&neutral(line.as_ref()));
        }
    }

    /// A warning on standard error; shown with `-q` too.
    pub(crate) fn warn(&self, line: impl AsRef<str>) {
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
        say(&format!("{style}warning{style:#} {}", neutral(line.as_ref())));
    }

    /// Whether a person sees standard error now: progress bars are for them only.
    pub(crate) fn is_interactive(&self) -> bool {
        !self.quiet && self.format == Format::Text && io::stderr().is_terminal()
    }

    /// Something that moves while a long step runs; plain lines where nobody watches.
    pub(crate) fn progress(&self, what: &str) -> Progress {
        if self.is_interactive() {
            let bar = indicatif::ProgressBar::new_spinner().with_message(what.to_owned());
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            Progress(Some(bar))
        } else {
            self.note(what);
            Progress(None)
        }
    }
}

impl Progress {
    /// A bar over so many bytes, for those who watch.
    pub(crate) fn bytes(&self, total: u64) -> impl Fn(u64) + Send + Sync + use<> {
        let bar = self.0.clone();
        if let Some(bar) = &bar {
            bar.set_length(total);
            bar.set_style(indicatif::ProgressStyle::default_bar());
        }
        move |more| {
            if let Some(bar) = &bar {
                bar.inc(more);
            }
        }
    }
}

/// Ends its display when dropped.
#[derive(Debug)]
pub(crate) struct Progress(Option<indicatif::ProgressBar>);

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// One line on standard error. A closed standard error is no reason to fail.
pub(crate) fn say(line: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{line}");
}

fn write_text(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn pretty(value: &Value) -> String {
    // A `Value` always prints; were it not so, its short form is a fair answer too.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_begins_with_its_schema() {
        let report =
            Report::new("soma.list.v1", json!({ "items": [{ "id": "a" }, { "id": "b" }] }), "");
        assert!(report.document().to_string().starts_with("{\"schema\":\"soma.list.v1\""));
        let lines: Vec<String> = report.lines().iter().map(Value::to_string).collect();
        assert_eq!(
            lines,
            [
                "{\"schema\":\"soma.list.v1\",\"id\":\"a\"}",
                "{\"schema\":\"soma.list.v1\",\"id\":\"b\"}"
            ]
        );
    }

    #[test]
    fn a_value_that_is_no_object_still_carries_its_schema() {
        let report = Report::new("soma.x.v1", json!("text"), "");
        assert_eq!(report.document(), json!({ "schema": "soma.x.v1", "value": "text" }));
    }
}
