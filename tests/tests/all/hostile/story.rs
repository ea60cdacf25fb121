//! Attacks that take several steps: kills in mid-flight, withdrawn grants, another tenant, bombs for
//! the compiler, the cache and the store changed behind the host's back.

mod disk;
mod flight;

use serde_json::json;
use soma_tests::TestHost;
use soma_tests::tokens::mint_for;

use super::judge::Got;
use super::place::Place;
use super::table::{By, Table};
use super::wat::of_install;
use super::{Line, served, timed};

pub(crate) async fn run(table: &Table, host: TestHost, place: &Place) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in table.rows_by(By::Story) {
        match row.name.as_str() {
            name if name.starts_with("kill-") => {
                lines.push(served(table, row, &host, flight::killed(row, &host, place)).await);
            }
            "grant-withdrawn" => {
                lines.push(served(table, row, &host, flight::withdrawn(&host, place)).await)
            }
            "compile-bomb-deep" => lines.push(served(table, row, &host, bomb(&host, place)).await),
            "other-tenant-read" => {
                lines.push(served(table, row, &host, other_tenant(&host, place)).await)
            }
            _ => {}
        }
    }
    host.stop().await.unwrap();
    // These need the host down, and the last one leaves the store spoilt.
    for row in table.rows_by(By::Story) {
        match row.name.as_str() {
            "cache-tampered" => lines.push(timed(table, row, disk::cache_tampered(place)).await),
            "cache-swapped" => lines.push(timed(table, row, disk::cache_swapped(place)).await),
            _ => {}
        }
    }
    for row in table.rows_by(By::Story).filter(|row| row.name == "package-swapped-in-store") {
        lines.push(timed(table, row, disk::store_swapped(place)).await);
    }
    lines
}

/// One function of blocks in blocks, each with a jump to all of them: the worst for a compiler.
async fn bomb(host: &TestHost, place: &Place) -> Got {
    const DEPTH: usize = 1500;
    let targets: String = (0..DEPTH).map(|n| format!("{n} ")).collect();
    let jump = format!("(br_table {targets} (local.get 0))");
    let body = (0..DEPTH).fold(jump.clone(), |inner, _| format!("(block {inner}) {jump}"));
    let text = format!(
        "(component (core module $m (func $f (param i32) {body}) (func (export \"run\") (call $f (i32.const 1))))
           (core instance $i (instantiate $m)) (func (export \"run\") (canon lift (core func $i \"run\"))))"
    );
    let package = place.forge.package(&wat::parse_str(text).unwrap(), "bomb");
    let home = &place.range.home;
    let path = package.write(&home.beside("hostile"), "bomb").unwrap();
    let install = home
        .soma()
        .unwrap()
        .args(["install"])
        .args([path])
        .args(["--as", "bomb"])
        .finish()
        .await
        .unwrap();
    if install.code != 0 {
        return of_install(&install);
    }
    match host.call("bomb", "run", &json!({})).await {
        Ok(reply) => Got::of_call(host, &reply).await,
        Err(error) => Got::nothing(&error.to_string()),
    }
}

/// One tenant says, another listens under the same capsule and the same key.
async fn other_tenant(host: &TestHost, place: &Place) -> Got {
    let home = &place.range.home;
    let say = json!({ "attack": "storage.say", "argument": "for my own ears" });
    let said = host.call("guest", "run", &say).await.unwrap();
    assert_eq!(said.status, 200, "{:?}", said.body);
    let token = mint_for(home.path(), "other", &["call:*", "read:calls"]).await.unwrap();
    let hear = json!({ "attack": "storage.hear", "argument": "" });
    let reply = host.call_as(&token, "guest", "run", &hear).await.unwrap();
    let mut got =
        Got { code: reply.code().to_owned(), shown: reply.body.to_string(), ..Got::default() };
    got.kind = if reply.status == 200 { "ok".to_owned() } else { "guest-error".to_owned() };
    if got.shown.contains("for my own ears") {
        got.wrong.push("one tenant heard the other".to_owned());
    }
    let foreign = host.call_as(&token, "honest", "slugify", &json!({ "text": "x" })).await.unwrap();
    if foreign.status != 404 {
        got.wrong.push(format!("another tenant's installation answers {}", foreign.status));
    }
    got
}
