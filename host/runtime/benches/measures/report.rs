//! What was measured: on the screen, as JSON for machines, as a table for the book.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
    /// Shown, not judged.
    None,
}

impl Aim {
    fn met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::None => None,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Self::AtLeast(least) => Some(format!("≥ {least}")),
            Self::AtMost(most) => Some(format!("≤ {most}")),
            Self::None => None,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Row {
    id: String,
    value: f64,
    unit: String,
    against: String,
    aim: Option<String>,
    met: Option<bool>,
}

/// All rows of one run.
pub(crate) struct Report {
    folder: PathBuf,
    rows: Vec<Row>,
    facts: Vec<(String, String)>,
}

impl Report {
    /// Begins with what other programs of the same run have left in `parts/`.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut report = Self { folder: folder.to_owned(), rows: Vec::new(), facts: Vec::new() };
        report.fact("machine", machine());
        if let Ok(parts) = std::fs::read_dir(folder.join("parts")) {
            for part in parts {
                report.take(&part?.path())?;
            }
        }
        Ok(report)
    }

    fn take(&mut self, part: &Path) -> anyhow::Result<()> {
        let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(part)?)
            .with_context(|| format!("{} is no list", part.display()))?;
        for row in rows {
            let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
            let value = row.get("value").and_then(Value::as_f64).context("a row has no value")?;
            let bound = |name: &str| row.get(name).and_then(Value::as_f64);
            let aim = match (bound("at_least"), bound("at_most")) {
                (Some(least), _) => Aim::AtLeast(least),
                (None, Some(most)) => Aim::AtMost(most),
                (None, None) => Aim::None,
            };
            let (id, unit) = (text("id").unwrap_or_default(), text("unit").unwrap_or_default());
            self.row(&id, value, &unit, &text("against").unwrap_or_default(), aim);
        }
        Ok(())
    }

    /// Adds a figure and shows it.
    pub(crate) fn row(&mut self, id: &str, value: f64, unit: &str, against: &str, aim: Aim) {
        let value = (value * 1000.0).round() / 1000.0;
        let row = Row {
            id: id.to_owned(),
            value,
            unit: unit.to_owned(),
            against: against.to_owned(),
            aim: aim.text(),
            met: aim.met(value),
        };
        say(&line(&row));
        self.rows.push(row);
    }

    /// Something about the machine or the run that belongs to every figure.
    pub(crate) fn fact(&mut self, name: &str, words: String) {
        say(&format!("{name:<10} {words}"));
        self.facts.push((name.to_owned(), words));
    }

    /// Writes the results, and into the book if asked.
    pub(crate) fn finish(self, docs: bool) -> anyhow::Result<()> {
        let path = self.folder.join("results.json");
        std::fs::write(&path, serde_json::to_vec_pretty(&self.rows)?)?;
        std::fs::write(
            self.folder.join("facts.json"),
            serde_json::to_vec_pretty(&json!(self.facts))?,
        )?;
        let missed = self.rows.iter().filter(|row| row.met == Some(false)).count();
        let judged = self.rows.iter().filter(|row| row.met.is_some()).count();
        say(&format!("{} of {judged} aims met · {}", judged - missed, path.display()));
        if docs { self.write_docs() } else { Ok(()) }
    }

    fn write_docs(&self) -> anyhow::Result<()> {
        const BEGIN: &str = "<!-- results -->";
        const END: &str = "<!-- end of results -->";
        let path = soma_tests::guests::repository().join("docs/benchmarks.md");
        let text = std::fs::read_to_string(&path)?;
        let (before, rest) = text.split_once(BEGIN).context("docs/benchmarks.md has no results")?;
        let (_, after) =
            rest.split_once(END).context("docs/benchmarks.md has no end of results")?;
        Ok(std::fs::write(&path, format!("{before}{BEGIN}\n{}{END}{after}", self.markdown()))?)
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        for (name, words) in &self.facts {
            let _ = writeln!(text, "- {name}: {words}");
        }
        text.push_str(
            "\n| figure | value | unit | against | aim | met |\n|---|---:|---|---|---|---|\n",
        );
        for row in &self.rows {
            let met = row.met.map_or("", |met| if met { "yes" } else { "no" });
            let aim = row.aim.as_deref().unwrap_or("");
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {aim} | {met} |",
                row.id, row.value, row.unit, row.against
            );
        }
        text
    }
}

fn line(row: &Row) -> String {
    let met = row.met.map_or("", |met| if met { "met" } else { "MISSED" });
    let aim = row.aim.as_deref().unwrap_or("");
    format!("{:<34} {:>12} {:<12} {:<44} {aim:<8} {met}", row.id, row.value, row.unit, row.against)
}

#[expect(clippy::print_stdout, reason = "a table on the screen is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let memory = read("/proc/meminfo");
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1));
    let gib = memory.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / (1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = model.trim_start_matches([' ', '\t', ':']).trim();
    format!("{cpus} CPUs ({model}), {gib} GiB, Linux {}", kernel.trim())
}
