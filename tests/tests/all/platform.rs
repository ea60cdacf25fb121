//! Server, host and gateway together: the real `soma up`.

use reqwest::Method;
use serde_json::{Value, json};
use soma_tests::{Platform, Soma, TestHome};

#[tokio::test(flavor = "multi_thread")]
async fn one_command_founds_a_server_beside_a_host_and_one_address_reaches_both() {
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let platform = Platform::start(&home).await.unwrap();

    let ready: Value = platform.answer(platform.request(Method::GET, "/ready")).await.unwrap();
    assert_eq!((&ready["ready"], &ready["server"]["state"]), (&json!(true), &json!("ready")));
    let called = platform.soma(["call", "text", "slugify", "-a", "text=Crème Brûlée!"]).unwrap();
    assert_eq!(called.succeed().await.unwrap().stdout.trim(), "\"creme-brulee\"");

    let me = platform.soma(["whoami", "--output", "json"]).unwrap().succeed().await.unwrap();
    let me = me.json().unwrap();
    assert_eq!((&me["org"], &me["environment"]), (&json!("local"), &json!("production")));
    let orgs = platform.soma(["org", "list", "--tenant", "platform"]).unwrap();
    let orgs = orgs.succeed().await.unwrap().stdout;
    assert!(orgs.contains("local") && orgs.contains("tenant publisher"), "{orgs}");
    let log = platform.soma(["audit", "log", "--everywhere"]).unwrap().succeed().await.unwrap();
    assert!(
        log.stdout.contains("bootstrapped") && log.stdout.contains("org-made"),
        "{}",
        log.stdout
    );
    let proof = platform.soma(["audit", "verify", "--server"]).unwrap().succeed().await.unwrap();
    assert!(proof.stdout.starts_with("verified"), "{}", proof.stdout);
    let (said, code) = platform.stop().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_founds_nothing_and_knows_the_same_people() {
    let home = TestHome::new().await.unwrap();
    let platform = Platform::start(&home).await.unwrap();
    let who = |said: String| serde_json::from_str::<Value>(&said).unwrap()["subject"].clone();
    let whoami = ["whoami", "--output", "json"];
    let first = platform.soma(whoami).unwrap().succeed().await.unwrap().stdout;
    // Even a crash leaves nothing half done.
    platform.crash().await.unwrap();
    let platform = Platform::start(&home).await.unwrap();
    let second = platform.soma(whoami).unwrap().succeed().await.unwrap().stdout;
    assert_eq!(who(first), who(second));
    let users = platform.soma(["user", "list", "--output", "json"]).unwrap();
    let users = users.succeed().await.unwrap().json().unwrap();
    assert_eq!(users["items"].as_array().unwrap().len(), 1, "{users}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_invited_comes_in_by_the_command_line_and_goes() {
    let home = TestHome::new().await.unwrap();
    let platform = Platform::start(&home).await.unwrap();
    let made = platform.soma(["org", "new", "acme", "--tenant-role", "--output", "json"]).unwrap();
    let made = made.succeed().await.unwrap().json().unwrap();
    let code = made["head"]["code"].as_str().unwrap();
    // Somebody else's machine: no home of the server's, an own place for sessions.
    let elsewhere = home.beside("elsewhere");
    let grace = |arguments: &[&str]| {
        let soma = Soma::new(&elsewhere.join("none")).unwrap();
        let soma = soma.env("XDG_CONFIG_HOME", &elsewhere).args(["--host", platform.url()]);
        soma.args(arguments)
            .env("SOMA_PASSWORD", "only for tests, of course")
            .env("SOMA_CODE", code)
    };
    let in_ = grace(&["login", "grace", "--invited"]).succeed().await.unwrap().stdout;
    assert!(in_.contains("org acme"), "{in_}");
    let me = grace(&["whoami", "--tenant", "acme"]).succeed().await.unwrap().stdout;
    assert!(me.contains("org acme") && me.contains("install"), "{me}");
    // Another org's things are not there for her, and an operator's are not hers.
    let other = grace(&["org", "show", "--tenant", "local"]).finish().await.unwrap();
    assert_eq!(other.code, 3, "{other:?}");
    let minted = grace(&["token", "new", "--tenant", "acme", "--can", "read:calls", "--ttl", "5m"]);
    assert!(minted.succeed().await.unwrap().stdout.starts_with("eyJ"));
    let more =
        grace(&["token", "new", "--tenant", "acme", "--can", "operate"]).finish().await.unwrap();
    assert!(more.code == 3 && more.stderr.contains("operate"), "{more:?}");
    grace(&["logout", "--org", "acme"]).succeed().await.unwrap();
    let gone = grace(&["whoami", "--tenant", "acme"]).finish().await.unwrap();
    assert!(gone.code == 3 && gone.stderr.contains("soma login"), "{gone:?}");
    let again = grace(&["login", "grace"]).succeed().await.unwrap().stdout;
    assert!(again.contains("org acme"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_joins_the_server_beside_it_once_and_stays_with_it() {
    let home = TestHome::new().await.unwrap();
    let packed = home.pack("text").await.unwrap();
    let platform = Platform::start_with(&home, &["--join"]).await.unwrap();
    let hosts = |said: Value| said["items"].as_array().unwrap().clone();
    let list = ["host", "list", "--output", "json"];
    let first = platform.soma(list).unwrap().succeed().await.unwrap().json().unwrap();
    let first = hosts(first);
    let roles: Vec<&Value> = first.iter().map(|host| &host["role"]).collect();
    assert_eq!(roles, [&json!("host"), &json!("review")], "{first:?}");
    let log = platform.soma(["audit", "log", "--tenant", "platform"]).unwrap();
    let log = log.succeed().await.unwrap().stdout;
    assert!(log.contains("host-enrolled") && log.contains("enrolment-made"), "{log}");
    // Files are not its matter any more, and whoever tries is told what is.
    let file = platform.soma(["install"]).unwrap().args([packed]).finish().await.unwrap();
    assert!(file.code == 2 && file.stderr.contains("soma capsule submit"), "{file:?}");
    let (said, code) = platform.stop().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    // Other ports, the same server, no flag.
    let platform = Platform::start(&home).await.unwrap();
    let again = platform.soma(list).unwrap().succeed().await.unwrap().json().unwrap();
    let again = hosts(again);
    assert_eq!(again.len(), 2, "{again:?}");
    assert_eq!((&again[0]["host"], &again[1]["host"]), (&first[0]["host"], &first[1]["host"]));
}
