//! `soma/csv`, on the data that ships with it.

use serde_json::{Value, json};
use soma_tests::{TestHome, TestHost, guests};

fn planets() -> String {
    std::fs::read_to_string(guests::library_folder("csv").join("data/planets.csv")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_converts_queries_and_aggregates_real_data() {
    let home = TestHome::new().await.unwrap();
    home.install("csv", "csv", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let call = async |function, arguments| host.call("csv", function, &arguments).await.unwrap();

    let reply = call("to-json", json!({ "text": planets() })).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let json_text = reply.body.as_str().unwrap().to_owned();
    let rows: Vec<Value> = serde_json::from_str(&json_text).unwrap();
    assert_eq!((rows.len(), &rows[5]["name"]), (9, &json!("Saturn")));

    let query = json!({
        "select": ["name", "moons"],
        "where": [{ "column": "rings", "is": "equals", "value": "true" }],
        "sort": [{ "column": "moons", "descending": true }],
        "limit": "2",
    });
    let found = call("query", json!({ "text": planets(), "query": query })).await;
    assert_eq!(found.body, json!("name,moons\r\nSaturn,146\r\nJupiter,95\r\n"));

    let measures = json!([{ "column": "moons", "operation": "sum" }]);
    let grouped =
        call("aggregate", json!({ "text": planets(), "by": ["kind"], "measures": measures })).await;
    let expected =
        "kind,sum_moons\r\nterrestrial,3\r\ngas giant,241\r\nice giant,44\r\ndwarf planet,5\r\n";
    assert_eq!(grouped.body, json!(expected));

    let back = call("from-json", json!({ "json": json_text })).await;
    assert_eq!(back.body.as_str().unwrap().lines().count(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_table_names_its_line_and_an_unknown_column_the_known_ones() {
    let home = TestHome::new().await.unwrap();
    home.install("csv", "csv", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let broken = host.call("csv", "to-json", &json!({ "text": "a,b\n1\n" })).await.unwrap();
    assert_eq!(broken.body["guest_error"]["malformed"]["line"], json!("2"), "{:?}", broken.body);
    let query = json!({ "select": ["c"], "where": [], "sort": [] });
    let unknown =
        host.call("csv", "query", &json!({ "text": "a,b\n", "query": query })).await.unwrap();
    assert_eq!(unknown.body["guest_error"], json!({ "unknown-column": ["a", "b"] }));
}
