//! `expected.toml` as values.

use std::time::Duration;

use serde::Deserialize;
use soma_policy::{Bytes, Millis};
use soma_tests::guests;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    schema: u32,
    within: Millis,
    memory: Bytes,
    pub(crate) guest: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    Wat,
    Guest,
    Web,
    Package,
    Story,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) attacks: String,
    pub(crate) by: By,
    #[serde(default)]
    pub(crate) attack: String,
    #[serde(default)]
    pub(crate) argument: String,
    #[serde(default)]
    pub(crate) args: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub(crate) path: String,
    pub(crate) expect: String,
    pub(crate) code: Option<String>,
    pub(crate) denial: Option<String>,
    pub(crate) result: Option<String>,
    pub(crate) contains: Option<String>,
    #[serde(default)]
    pub(crate) no_control: bool,
    #[serde(default)]
    pub(crate) stream: bool,
}

impl Table {
    pub(crate) fn read() -> Self {
        let path = guests::repository().join("capsules/hostile/expected.toml");
        let table: Self = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(table.schema, 1);
        let mut names: Vec<&str> = table.guest.iter().map(|row| row.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "each row is a distinct attack");
        table
    }

    pub(crate) fn rows_by(&self, by: By) -> impl Iterator<Item = &Row> {
        let only = std::env::var("SOMA_HOSTILE").unwrap_or_default();
        self.guest.iter().filter(move |row| row.by == by && row.name.contains(&only))
    }

    pub(crate) fn within(&self) -> Duration {
        Duration::from_millis(self.within.0)
    }

    pub(crate) fn memory(&self) -> u64 {
        self.memory.0
    }
}

impl Row {
    /// The expectation in a few words.
    pub(crate) fn expected(&self) -> String {
        let parts = [Some(&self.expect), self.code.as_ref(), self.denial.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}
