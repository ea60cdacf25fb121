//! A schema that is made, and data that moves to another database, while the process dies: on both databases, and between
//! them.

use serde_json::Value;
use soma_tests::{Database, Plane, Realm, Soma};

/// Columns and constraints of a schema, as text.
const SCHEMA: &str = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM ( \
    SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS line \
      FROM information_schema.columns WHERE table_schema = 'public' \
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
      WHERE connamespace = 'public'::regnamespace \
    UNION ALL SELECT tablename || ' ' || policyname || ' ' || coalesce(qual, '') FROM pg_policies \
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public') AS all_of_it";

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_was_cut_off_between_two_steps_is_made_by_the_next_start() {
    for step in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let (home, port) = (folder.path().join("home"), soma_tests::plane::port().unwrap());
        let point = format!("server.migration.step:{step}");
        let cut = Plane::start(&home, port, Some(&point)).await;
        if cut.is_ok() {
            assert!(step > 6, "{point} is never reached");
            break;
        }
        let plane = Plane::start(&home, port, None).await.unwrap();
        assert_eq!(plane.get("/ready", "").await.unwrap()["ready"], true);
        let (said, code) = plane.stop().await.unwrap();
        // Nobody was told the founding code before: it is told now.
        assert!(code == Some(0) && said.contains("founding code"), "{said}");
        println!("{point:<32} migrated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_a_schema_that_was_cut_off_keeps_its_whole_steps_and_the_next_start_goes_on()
{
    let Some(whole) = Database::postgres().await.unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    whole.prepare(&home).await.unwrap();
    let wanted = whole.asked(SCHEMA).await.unwrap();
    for step in 1.. {
        let database = whole.empty().await.unwrap();
        let db = |words: &[&str]| {
            let soma = Soma::new(&home).unwrap().args(["--output", "json", "db"]).args(words);
            database.tell_owner(soma).unwrap()
        };
        let point = format!("server.migration.step:{step}");
        let cut = db(&["migrate"]).crash_at(&point).finish().await.unwrap();
        if cut.code == 0 {
            assert!(step > 6, "{point} is never reached");
            break;
        }
        assert_eq!(cut.code, -1, "{cut:?}");
        // The step that was under way is not there in parts: those before it are.
        let steps = "SELECT COUNT(*) FROM schema_steps";
        assert_eq!(database.asked(steps).await.unwrap(), (step - 1).to_string(), "{point}");
        // The next start of a server goes on, as the owner.
        let port = soma_tests::plane::port().unwrap();
        let soma = database.tell_owner(Soma::new(&home).unwrap()).unwrap();
        let plane = Plane::start_by(soma, &home, port).await.unwrap();
        assert_eq!(plane.get("/ready", "").await.unwrap()["ready"], true);
        let (said, code) = plane.stop().await.unwrap();
        assert!(code == Some(0) && said.contains("founding code"), "{said}");
        assert_eq!(database.asked(SCHEMA).await.unwrap(), wanted, "{point}");
        println!("{point:<32} migrated on PostgreSQL");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_between_databases_that_was_cut_off_counts_in_one_of_them_and_is_repeated() {
    let Some(postgres) = Database::postgres().await.unwrap() else { return };
    let base = Realm::found().await.unwrap();
    for point in ["server.move.copied", "server.move.closed"] {
        let (realm, database) = (base.copy().unwrap(), postgres.empty().await.unwrap());
        let soma = |point: Option<&str>| {
            let soma = Soma::new(realm.home()).unwrap().args(["--output", "json", "db"]);
            let soma = point.into_iter().fold(soma, Soma::crash_at);
            soma.env("SOMA_DATABASE_OWNER_URL", database.owner().unwrap().unwrap())
        };
        let cut = soma(Some(point)).args(["move"]).finish().await.unwrap();
        assert_eq!(cut.code, -1, "{point}: {cut:?}");
        let status = soma(None).args(["status"]).succeed().await.unwrap().json().unwrap();
        println!("{point:<32} the file is closed: {}", status["closed"]);
        assert_eq!(status["closed"], point == "server.move.closed", "{status}");
        // The target has nothing yet: the same command does all of it.
        let moved = soma(None).args(["move"]).succeed().await.unwrap().json().unwrap();
        let rows = |table: &Value| table["rows"].as_u64().unwrap();
        assert!(moved["tables"].as_array().unwrap().iter().map(rows).sum::<u64>() > 10, "{moved}");
        let again = soma(None).args(["move"]).finish().await.unwrap();
        assert_ne!(again.code, 0, "it is moved: {again:?}");
    }
}
