//! `search.10k`: what a search of the catalogue takes with ten thousand releases in it, beside one with a hundred.
//!
//! The searches are those of a person who browses: everything, a topic, the beginning of a word, two words, a name,
//! filters, a page in the middle, and two words that no capsule has together, which is the most that a search of two
//! words can cost. Each kind is as frequent as the others. A search goes through the server's router, token included.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::stall::Stall;
use super::catalogue::{TOPICS, TURNS, fill, name};
use super::{leave, many, p95};
use crate::fixture::TestDatabase;

const LARGE: usize = many(10_000, 200);
const SMALL: usize = many(100, 20);
/// Searches of each kind in one turn, and turns; the first one is thrown away.
const EACH: usize = many(20, 1);
const ROUNDS: usize = many(10, 1);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
async fn a_search_in_ten_thousand_releases_is_like_one_in_a_hundred() {
    let databases = (TestDatabase::sqlite(), TestDatabase::sqlite());
    let mut rows = measured("sqlite", databases).await;
    if let (Some(large), Some(small)) =
        (TestDatabase::postgres().await, TestDatabase::postgres().await)
    {
        rows.extend(measured("postgres", (large, small)).await);
    }
    leave("search", &rows);
}

async fn measured(on: &str, (large, small): (TestDatabase, TestDatabase)) -> Vec<Value> {
    let large = Shop::open(large, LARGE).await;
    let small = Shop::open(small, SMALL).await;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (one, other) = (large.turn(round).await, small.turn(round).await);
        if round > 0 {
            ours.extend(one);
            floor.extend(other);
        }
    }
    let (ours, floor) = (p95(&mut ours), p95(&mut floor));
    let against = format!("{SMALL} releases: p95 {floor:.2} ms");
    let row = |id: String, value: f64, unit: &str, most: f64| json!({ "id": id, "value": value, "unit": unit, "against": against, "at_most": most });
    vec![
        row(format!("search.10k.{on}"), ours / floor, "ratio of p95", 2.0),
        row(format!("search.10k.{on}.p95"), ours, "ms", 50.0),
    ]
}

/// A marketplace with so many releases, and a tenant who browses it.
struct Shop {
    stall: Stall,
    releases: usize,
}

impl Shop {
    async fn open(database: TestDatabase, releases: usize) -> Self {
        let stall = Stall::open(database).await;
        fill(&stall, releases).await;
        let shop = Self { stall, releases };
        // Each kind finds what it should, so that nothing is quick because it is empty.
        for (kind, query) in shop.queries(3).iter().enumerate() {
            let found = shop.find(query).await["items"].as_array().unwrap().len();
            assert_eq!(found == 0, kind == NOTHING, "{query}: {found} of {releases}");
        }
        shop
    }

    /// One query of each kind.
    fn queries(&self, nth: usize) -> [String; 10] {
        let at = (nth * 7919) % self.releases;
        let (topic, turn) = (TOPICS[at % 10], TURNS[at / 10 % 10]);
        let middle = URL_SAFE_NO_PAD.encode(name(self.releases / 2));
        [
            String::new(),
            format!("q={topic}"),
            format!("q={}", &topic[..4]),
            format!("q={topic}%20{turn}"),
            format!("q=n{at}"),
            "free=false&price_max=300".to_owned(),
            "capability=http".to_owned(),
            "kind=task&free=true&limit=20".to_owned(),
            format!("publisher=acme&cursor={middle}"),
            format!("q={}%20{}", TOPICS[at % 10], TOPICS[(at + 1) % 10]),
        ]
    }

    async fn find(&self, query: &str) -> Value {
        let path = format!("/v1/capsules?{query}");
        self.stall.stage.get(&path, &self.stall.globex.token).await.expect(200)
    }

    /// The times of one turn in milliseconds.
    async fn turn(&self, round: usize) -> Vec<f64> {
        let mut took = Vec::new();
        for nth in 0..EACH {
            for query in self.queries(round * EACH + nth) {
                let begun = Instant::now();
                self.find(&query).await;
                took.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        took
    }
}

/// The place of the kind that finds nothing.
const NOTHING: usize = 9;
