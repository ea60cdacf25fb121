//! The hostile table of `capsules/hostile/expected.toml`: every row is run against one real host,
//! which must end it as the row says, in its time, and serve an honest capsule all the while.

mod forge;
mod guest;
mod judge;
mod package;
mod place;
mod plant;
mod story;
mod table;
mod verified;
mod wat;
mod web;

use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use soma_tests::{TestHost, report};

use judge::Got;
use place::Place;
use table::{By, Row, Table};

/// One line of the report.
#[derive(Debug, Serialize)]
struct Line {
    guest: String,
    attacks: String,
    expected: String,
    got: String,
    milliseconds: u128,
    met: bool,
    why: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hostile_guest_meets_its_end() {
    let table = Table::read();
    let place = Place::new(&table).await;
    let mut lines = Vec::new();
    for row in table.rows_by(By::Package) {
        lines.push(timed(&table, row, package::run(row, &place)).await);
    }
    for row in table.rows_by(By::Wat).filter(|row| row.expect == "refused") {
        lines.push(timed(&table, row, wat::refused(row, &place)).await);
    }
    let host = TestHost::start(&place.range.home).await.unwrap();
    for row in table.rows_by(By::Wat).filter(|row| row.expect != "refused") {
        lines.push(served(&table, row, &host, wat::called(row, &host)).await);
    }
    for row in table.rows_by(By::Guest) {
        lines.push(served(&table, row, &host, guest::run(row, &place, &host)).await);
    }
    for row in table.rows_by(By::Web) {
        lines.push(served(&table, row, &host, web::run(row, &host)).await);
    }
    let peak = host.memory_peak().unwrap();
    lines.extend(story::run(&table, host, &place).await);
    finish(&table, &lines, peak);
}

/// Runs a row, and asks the honest capsule right after it.
async fn served(table: &Table, row: &Row, host: &TestHost, run: impl Future<Output = Got>) -> Line {
    let mut line = timed(table, row, run).await;
    let honest = host.call("honest", "slugify", &json!({ "text": "Still here" })).await;
    if !honest.is_ok_and(|reply| reply.body == json!("still-here")) {
        line.met = false;
        line.why.push_str("; the host no longer serves others");
    }
    line
}

async fn timed(table: &Table, row: &Row, run: impl Future<Output = Got>) -> Line {
    let started = Instant::now();
    let got = tokio::time::timeout(table.within() * 4, run).await;
    let took = started.elapsed();
    let got = got.unwrap_or_else(|_| Got::nothing("the attack did not end"));
    let mut why = got.against(row);
    if took > table.within() {
        why.push(format!("it took {took:?}"));
    }
    let line = Line {
        guest: row.name.clone(),
        attacks: row.attacks.clone(),
        expected: row.expected(),
        got: got.summary(),
        milliseconds: took.as_millis(),
        met: why.is_empty(),
        why: why.join("; "),
    };
    if !line.met {
        eprintln!("{}: expected {}, got {} ({})", line.guest, line.expected, line.got, line.why);
    }
    line
}

fn finish(table: &Table, lines: &[Line], peak: u64) {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let met = if line.met { "ok" } else { "MISSED" };
            vec![
                line.guest.clone(),
                line.expected.clone(),
                line.got.clone(),
                format!("{} ms", line.milliseconds),
                met.to_owned(),
            ]
        })
        .collect();
    println!("{}", report::table(&["guest", "expected", "got", "time", ""], &rows));
    println!("{} guests · memory at most {} MiB", lines.len(), peak >> 20);
    let document = json!({ "schema": "soma.hostile.v1", "memory_peak": peak, "guests": lines });
    let path = report::write("hostile", &document).unwrap();
    println!("written to {}", path.display());

    assert_eq!(lines.len(), table.guest.len(), "every row is run exactly once");
    assert!(lines.len() >= 40);
    assert!(peak <= table.memory(), "the host held {} MiB", peak >> 20);
    let missed: Vec<&str> = lines.iter().filter(|l| !l.met).map(|l| l.guest.as_str()).collect();
    assert!(missed.is_empty(), "{} of {} rows are not met: {missed:?}", missed.len(), lines.len());
}
