//! Both databases have the same tables, the same columns and the same rules, and every table says
//! how long it keeps its rows.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;

use crate::fixture::{START, TestDatabase};
use crate::store::retention::RETENTION;
use crate::store::{Store, StoreError};

/// table → column → (kind, may be null, part of the primary key).
type Schema = BTreeMap<String, BTreeMap<String, (&'static str, bool, bool)>>;

async fn sqlite_schema(store: &Store) -> Schema {
    let pool = store.raw().0.unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut schema = Schema::new();
    for row in sqlx::query(tables).fetch_all(pool).await.unwrap() {
        let table: String = row.get(0);
        let columns = "SELECT name, type, \"notnull\", pk FROM pragma_table_info($1)";
        let columns = sqlx::query(columns).bind(&table).fetch_all(pool).await.unwrap();
        let columns = columns.iter().map(|row| {
            let kind: String = row.get(1);
            let kind = if kind == "TEXT" { "text" } else { "number" };
            let key = row.get::<i64, _>(3) > 0;
            (row.get(0), (kind, row.get::<i64, _>(2) == 0 && !key, key))
        });
        schema.insert(table, columns.collect());
    }
    schema
}

async fn postgres_schema(database: &TestDatabase) -> Schema {
    let pool = sqlx::PgPool::connect(database.owner.as_ref().unwrap()).await.unwrap();
    let sql = "SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable = 'YES', c.collation_name::text, \
        EXISTS (SELECT 1 FROM information_schema.key_column_usage k JOIN information_schema.table_constraints t \
            ON t.constraint_name = k.constraint_name AND t.table_name = k.table_name AND t.constraint_type = 'PRIMARY KEY' \
            WHERE k.table_name = c.table_name AND k.column_name = c.column_name) \
        FROM information_schema.columns c WHERE c.table_schema = 'public'";
    let mut schema = Schema::new();
    for row in sqlx::query(sql).fetch_all(&pool).await.unwrap() {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let collation: Option<String> = row.get(4);
        if kind == "text" && table != "schema_steps" {
            assert_eq!(collation.as_deref(), Some("C"), "{table}.{column}");
        }
        let kind = if kind == "text" { "text" } else { "number" };
        schema.entry(table).or_default().insert(column, (kind, row.get(3), row.get(5)));
    }
    pool.close().await;
    schema
}

#[tokio::test]
async fn tables_and_columns_agree_on_both_databases() {
    let Some(postgres) = TestDatabase::postgres().await else { return };
    let sqlite = TestDatabase::sqlite();
    let (ours, theirs) =
        (sqlite_schema(&sqlite.store().await).await, postgres_schema(&postgres).await);
    for (table, columns) in &ours {
        assert_eq!(Some(columns), theirs.get(table), "{table}");
    }
    assert_eq!(ours.len(), theirs.len());
}

/// The rules of every table as a text: unique sets, references and checks without their dialect.
fn rules(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut rules = BTreeMap::new();
    for block in folder.split("CREATE TABLE ").skip(1) {
        let (name, rest) = block.split_once(" (").unwrap();
        let (body, _) = rest.split_once("\n)").unwrap();
        let lines = body.lines().map(|line| {
            let line = line.trim().trim_end_matches(',');
            let line = line.replace(" COLLATE \"C\"", "").replace("BIGINT", "INTEGER");
            let line = line.replace("NOT NULL PRIMARY KEY", "PRIMARY KEY");
            match line.split_once(" BOOLEAN") {
                Some((column, rest)) => {
                    format!("{column} INTEGER{rest} CHECK ({column} IN (0, 1))")
                }
                None => line,
            }
        });
        rules.insert(name.to_owned(), lines.filter(|line| !line.is_empty()).collect());
    }
    rules
}

#[test]
fn constraints_agree_on_both_databases() {
    let (sqlite, postgres) = crate::store::migrate::texts();
    let (sqlite, postgres) = (rules(&sqlite), rules(&postgres));
    assert!(sqlite.len() > 15);
    for (table, lines) in &sqlite {
        assert_eq!(Some(lines), postgres.get(table), "{table}");
    }
    assert_eq!(sqlite.len(), postgres.len());
}

#[tokio::test]
async fn every_table_declares_how_long_it_keeps_its_rows() {
    let schema = sqlite_schema(&TestDatabase::sqlite().store().await).await;
    let tables: BTreeSet<&str> = schema.keys().map(String::as_str).collect();
    let lines: BTreeSet<&str> = RETENTION.iter().map(|line| line.table).collect();
    assert_eq!(tables, lines);
    assert_eq!(lines.len(), RETENTION.len(), "a table is there twice");
}

#[tokio::test]
async fn servers_that_start_at_once_migrate_once() {
    let sqlite = TestDatabase::sqlite();
    let (a, b, c) = tokio::join!(sqlite.store(), sqlite.store(), sqlite.store());
    for store in [a, b, c] {
        store.close().await;
    }
    let Some(mut postgres) = TestDatabase::postgres().await else { return };
    postgres.tamper("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let Some(owner) = postgres.owner.clone() else { return };
    if let crate::store::Database::Postgres { owner: place, .. } = &mut postgres.database {
        *place = Some(owner);
    }
    let (a, b, c) = tokio::join!(postgres.store(), postgres.store(), postgres.store());
    for store in [a, b, c] {
        store.close().await;
    }
}

#[tokio::test]
async fn a_schema_that_is_not_ours_is_refused() {
    for (sql, says) in [
        ("INSERT INTO schema_steps VALUES (99, 'x', 0)", "newer soma"),
        ("UPDATE schema_steps SET digest = 'x' WHERE version = 1", "another text"),
    ] {
        let mut databases = vec![TestDatabase::sqlite()];
        databases.extend(TestDatabase::postgres().await);
        for database in databases {
            database.store().await.close().await;
            database.tamper(sql).await;
            let refused = Store::open(&database.database, START).await.unwrap_err();
            assert!(matches!(refused, StoreError::Schema(_)), "{refused}");
            assert!(refused.to_string().contains(says), "{refused}");
        }
    }
}
