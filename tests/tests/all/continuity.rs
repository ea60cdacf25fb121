//! `soma db`, `soma backup` and `soma restore` as people use them: the real binary, a real PostgreSQL, hosts that run.

use serde_json::{Value, json};
use soma_tests::fleet::{Joined, Seat};
use soma_tests::{Database, Person, Platform, Process, Soma, TestHome};

const WORDS: &str = "correct horse battery staple";

fn chains(report: &Value) -> Vec<(String, usize)> {
    let each = report["chains"].as_array().unwrap().iter();
    let read = |it: &Value| {
        (it["chain"].as_str().unwrap().to_owned(), it["findings"].as_array().unwrap().len())
    };
    each.map(read).collect()
}

fn sound() -> Vec<(String, usize)> {
    ["audit", "feed", "outbox", "ledger"].map(|chain| (chain.to_owned(), 0)).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_moves_to_postgresql_by_the_command_line_and_goes_on_there() {
    let Some(database) = Database::postgres().await.unwrap() else { return };
    let home = TestHome::new().await.unwrap();
    let platform = Platform::start(&home).await.unwrap();
    platform.soma(["org", "new", "acme", "--tenant-role"]).unwrap().succeed().await.unwrap();
    let whoami = ["whoami", "--output", "json"];
    let me = platform.soma(whoami).unwrap().succeed().await.unwrap().json().unwrap();
    platform.stop().await.unwrap();

    let db = |arguments: &[&str]| home.soma().unwrap().args(["db"]).args(arguments);
    let status = ["status", "--output", "json"];
    let before = db(&status).succeed().await.unwrap().json().unwrap();
    assert_eq!((&before["kind"], &before["closed"]), (&json!("sqlite"), &json!(false)));
    assert_eq!(before["step"], before["known"]);
    let migrated = db(&["migrate"]).succeed().await.unwrap().stdout;
    assert!(migrated.contains("already"), "{migrated}");

    let owner = database.owner().unwrap().unwrap();
    let shown = db(&["move", "--to", &owner]).finish().await.unwrap();
    assert!(shown.code == 2 && !shown.said().contains("tests-only"), "{shown:?}");
    let move_ = || db(&["move", "--output", "json"]).env("SOMA_DATABASE_OWNER_URL", &owner);
    let moved = move_().succeed().await.unwrap();
    assert!(!moved.said().contains("tests-only"), "a password was shown: {moved:?}");
    assert_eq!(chains(&moved.json().unwrap()), sound());
    let again = move_().finish().await.unwrap();
    assert_ne!(again.code, 0, "{again:?}");

    // The file counts no more, for nobody.
    let after = db(&status).succeed().await.unwrap().json().unwrap();
    assert_eq!(after["closed"], true);
    let up = home.soma().unwrap().args(["up", "--listen", "127.0.0.1:0"]).finish().await.unwrap();
    assert_ne!(up.code, 0, "{up:?}");

    database.logins().await.unwrap();
    let there = |soma: Soma| database.tell(soma).unwrap();
    let serve = ["serve", "--role", "server", "--listen", "127.0.0.1:0"];
    let serve = there(home.soma().unwrap().args(serve)).into_command();
    let server = Process::start(serve).await.unwrap();
    // This server does not run from the home's own address: its owner logs in like everybody else.
    let own = std::fs::read(home.path().join("keys/login.json")).unwrap();
    let own: Value = serde_json::from_slice(&own).unwrap();
    let (login, password) = (own["login"].as_str().unwrap(), own["password"].as_str().unwrap());
    let sessions = home.beside("sessions");
    let soma = |arguments: &[&str]| {
        let soma = home.soma().unwrap().args(["--host", server.url()]).args(arguments);
        soma.env("XDG_CONFIG_HOME", &sessions).env("SOMA_PASSWORD", password)
    };
    for org in ["local", "platform"] {
        soma(&["login", login, "--org", org]).succeed().await.unwrap();
    }
    // The same people with the same passwords, the same orgs, a record that holds and goes on.
    let now = soma(&whoami).succeed().await.unwrap().json().unwrap();
    assert_eq!(now["subject"], me["subject"]);
    let orgs = soma(&["org", "list", "--tenant", "platform"]).succeed().await.unwrap().stdout;
    assert!(orgs.contains("acme"), "{orgs}");
    soma(&["org", "new", "globex", "--tenant-role"]).succeed().await.unwrap();
    let log = soma(&["audit", "log", "--everywhere"]).succeed().await.unwrap().stdout;
    assert!(log.contains("database-moved") && log.contains("bootstrapped"), "{log}");
    let proof = soma(&["audit", "verify", "--server"]).succeed().await.unwrap().stdout;
    assert!(proof.starts_with("verified"), "{proof}");
    let status = there(db(&status)).succeed().await.unwrap().json().unwrap();
    assert_eq!((&status["kind"], &status["step"]), (&json!("postgresql"), &before["step"]));
    let migrated = database.tell_owner(db(&["migrate"])).unwrap();
    assert!(migrated.succeed().await.unwrap().stdout.contains("already"));
    let (said, code) = server.stop().await.unwrap();
    assert!(code == Some(0) && !said.contains("tests-only"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_taken_back_only_by_somebody_who_means_it() {
    let Some(database) = Database::postgres().await.unwrap() else { return };
    let home = TestHome::new().await.unwrap();
    Platform::start(&home).await.unwrap().stop().await.unwrap();
    let db = |arguments: &[&str]| home.soma().unwrap().args(["db"]).args(arguments);
    let owner = database.owner().unwrap().unwrap();
    db(&["move"]).env("SOMA_DATABASE_OWNER_URL", &owner).succeed().await.unwrap();
    let asked = db(&["move", "--back-out"]).finish().await.unwrap();
    assert!(asked.code == 2 && asked.stderr.contains("--yes"), "{asked:?}");
    assert_eq!(Platform::start(&home).await.err().map(|_| ()), Some(()));
    db(&["move", "--back-out", "--yes"]).succeed().await.unwrap();
    let platform = Platform::start(&home).await.unwrap();
    platform.soma(["whoami"]).unwrap().succeed().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_brings_a_home_back_in_a_new_epoch_that_hosts_notice() {
    let home = TestHome::new().await.unwrap();
    let platform = Platform::start_with(&home, &["--join"]).await.unwrap();
    let mut operator = Person::owner(&platform);
    operator.prove("platform").await.unwrap();
    let elsewhere = home.beside("elsewhere");
    let seat = Seat { home: &elsewhere, role: "host", port: 0 };
    let _host = Joined::invite(&operator, platform.url(), seat).await.unwrap();
    let list = ["host", "list"];
    let first = operator.until(&list, |it| live(it, "0") == 2).await.unwrap();

    let archive = home.beside("monday.tar");
    let archive = archive.to_str().unwrap();
    let back_up = || operator.soma(&["backup", archive]).unwrap();
    let weak = back_up().env("SOMA_BACKUP_PASSWORD", "short").finish().await.unwrap();
    assert!(weak.code != 0 && !std::path::Path::new(archive).exists(), "{weak:?}");
    back_up().env("SOMA_BACKUP_PASSWORD", WORDS).succeed().await.unwrap();
    let twice = back_up().env("SOMA_BACKUP_PASSWORD", WORDS).finish().await.unwrap();
    assert_ne!(twice.code, 0, "an archive was overwritten: {twice:?}");
    let verify = operator.soma(&["backup", "verify", archive]).unwrap();
    verify.env("SOMA_BACKUP_PASSWORD", WORDS).succeed().await.unwrap();
    // What comes after the backup is lost with the machine.
    operator.does(&["org", "new", "late", "--tenant-role"]).await.unwrap();
    let place = platform.url().trim_start_matches("http://").to_owned();
    platform.crash().await.unwrap();

    let other = home.beside("restored");
    let restore = |words: &'static str| {
        let soma = Soma::new(&other).unwrap().args(["restore", archive, "--output", "json"]);
        soma.env("SOMA_BACKUP_PASSWORD", words)
    };
    let wrong = restore("another passphrase").finish().await.unwrap();
    assert!(wrong.code != 0 && !other.exists(), "{wrong:?}");
    let restored = restore(WORDS).succeed().await.unwrap().json().unwrap();
    assert_eq!((&restored["epoch"], chains(&restored)), (&json!("1"), sound()));
    let taken = restore(WORDS).finish().await.unwrap();
    assert_ne!(taken.code, 0, "a home was overwritten: {taken:?}");

    // The same address: the host elsewhere meets a server that counts anew, and goes on by the root's word.
    let platform = Platform::start_on(&other, &place).await.unwrap();
    let mut operator = operator.at(&platform);
    operator.prove("platform").await.unwrap();
    let now = operator.until(&list, |it| live(it, "1") == 2).await.unwrap();
    assert_eq!(names(&now), names(&first));
    let orgs = operator.does(&["org", "list", "--tenant", "platform"]).await.unwrap().stdout;
    assert!(orgs.contains("local") && !orgs.contains("late"), "{orgs}");
    let log = operator.does(&["audit", "log", "--everywhere"]).await.unwrap().stdout;
    assert!(log.contains("restored"), "{log}");
    let proof = operator.does(&["audit", "verify", "--server"]).await.unwrap().stdout;
    assert!(proof.starts_with("verified"), "{proof}");
}

/// How many hosts live in this epoch.
fn live(list: &Value, epoch: &str) -> usize {
    let items = list["items"].as_array().unwrap().iter();
    let hosts = items.filter(|it| it["role"] == "host" && it["state"] == "live");
    hosts.filter(|it| it["head"]["epoch"] == epoch).count()
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|it| it["host"].as_str().unwrap()).collect()
}
