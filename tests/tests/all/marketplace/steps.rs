//! The steps of the marketplace's stories, the same wherever the parts run and whatever the database is: everything is
//! done by the commands that people use.

use serde_json::{Value, json};
use soma_tests::bazaar::{Bazaar, items, text};

const PRICE: &str = "[limits]";
const PRICED: &str = "[price]\nper_call = \"0.0005 EUR\"\n\n[limits]";

/// Published, found, installed, called, metered, settled, refunded, audited.
pub(super) async fn paid<P>(bazaar: &Bazaar<P>) {
    let (operator, author) = (&bazaar.operator, &bazaar.author);
    let before = bazaar.receipts().await.unwrap();
    bazaar.publish("text", &[(PRICE, PRICED)]).await.unwrap();
    let enter =
        ["account", "enter", "local", "top-up", "25.00 EUR", "--reason", "invoice 7", "--yes"];
    operator.does(&enter).await.unwrap();
    operator.does(&["budget", "set", "5.00 EUR/month"]).await.unwrap();

    let found = operator.reads(&["search", "text"]).await.unwrap();
    assert_eq!(
        (text(&found, "/items/0/capsule"), text(&found, "/items/0/price")),
        ("acme/text", "0.0005 EUR")
    );
    let sheet = operator.does(&["install", "acme/text", "--budget", "1.00 EUR/day"]).await.unwrap();
    assert!(sheet.stderr.contains("a call costs 0.0005 EUR"), "{}", sheet.stderr);
    let call = ["call", "text", "slugify", "-a", "text=Crème Brûlée!"];
    let called = operator.does(&call).await.unwrap();
    assert_eq!(called.stdout.trim(), "\"creme-brulee\"");
    assert!(called.stderr.contains("0.0005 EUR"), "{}", called.stderr);

    let posted = |it: &Value| items(it).iter().any(|row| text(row, "/service") == "author-share");
    let paid = operator.until(&["ledger"], posted).await.unwrap();
    let row = |service: &str| {
        items(&paid).iter().find(|row| text(row, "/service") == service).cloned().unwrap()
    };
    assert_eq!(text(&row("author-share"), "/amount"), "0.00035 EUR");
    assert_eq!(text(&row("author-share"), "/capsule"), "acme/text");
    let earned = author.reads(&["ledger", "--side", "author", "--tenant", "acme"]).await.unwrap();
    assert_eq!(items(&earned).len(), 1, "{earned}");
    assert!(!earned.to_string().contains("local"), "an author learns who calls: {earned}");
    let earnings = author.reads(&["account", "earnings", "--tenant", "acme"]).await.unwrap();
    assert_eq!(
        (text(&earnings, "/items/0/earned"), text(&earnings, "/items/0/state")),
        ("0.00035 EUR", "pending")
    );
    // Not yet paid out: it is available after its pause.
    let early =
        author.soma(&["account", "payout", "0.00035 EUR", "--tenant", "acme", "--yes"]).unwrap();
    assert_ne!(early.finish().await.unwrap().code, 0);
    let balance = operator.reads(&["account", "list"]).await.unwrap();
    assert!(
        balance.to_string().contains("24.9995 EUR") || balance.to_string().contains("leased"),
        "{balance}"
    );

    let original = text(&row("author-share"), "/cause").to_owned();
    let refund =
        ["account", "refund", &original, "0.0005 EUR", "--reason", "wrong answer", "--yes"];
    operator.does(&refund).await.unwrap();
    let earnings = author.reads(&["account", "earnings", "--tenant", "acme"]).await.unwrap();
    assert_eq!(text(&earnings, "/items/0/left"), "0.00 EUR", "{earnings}");
    assert_eq!(bazaar.receipts().await.unwrap(), before + 1);
    let proof = operator.does(&["audit", "verify", "--server"]).await.unwrap();
    assert!(proof.stdout.starts_with("verified"), "{}", proof.stdout);
}

/// A wider version asks, fails its gate and is backed out.
pub(super) async fn backed_out<P>(bazaar: &Bazaar<P>) {
    let operator = &bazaar.operator;
    bazaar.publish("kv-notes", &[("0.1.0", "1.0.0")]).await.unwrap();
    operator.does(&["install", "acme/kv-notes", "--as", "notes"]).await.unwrap();
    let put = ["call", "notes", "put", "-a", "name=a", "-a", "text=b"];
    operator.does(&put).await.unwrap();
    // It wants to keep more, and by a mistake of its author it has no room to run.
    let wider = [
        ("0.1.0", "1.1.0"),
        ("\"4 MiB\"", "\"8 MiB\""),
        ("[limits]", "[limits]\nmemory = \"1 MiB\""),
    ];
    bazaar.publish("kv-notes", &wider).await.unwrap();

    let diff = operator.reads(&["upgrade", "notes", "--widen", "--dry-run"]).await.unwrap();
    assert!(diff["asks"].to_string().contains("8 MiB"), "{diff}");
    // Without a word of the tenant it gets no more than before.
    let carried = operator.reads(&["upgrade", "notes", "--dry-run"]).await.unwrap();
    assert_eq!(carried["asks"], json!([]), "{carried}");
    let refused = operator.soma(&["upgrade", "notes", "--widen"]).unwrap().finish().await.unwrap();
    assert!(refused.code != 0 && refused.stderr.contains("SOMA-S025"), "{refused:?}");
    let gate = [
        "upgrade",
        "notes",
        "--accept",
        "--gate",
        "canary",
        "--canary-share",
        "500",
        "--canary-calls",
        "2",
    ];
    operator.does(&gate).await.unwrap();
    let mut failed = 0;
    let given_up = loop {
        failed += i32::from(operator.soma(&put).unwrap().finish().await.unwrap().code != 0);
        let now = operator.reads(&["list"]).await.unwrap();
        let notes = items(&now).iter().find(|it| text(it, "/id") == "notes").cloned();
        let notes = notes.unwrap();
        if text(&notes, "/state") == "active" {
            break notes;
        }
    };
    assert!(failed > 0, "the canary got no call");
    assert_eq!(text(&given_up, "/version"), "1.0.0", "{given_up}");
    operator.does(&put).await.unwrap();
    bazaar.receipts().await.unwrap();
}

/// An order ends what runs on any of so many hosts, freezes the name, and the tenant pays nothing.
pub(super) async fn killed<P>(bazaar: &Bazaar<P>, hosts: usize) {
    let operator = &bazaar.operator;
    bazaar.publish("stream", &[(PRICE, PRICED)]).await.unwrap();
    let enter =
        ["account", "enter", "local", "top-up", "1.00 EUR", "--reason", "invoice 8", "--yes"];
    operator.does(&enter).await.unwrap();
    operator.does(&["install", "acme/stream", "--budget", "1.00 EUR/day"]).await.unwrap();
    let before = bazaar.receipts().await.unwrap();
    let call = ["call", "stream", "count", "-a", "every-ms:=20", "--stream", "--raw"];
    let mut running = operator.soma(&call).unwrap().into_command();
    let mut running = running
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut line).await.unwrap();

    let radius = operator.reads(&["kill", "capsule:acme/stream", "--dry-run"]).await.unwrap();
    assert!(radius.to_string().contains("stream"), "{radius}");
    let killed = operator
        .does(&["kill", "capsule:acme/stream", "--reason", "drill", "--yes"])
        .await
        .unwrap();
    assert!(killed.stdout.starts_with("killed 1 calls in"), "{}", killed.stdout);
    let reported = format!("{hosts} of {hosts} hosts reported");
    assert!(killed.stdout.contains(&reported), "{}", killed.stdout);
    let ended = running.wait_with_output().await.unwrap();
    assert_ne!(ended.status.code(), Some(0));
    let refused = operator.soma(&call).unwrap().finish().await.unwrap();
    assert_ne!(refused.code, 0);

    // The name is frozen: nothing new comes under it.
    let packed = bazaar.pack("stream", &[("0.1.0", "0.2.0")]).await.unwrap();
    let packed = packed.to_string_lossy();
    let submit = bazaar.author.soma(&["capsule", "submit", &packed, "--tenant", "acme"]).unwrap();
    let submitted = submit.finish().await.unwrap();
    assert_ne!(submitted.code, 0, "{submitted:?}");
    // What was cut is the platform's to bear.
    let settled = |it: &Value| it["receipts"].as_u64() > Some(before);
    operator.until(&["account", "check"], settled).await.unwrap();
    let paid = operator.reads(&["ledger"]).await.unwrap();
    let mut own = items(&paid).iter().filter(|row| text(row, "/capsule") == "acme/stream");
    assert!(own.all(|row| text(row, "/service") != "author-share"), "{paid}");
    bazaar.receipts().await.unwrap();
    let proof = operator.does(&["audit", "verify", "--server"]).await.unwrap();
    assert!(proof.stdout.starts_with("verified"), "{}", proof.stdout);
}
