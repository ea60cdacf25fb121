//! What a guest logs is read while its host runs: by installation, by call, since when, and harmless.

use soma_capsule::KeyPair;
use soma_tests::binary::PASSPHRASE;
use soma_tests::package::Package;
use soma_tests::{Finished, TestHome, TestHost};

/// Logs one warning whose words would turn a terminal red, and returns 7.
const TALKER: &str = r#"(component
    (import "wasi:logging/logging" (instance $logging
        (type $words (enum "trace" "debug" "info" "warn" "error" "critical"))
        (export "level" (type $level (eq $words)))
        (export "log" (func
            (param "level" $level) (param "context" string) (param "message" string)))))
    (core module $memory
        (memory (export "memory") 1)
        (data (i32.const 0) "rates")
        (data (i32.const 16) "rate \1b[31mlimit"))
    (core instance $memory (instantiate $memory))
    (alias export $logging "log" (func $log))
    (core func $log (canon lower (func $log) (memory (core memory $memory "memory"))))
    (core module $talker
        (import "env" "log" (func $log (param i32 i32 i32 i32 i32)))
        (func (export "run") (result i32)
            (call $log (i32.const 3) (i32.const 0) (i32.const 5) (i32.const 16) (i32.const 15))
            i32.const 7))
    (core instance $talker (instantiate $talker
        (with "env" (instance (export "log" (func $log))))))
    (func (export "run") (result u32) (canon lift (core func $talker "run"))))"#;

const MANIFEST: &str = r#"schema = 1
name = "soma/talker"
version = "1.0.0"
kind = "task"
summary = "Talks"
licence = "Apache-2.0"

[functions.run]
summary = "Say one thing"

[capabilities.logging]
why = "It talks"
per_call = "4 KiB"
"#;

async fn talking() -> (TestHome, TestHost) {
    let home = TestHome::new().await.unwrap();
    let pem = std::fs::read(home.path().join("keys/soma.key")).unwrap();
    let key = KeyPair::from_encrypted_pem(&pem, PASSPHRASE.as_bytes()).unwrap();
    let package = Package::new(&wat::parse_str(TALKER).unwrap(), MANIFEST, &key).unwrap();
    let path = package.write(&home.beside("talker"), "talker").unwrap();
    for id in ["talker", "other"] {
        let install = home.soma().unwrap().args(["install"]).args([&path]).args(["--as", id]);
        install.succeed().await.unwrap();
    }
    let host = TestHost::start(&home).await.unwrap();
    (home, host)
}

async fn logs(home: &TestHome, words: &[&str]) -> Finished {
    home.soma().unwrap().args(["logs"]).args(words).succeed().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_found_by_installation_by_call_and_by_time_and_are_harmless() {
    let (home, host) = talking().await;
    assert_eq!(logs(&home, &[]).await.stdout, "");
    let call = host.call("talker", "run", &serde_json::json!({})).await.unwrap();
    assert_eq!((call.status, &call.body), (200, &7.into()), "{call:?}");
    host.call("other", "run", &serde_json::json!({})).await.unwrap();

    let all = logs(&home, &[]).await.stdout;
    assert_eq!(all.lines().count(), 2, "{all}");
    let one = logs(&home, &["talker"]).await.stdout;
    assert_eq!(one, logs(&home, &[&call.call]).await.stdout);
    let line = one.trim_end();
    assert!(line.contains(&format!(" talker {} warn rate ", call.call)), "{line}");
    assert!(line.ends_with("limit") && !line.contains('\u{1b}'), "{line:?}");
    assert_eq!(logs(&home, &["talker", "--since", "1h"]).await.stdout, one);
    assert_eq!(logs(&home, &["nobody"]).await.stdout, "");
    let json = home.soma().unwrap().args(["--output", "jsonl", "logs", "talker"]);
    let json = json.succeed().await.unwrap().json().unwrap();
    assert_eq!(
        (&json["line"]["context"], &json["line"]["level"]),
        (&"rates".into(), &"warn".into())
    );
    assert_eq!(json["call"], call.call);
    let unknown = home.soma().unwrap().args(["logs", "0000000000000000000000000H"]);
    assert_eq!(unknown.finish().await.unwrap().code, 5);
}
