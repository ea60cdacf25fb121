//! Tokens: minted from the home, for what was asked and no longer than an hour.

use base64::Engine as _;
use serde_json::Value;

use super::bench::Bench;

fn claims(token: &str) -> Value {
    let part = token.trim().split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_token_names_its_tenant_its_rights_and_its_host() {
    let bench = Bench::new().with_home();
    let minted = bench
        .run(&["token", "new", "--tenant", "local", "--can", "call:issues", "--ttl", "10m"])
        .ok();
    assert!(minted.err.contains("expires") && minted.err.contains("jti"), "{minted:?}");
    let claims = claims(&minted.out);
    assert_eq!(claims["org"], "local");
    assert_eq!(claims["env"], "production");
    assert_eq!(claims["caps"], serde_json::json!(["call:issues"]));
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(life, 600);
    let home: toml::Table = bench.read(".soma/home.toml").parse().unwrap();
    assert_eq!(claims["aud"].as_str(), home["host"].as_str());
}

#[test]
fn what_a_token_may_not_be_is_refused() {
    let bench = Bench::new().with_home();
    bench.run(&["token", "new", "--ttl", "61m"]).failed(3, "SOMA-T007");
    bench.run(&["token", "new", "--ttl", "0s"]).failed(3, "SOMA-T007");
    bench.run(&["token", "new", "--ttl", "soon"]).failed(2, "SOMA-U001");
    bench.run(&["token", "new", "--can", "everything"]).failed(2, "SOMA-U001");
    bench.run(&["token", "new", "--tenant", "nobody"]).failed(5, "SOMA-U003");
    bench.run(&["token", "new", "--env", "staging"]).failed(5, "SOMA-U003");
}

#[test]
fn without_home_and_token_a_call_says_how_to_get_one() {
    let bench = Bench::new();
    let refused = bench.run(&["call", "csv", "to-json", "--host", "http://127.0.0.1:1"]);
    refused.failed(3, "SOMA-U006");
}

#[test]
fn a_token_is_revoked_by_its_name_and_only_if_somebody_says_yes() {
    let bench = Bench::new().with_home();
    let minted = bench.run(&["token", "new", "--output", "json"]).ok().json();
    let jti = minted["jti"].as_str().unwrap();
    bench.run(&["token", "revoke", jti]).failed(2, "--yes");
    assert!(bench.run(&["token", "revoked"]).ok().out.contains("no token"));
    bench.run(&["token", "revoke", minted["token"].as_str().unwrap(), "--yes"]).failed(2, "U001");
    bench.run(&["token", "revoke", jti, "--yes"]).ok();
    let listed = bench.run(&["token", "revoked", "--output", "json"]).ok().json();
    assert_eq!(listed["items"][0]["jti"], jti);
    bench.write(".soma/trust/revoked.json", "[]");
    bench.run(&["token", "revoke", jti, "--yes"]).failed(4, "SOMA-V013");
}
