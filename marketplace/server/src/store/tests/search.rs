//! That a search costs as much as its page: it is led through the index, and nothing is sorted or scanned.

use sqlx::Row as _;

use crate::fixture::TestDatabase;
use crate::store::capsules::SEARCH;

#[tokio::test]
async fn a_search_scans_no_table_and_sorts_nothing() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {SEARCH}"));
    let mut query = sqlx::query(sql).bind("every").bind("").bind(i64::MAX);
    for token in ["csv", "cap:http", "", "", "", "", ""] {
        query = query.bind(token);
    }
    let rows = query.bind(51i64).fetch_all(store.raw().0.unwrap()).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    assert!(plan.iter().any(|step| step.contains("SEARCH t USING")), "{plan:?}");
    for step in &plan {
        assert!(!step.starts_with("SCAN") || step.contains("CONSTANT"), "{plan:?}");
        assert!(!step.contains("TEMP B-TREE"), "{plan:?}");
    }
}
