//! The gate matrix: every function of every interface version that this host speaks of, and every
//! capability, in each of six cases. Nothing is listed by hand that could be forgotten: the functions
//! come from the WIT text, and a function without a row fails the test.

mod capabilities;
mod interfaces;

use serde::Serialize;
use serde_json::json;
use soma_tests::{TestHost, report};

use capabilities::Stage;

/// What may be the matter with a use of a capability.
pub(crate) const CASES: [&str; 6] =
    ["undeclared", "not granted", "ruled out", "over budget", "killed", "allowed"];

/// One cell.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cell {
    pub(crate) capability: String,
    pub(crate) case: &'static str,
    pub(crate) expected: String,
    pub(crate) outcome: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_and_capability_is_decided_in_every_case() {
    let functions = interfaces::all();
    let stage = Stage::new().await;
    let host = TestHost::start(&stage.range.home).await.unwrap();
    let mut cells = Vec::new();
    for kind in capabilities::KINDS {
        for case in CASES {
            cells.push(stage.cell(&host, kind, case).await);
        }
    }
    let links = stage.links(&functions);
    print_table(&cells);

    let document = json!({ "schema": "soma.gate-matrix.v1", "cells": cells, "links": links, "functions": functions });
    let path = report::write("gate-matrix", &document).unwrap();
    println!(
        "{} functions · {} cells · written to {}",
        functions.len(),
        cells.len(),
        path.display()
    );

    interfaces::assert_all_are_decided(&functions);
    assert_eq!(cells.len(), capabilities::KINDS.len() * CASES.len());
    let wrong: Vec<&Cell> =
        cells.iter().chain(&links).filter(|cell| cell.expected != cell.outcome).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn print_table(cells: &[Cell]) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for chunk in cells.chunks(CASES.len()) {
        let name = chunk.first().map(|cell| cell.capability.clone()).unwrap_or_default();
        rows.push([vec![name], chunk.iter().map(|cell| cell.outcome.clone()).collect()].concat());
    }
    let header: Vec<&str> = ["capability"].into_iter().chain(CASES).collect();
    println!("{}", report::table(&header, &rows));
}
