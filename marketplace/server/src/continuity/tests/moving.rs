//! From SQLite to PostgreSQL, with everything that can go wrong on the way.

use super::*;
use crate::store::Database;
use crate::store::transfer::{Source, Target, look};

async fn go(
    from: &Deployment,
    to: &TestDatabase,
) -> Result<(MoveReport, Vec<String>), ContinuityError> {
    let mut told = Vec::new();
    let (config, owner) = (from.database.config(), to.owner.clone().unwrap());
    let mut tell = |table: &TableMoved| told.push(table.table.clone());
    let report = move_to_postgres(&config, &owner, &*from.clock, &mut tell).await?;
    Ok((report, told))
}

async fn rows(database: &Database) -> u64 {
    let seen = look(database).await.unwrap();
    let kept = seen.tables.iter().filter(|(table, _)| table != "sequences");
    kept.map(|(_, rows)| rows).sum()
}

fn file(from: &Deployment) -> PathBuf {
    from.home().join("server.db")
}

#[tokio::test]
async fn everything_arrives_as_it_was_and_the_file_is_closed() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let from = Deployment::new().await;
    // More than two batches of each stream.
    from.fill("acme", 1201).await;
    let before = look(&from.database.database).await.unwrap();
    let (report, told) = go(&from, &to).await.unwrap();
    assert_eq!(told.len(), before.tables.len(), "every table is told");
    let arrived = |table: &str| report.tables.iter().find(|it| it.table == table).unwrap().rows;
    for (table, rows) in &before.tables {
        assert_eq!(arrived(table), *rows, "{table}");
    }
    assert!(arrived("changes") >= 2402 && arrived("audit_entries") >= 1201);
    let orgs = told.iter().position(|it| it == "orgs").unwrap();
    assert!(told.iter().position(|it| it == "environments").unwrap() > orgs);
    let chains: Vec<&str> = report.chains.iter().map(|chain| chain.chain).collect();
    assert_eq!(chains, Chain::ALL.iter().map(|chain| chain.name()).collect::<Vec<_>>());

    // The file is as it was, and nobody works on it: not the server that runs, not a new one.
    let after = look(&from.database.database).await.unwrap();
    assert_eq!(
        (after.tables, after.streams, after.closed),
        (before.tables, before.streams.clone(), true)
    );
    let refused = from.server.store.platform(SCOPE).await.err().unwrap();
    assert!(matches!(refused, StoreError::Closed), "{refused}");
    let numbered = Sequencer::default().run(&from.server).await;
    assert!(matches!(numbered, Err(StoreError::Closed)), "no head is signed by it any more");
    assert!(matches!(
        crate::store::Store::open(&from.database.database, START).await.err(),
        Some(StoreError::Closed)
    ));

    // The same keys, the other database: the chains hold and go on.
    let config =
        crate::config::ServerConfig { database: to.database.clone(), ..from.database.config() };
    let (server, code) = Server::open(&config, from.clock.clone()).await.unwrap();
    assert_eq!(server.deployment, from.server.deployment);
    assert!(code.is_some(), "nobody came yet, there as here");
    let mut unit = server.store.platform(SCOPE).await.unwrap();
    let entry = server.note(&server.platform, "user:x", Act::LoggedIn, "after", &json!({}));
    unit.audit(&entry).await.unwrap();
    unit.commit().await.unwrap();
    Sequencer::default().run(&server).await.unwrap();
    let chains = server.verify_chains().await.unwrap();
    assert!(chains.iter().all(|chain| chain.findings.is_empty()), "{chains:?}");
    for (stream, _, seq, fence) in &look(&to.database).await.unwrap().streams {
        let old = before.streams.iter().find(|(name, ..)| name == stream).unwrap();
        assert!(*fence > old.3, "{stream}: whoever held the fence is shut out");
        assert!(*seq >= old.2, "{stream}");
    }
    server.store.close().await;
}

#[tokio::test]
async fn guards_of_the_tables_are_back_after_the_move() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let guards = "SELECT COUNT(*) FILTER (WHERE c.relforcerowsecurity), \
        (SELECT COUNT(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O') \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r'";
    let pool = sqlx::PgPool::connect(to.owner.as_ref().unwrap()).await.unwrap();
    let count =
        || async { sqlx::query_as::<_, (i64, i64)>(guards).fetch_one(&pool).await.unwrap() };
    let before = count().await;
    assert!(before.0 > 15 && before.1 > 3, "{before:?}");
    let from = Deployment::new().await;
    from.fill("acme", 3).await;
    go(&from, &to).await.unwrap();
    assert_eq!(count().await, before);
    pool.close().await;
}

#[tokio::test]
async fn a_database_that_holds_anything_is_refused_and_nothing_changes() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let from = Deployment::new().await;
    from.fill("acme", 3).await;
    let config = crate::config::ServerConfig { database: to.database.clone(), ..to.config() };
    let (other, _) = Server::open(&config, from.clock.clone()).await.unwrap();
    other.store.close().await;
    let before = rows(&to.database).await;
    let refused = go(&from, &to).await.unwrap_err();
    assert!(matches!(&refused, ContinuityError::NotEmpty { .. }), "{refused}");
    assert_eq!(refused.code(), soma_policy::Code::DatabaseNotEmpty);
    assert_eq!(rows(&to.database).await, before);
    from.fill("widgets", 1).await;
}

#[tokio::test]
async fn a_move_that_dies_before_the_file_is_closed_leaves_everything_as_it_was() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let fresh = rows(&to.database).await;
    let from = Deployment::new().await;
    from.fill("acme", 700).await;
    let owner = to.owner.clone().unwrap();
    {
        let mut source = Source::hold(&file(&from)).await.unwrap();
        let mut target = Target::take(&owner, &source, START).await.unwrap();
        for table in source.tables() {
            target.copy(&mut source, &table).await.unwrap();
        }
        // Both connections end here, as those of a killed process do.
    }
    assert_eq!(rows(&to.database).await, fresh);
    from.fill("widgets", 1).await;
    go(&from, &to).await.unwrap();
}

#[tokio::test]
async fn a_move_that_dies_after_the_file_is_closed_is_finished_or_taken_back() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let fresh = rows(&to.database).await;
    let from = Deployment::new().await;
    from.fill("acme", 3).await;
    let owner = to.owner.clone().unwrap();
    {
        let mut source = Source::hold(&file(&from)).await.unwrap();
        let mut target = Target::take(&owner, &source, START).await.unwrap();
        for table in source.tables() {
            target.copy(&mut source, &table).await.unwrap();
        }
        source.close().await.unwrap();
    }
    assert_eq!(rows(&to.database).await, fresh);
    assert!(matches!(from.server.store.platform(SCOPE).await.err(), Some(StoreError::Closed)));
    back_out(&from.database.config()).await.unwrap();
    from.fill("widgets", 1).await;
    go(&from, &to).await.unwrap();
    let again = go(&from, &to).await.unwrap_err();
    assert!(matches!(again, ContinuityError::MovedAlready), "{again}");
}

#[tokio::test]
async fn a_chain_that_does_not_hold_is_not_moved() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let fresh = rows(&to.database).await;
    for (sql, chain) in [
        (
            "DROP TRIGGER audit_entries_freeze; UPDATE audit_entries SET actor = 'user:y' WHERE seq = 2",
            "audit",
        ),
        ("UPDATE changes SET payload = '{\"n\":99}' WHERE stream = 'feed' AND seq = 2", "feed"),
        ("UPDATE changes SET subject = 'other' WHERE stream = 'outbox' AND seq = 2", "outbox"),
        ("DELETE FROM changes WHERE stream = 'feed' AND seq = 3", "feed"),
        ("UPDATE sequences SET seq = seq + 1 WHERE stream = 'outbox'", "outbox"),
        (
            "DROP TRIGGER transfers_freeze; UPDATE transfers SET amount = amount + 1 WHERE n = 2",
            "ledger",
        ),
        (
            "DROP TRIGGER postings_freeze; UPDATE postings SET at_ms = at_ms + 1 WHERE n = 3",
            "ledger",
        ),
        (
            "DROP TRIGGER transfers_keep; DROP TRIGGER postings_keep; \
             DELETE FROM transfers WHERE n = 3; DELETE FROM postings WHERE n = 3",
            "ledger",
        ),
        ("UPDATE ledger_head SET n = n - 1", "ledger"),
    ] {
        let from = Deployment::new().await;
        from.fill("acme", 5).await;
        from.database.tamper(sql).await;
        match go(&from, &to).await.unwrap_err() {
            ContinuityError::Unsound { chain: found, .. } => assert_eq!(found, chain, "{sql}"),
            other => panic!("{sql}: {other}"),
        }
        assert_eq!(rows(&to.database).await, fresh, "{sql}");
        assert!(!look(&from.database.database).await.unwrap().closed);
    }
}

#[tokio::test]
async fn a_feed_of_several_epochs_arrives_too() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let from = Deployment::new().await;
    from.fill("acme", 5).await;
    for epoch in [1, 4] {
        let deployment = from.server.deployment.clone();
        let raise = EpochRaise { at: START, deployment, epoch };
        from.server.raise_epoch(&from.epoch(&raise)).await.unwrap();
        from.fill(&format!("org-{epoch}"), 5).await;
    }
    let (report, _) = go(&from, &to).await.unwrap();
    let feed = report.chains.iter().find(|chain| chain.chain == "feed").unwrap();
    assert!(feed.entries >= 15 && feed.findings.is_empty(), "{feed:?}");
}

#[tokio::test]
async fn an_owner_without_superpowers_is_enough_and_a_stranger_is_not() {
    let Some(to) = TestDatabase::postgres().await else { return };
    let owner = to.owner.clone().unwrap();
    let place = owner.split_once('@').unwrap().1.rsplit_once('/').unwrap().0.to_owned();
    to.tamper("CREATE ROLE mover LOGIN CREATEROLE PASSWORD 'tests-only'").await;
    to.tamper("CREATE DATABASE soma_mover OWNER mover").await;
    let mover = format!("postgres://mover:tests-only@{place}/soma_mover");
    let from = Deployment::new().await;
    from.fill("acme", 5).await;
    let config = from.database.config();
    let stranger = format!("postgres://soma_app_login:tests-only@{place}/soma_mover");
    let refused = move_to_postgres(&config, &stranger, &*from.clock, &mut |_| {}).await;
    assert!(refused.is_err());
    let report = move_to_postgres(&config, &mover, &*from.clock, &mut |_| {}).await.unwrap();
    assert!(report.chains.iter().all(|chain| chain.findings.is_empty()));
}

#[tokio::test]
async fn a_status_names_step_tables_and_streams_and_changes_nothing() {
    let from = Deployment::new().await;
    from.fill("acme", 3).await;
    let status = database_status(&from.database.config()).await.unwrap();
    assert_eq!((status.kind, status.step, status.closed), ("sqlite", status.known, false));
    assert!(status.tables.iter().any(|(table, rows)| table == "orgs" && *rows >= 1));
    assert_eq!(status.streams.len(), 3);
    let empty = tempfile::tempdir().unwrap();
    let config = crate::config::ServerConfig::embedded(empty.path());
    assert!(database_status(&config).await.is_err());
    assert!(!empty.path().join("server.db").exists(), "looking makes nothing");
    let (before, now) = migrate_database(&config, &*from.clock).await.unwrap();
    assert_eq!((before, now), (0, status.known));
    assert_eq!(migrate_database(&config, &*from.clock).await.unwrap(), (now, now));
}
