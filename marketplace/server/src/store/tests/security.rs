//! What PostgreSQL holds up by itself: row-level security for logins that own nothing.

use sqlx::{PgPool, Row as _};

use super::everything::{fill, is_filled};
use super::rows::populate;
use crate::fixture::{START, TestDatabase};
use crate::store::{Database, Store, StoreError};

/// Tables that no tenant's login may even look at.
const HIDDEN: [&str; 22] = [
    "deployment",
    "user_passwords",
    "user_totps",
    "recovery_codes",
    "sessions",
    "login_senders",
    "password_resets",
    "issuer_keys",
    "audit_checkpoints",
    "sequences",
    "host_enrolments",
    "hosts",
    "feed_state",
    "feed_epochs",
    "kill_documents",
    "kill_receipts",
    "constitutions",
    "secret_keys",
    "terms",
    "ledger_head",
    "journals",
    "journal_leases",
];

async fn count(pool: &PgPool, table: &str, org: &str) -> Result<i64, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT set_config('app.org', $1, true)").bind(org).execute(&mut *tx).await?;
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query(sql).fetch_one(&mut *tx).await?.try_get(0)
}

#[tokio::test]
async fn every_table_is_under_forced_row_level_security() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let pool = PgPool::connect(database.owner.as_ref().unwrap()).await.unwrap();
    let sql = "SELECT relname::text, relrowsecurity AND relforcerowsecurity FROM pg_class \
               WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_steps'";
    let tables = sqlx::query(sql).fetch_all(&pool).await.unwrap();
    assert!(tables.len() > 15);
    for row in tables {
        assert!(row.get::<bool, _>(1), "{}", row.get::<String, _>(0));
    }
    pool.close().await;
}

#[tokio::test]
async fn a_tenants_login_sees_its_own_rows_and_none_without_an_org() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.store().await;
    populate(&store, "acme", 1).await;
    populate(&store, "globex", 2).await;
    let (app, worker) = store.raw().1.unwrap();
    for table in [
        "orgs",
        "environments",
        "memberships",
        "service_accounts",
        "api_keys",
        "invitations",
        "users",
        "user_profiles",
    ] {
        assert_eq!(count(app, table, "acme").await.unwrap(), 1, "{table}");
        assert_eq!(count(app, table, "").await.unwrap(), 0, "{table}");
        assert_eq!(count(app, table, "nobody").await.unwrap(), 0, "{table}");
        assert_eq!(count(worker, table, "").await.unwrap(), 2, "{table}");
    }
    for table in HIDDEN {
        let refused = count(app, table, "acme").await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{table}: {refused}");
    }
}

/// Tables with rows of orgs, and whether the tenants' login may look at any column of them.
async fn of_orgs(owner: &PgPool) -> Vec<(String, bool)> {
    let sql = "SELECT table_name::text, has_any_column_privilege('soma_app', table_name::text, 'SELECT') \
               FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'org' ORDER BY 1";
    let rows = sqlx::query(sql).fetch_all(owner).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn of_every_table_with_rows_of_orgs_a_tenants_login_sees_its_own_alone() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.store().await;
    for (org, n) in [("acme", 1), ("globex", 2)] {
        populate(&store, org, u128::from(n)).await;
        fill(&database, org, n).await;
    }
    let (app, worker) = store.raw().1.unwrap();
    let owner = PgPool::connect(database.owner.as_ref().unwrap()).await.unwrap();
    let tables = of_orgs(&owner).await;
    owner.close().await;
    assert!(tables.len() > 40, "{tables:?}");
    for (table, seen) in tables {
        assert!(is_filled(&table), "`{table}` has rows of orgs: put one into `everything.rs`");
        assert_eq!(count(worker, &table, "").await.unwrap(), 2, "{table}");
        for (org, own) in [("acme", 1), ("globex", 1), ("", 0), ("nobody", 0)] {
            match count(app, &table, org).await {
                Ok(rows) => assert!(seen && rows == own, "{table} for `{org}`: {rows}"),
                Err(refused) => {
                    let refused = refused.to_string();
                    assert!(!seen && refused.contains("permission denied"), "{table}: {refused}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_tenants_login_writes_no_row_of_another_org_and_no_audit_anew() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.store().await;
    populate(&store, "acme", 1).await;
    populate(&store, "globex", 2).await;
    let (app, worker) = store.raw().1.unwrap();
    for (pool, sql) in [
        (app, "INSERT INTO environments VALUES ('globex', 'x', 'staging', NULL, 1, 1)"),
        (app, "UPDATE environments SET org = 'globex'"),
        (app, "INSERT INTO changes VALUES ('globex', 'x', 'feed', 't', 's', '{}', 1)"),
        (app, "UPDATE users SET state = 'locked'"),
        (app, "DELETE FROM orgs"),
        (app, "UPDATE audit_entries SET actor = 'x'"),
        (app, "DELETE FROM audit_entries"),
        (worker, "UPDATE audit_entries SET actor = 'x'"),
        (worker, "DELETE FROM audit_entries"),
        (worker, "DELETE FROM audit_checkpoints"),
        (worker, "TRUNCATE audit_entries"),
    ] {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("SELECT set_config('app.org', 'acme', true)").execute(&mut *tx).await.unwrap();
        let refused = sqlx::query(sql).execute(&mut *tx).await.unwrap_err().to_string();
        let said = refused.contains("row-level security") || refused.contains("permission denied");
        assert!(said, "{sql}: {refused}");
    }
    // What belongs to others is not even touched.
    let mut tx = app.begin().await.unwrap();
    sqlx::query("SELECT set_config('app.org', 'acme', true)").execute(&mut *tx).await.unwrap();
    let touched = sqlx::query("DELETE FROM api_keys WHERE org = 'globex'").execute(&mut *tx).await;
    assert_eq!(touched.unwrap().rows_affected(), 0);
}

#[tokio::test]
async fn a_login_that_may_do_more_than_it_should_is_refused() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let Database::Postgres { app, worker, .. } = database.database.clone() else { panic!() };
    let owner = database.owner.clone().unwrap();
    for (app, worker, says) in [
        (owner.clone(), worker.clone(), "may bypass"),
        (app.clone(), owner, "may bypass"),
        (worker.clone(), worker.clone(), "is no member"),
        (app.clone(), app, "is no member"),
    ] {
        let database = Database::Postgres { app, worker, owner: None, connections: 1 };
        let refused = Store::open(&database, START).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsafe(_)), "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
    }
}
