//! Figures as the report of `make bench` reads them, and the percentiles that they are.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

/// Figures of one program.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<Value>);

impl Rows {
    /// Adds milliseconds at some percentiles; the last of them is judged if there is an aim.
    pub(crate) fn times(
        &mut self,
        id: &str,
        percents: &[u8],
        times: &[Duration],
        against: &str,
        at_most: Option<f64>,
    ) {
        for percent in percents {
            let value = percentile(times, *percent).as_secs_f64() * 1e3;
            let judged = at_most.filter(|_| Some(percent) == percents.last());
            self.add(&format!("{id}.p{percent}"), value, "ms", against, judged);
        }
    }

    /// Adds one figure.
    pub(crate) fn add(
        &mut self,
        id: &str,
        value: f64,
        unit: &str,
        against: &str,
        at_most: Option<f64>,
    ) {
        let row = json!({ "id": id, "value": value, "unit": unit, "against": against, "at_most": at_most });
        say(&row.to_string());
        self.0.push(row);
    }

    /// Leaves them where the report looks for them.
    pub(crate) fn write(&self, name: &str) -> anyhow::Result<()> {
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(3).context("the bench lies in no target folder")?;
        let folder = target.join("bench/parts");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(
            folder.join(format!("{name}.json")),
            serde_json::to_vec_pretty(&self.0)?,
        )?)
    }
}

/// The value below which `percent` of the values lie.
pub(crate) fn percentile(values: &[Duration], percent: u8) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * usize::from(percent)).div_ceil(100)).copied().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "figures on the screen are what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
