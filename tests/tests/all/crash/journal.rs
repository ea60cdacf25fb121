//! What a host's journal holds, read over its own route and proven by its own command.

use std::collections::BTreeMap;

use serde_json::Value;
use soma_tests::{TestHome, TestHost};

/// The entries of a journal.
pub(crate) struct Entries(Vec<Value>);

impl Entries {
    /// Every durable entry of a host that runs; the chain is proven first.
    pub(crate) async fn of(home: &TestHome, host: &TestHost) -> Self {
        let proven = home.soma().unwrap().args(["audit", "verify"]).finish().await.unwrap();
        assert_eq!(proven.code, 0, "{proven:?}");
        Self::read(host).await
    }

    /// Every durable entry of a host that runs.
    pub(crate) async fn read(host: &TestHost) -> Self {
        let (mut entries, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let page = host.get(&format!("/v1/journal?limit=1000&cursor={cursor}")).await.unwrap();
            let items = page["items"].as_array().unwrap();
            if items.is_empty() {
                return Self(entries);
            }
            let records = items.iter().map(|item| item["record"].as_str().unwrap());
            let records = records.map(|record| serde_json::from_str::<Value>(record).unwrap());
            entries.extend(records.filter_map(|record| record.get("entry").cloned()));
            cursor = page["next"].as_str().unwrap().to_owned();
        }
    }

    /// The entries of one kind.
    pub(crate) fn kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |entry| entry["kind"] == kind).map(|entry| &entry["body"])
    }

    /// The outcomes of a call's receipts.
    pub(crate) fn outcomes(&self, call: &str) -> Vec<String> {
        let own = self.kind("receipt").filter(|it| it["facts"]["call"] == call);
        own.map(|receipt| receipt["outcome"]["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// How often a call was started.
    pub(crate) fn starts(&self, call: &str) -> usize {
        self.kind("start").filter(|it| it["facts"]["call"] == call).count()
    }

    /// Every start has one receipt, and every receipt one start.
    pub(crate) fn assert_paired(&self) {
        let mut calls = BTreeMap::<&str, (usize, usize)>::new();
        for start in self.kind("start") {
            calls.entry(start["facts"]["call"].as_str().unwrap()).or_default().0 += 1;
        }
        for receipt in self.kind("receipt") {
            calls.entry(receipt["facts"]["call"].as_str().unwrap()).or_default().1 += 1;
        }
        let odd: Vec<_> = calls.iter().filter(|(_, counts)| **counts != (1, 1)).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}
