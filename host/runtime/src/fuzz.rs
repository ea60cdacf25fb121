//! Fuzz targets of what callers and operators send to a host: tokens, key sets, installation files,
//! arguments. As tests each runs for a moment on damaged copies of something good;
//! `cargo bolero test -p soma-host fuzz::TARGET` runs one with coverage guidance for as long as one likes.

use std::path::Path;

use crate::engine::{PoolSize, build};
use crate::home::{Identity, SigningKey};
use crate::installations::parse_spec;
use crate::token::{Issuer, Issuers, Scope, TokenAsk, TokenVerifier};
use crate::value::{CallValue, ValueCaps, args_from_json, result_to_json};
use serde_json::{Value, json};
use soma_policy::{HostId, Timestamp, TokenId};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Type, Val};

/// Where a good text is damaged, how much of it goes, and what comes in its place.
type Damage = (u16, u8, Vec<u8>);

/// The good text, damaged in one place.
fn damaged(good: &str, (at, less, more): &Damage) -> Vec<u8> {
    let at = usize::from(*at) % (good.len() + 1);
    let end = (at + usize::from(*less)).min(good.len());
    [&good.as_bytes()[..at], more, &good.as_bytes()[end..]].concat()
}

const INSTALLATION: &str = r#"schema = 1
tenant = "local"
environment = "production"
capsule = "acme/github-issues"
version = "^1.2"
digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
on_update = "ask"

[grants.http.issues]
origin = "https://api.github.com:443"
methods = ["GET"]
paths = ["/repos/acme/*/issues"]
per_call = { request = "4 KiB", response = "1 MiB" }

[grants.kv.cache]
prefix = "etag/"
access = "read-write"
quota = "4 MiB"

[budget]
limit = "5.00 EUR"
per = "day"
concurrent_calls = 16

[limits]
cpu = "200 ms"
"#;

#[test]
fn damaged_installation_files() {
    let path = Path::new("installations/local/production/issues.toml");
    parse_spec(path, INSTALLATION).unwrap();
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damaged(INSTALLATION, damage);
        let text = String::from_utf8_lossy(&bytes);
        match parse_spec(path, &text) {
            // What is read means the same when it is written out again.
            Ok(spec) => {
                let again = toml::to_string(&spec).unwrap();
                assert_eq!(parse_spec(path, &again).unwrap(), spec);
            }
            Err(problem) => {
                assert!(problem.line.is_none_or(|line| line <= text.lines().count() + 1));
                assert!(!problem.what.is_empty());
            }
        }
    });
}

#[test]
fn any_installation_file() {
    let path = Path::new("x.toml");
    bolero::check!().for_each(|bytes: &[u8]| {
        assert!(parse_spec(path, &String::from_utf8_lossy(bytes)).is_err(), "keys are required");
    });
}

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const HOST: HostId = HostId::from_u128(7);

/// An issuer of the host, and its key set as text.
fn issuers() -> (Issuer, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.pem");
    SigningKey::ensure(&path).unwrap();
    let identity = Identity { schema: 1, host: HOST, created: NOW };
    let issuer = Issuer::new(&identity, &SigningKey::load(&path).unwrap()).unwrap();
    let set = json!({ "keys": [issuer.public()] }).to_string();
    (issuer, set)
}

/// A token, and the verifier that takes it.
fn token() -> (String, TokenVerifier) {
    let (issuer, set) = issuers();
    let issuers = Issuers::parse(Path::new("issuers.jwks"), set.as_bytes()).unwrap();
    let ask = TokenAsk {
        subject: "ada".to_owned(),
        org: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        scopes: vec![Scope::Call("issues".parse().unwrap())],
        life_seconds: 300,
        constitution: None,
    };
    let token = issuer.mint(ask, TokenId::from_u128(1), NOW).unwrap().token;
    (token, TokenVerifier::new("issuers.jwks".into(), &HOST, issuers))
}

#[test]
fn damaged_tokens() {
    let (good, verifier) = token();
    let known = verifier.verify(&good, NOW).unwrap();
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damaged(&good, damage);
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(verified) = verifier.verify(&text, NOW) {
            // Nothing but the token itself says what it says.
            assert_eq!(text, good);
            assert_eq!(verified.claims(), known.claims());
        }
    });
}

#[test]
fn any_token() {
    let (_, verifier) = token();
    bolero::check!().for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        assert!(verifier.verify(&text, NOW).is_err(), "nobody signed it");
        assert!(text.parse::<Scope>().is_err() || text.starts_with(['c', 'r', 'o']));
    });
}

#[test]
fn damaged_key_sets() {
    let path = Path::new("issuers.jwks");
    let good = issuers().1;
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        // What is taken is published as it was taken.
        if let Ok(issuers) = Issuers::parse(path, &damaged(&good, damage)) {
            let again = serde_json::to_vec(&issuers.published()).unwrap();
            assert_eq!(Issuers::parse(path, &again).unwrap().published(), issuers.published());
        }
    });
}

/// Every composed type at once, as a parameter and as a result.
const WIT: &str = "package acme:echo; interface api {
    enum colour { red, green, blue }
    flags perms { read, write, run }
    variant shape { dot, circle(f64), named(string) }
    record item {
        n: u64, s: s64, small: s8, f: f32, c: char, t: string, b: list<u8>, colour: colour,
        perms: perms, shape: shape, pair: tuple<bool, u16>, maybe: option<option<u8>>,
        left: option<string>, outcome: result<u8, string>, many: list<shape>,
    }
    echo: func(a: item) -> item;
} world w { export api; }";

const ARGUMENTS: &str = r#"{"a":{"n":"18446744073709551615","s":-7,"small":-128,"f":0.5,"c":"é","t":"x","b":"AAEC",
"colour":"green","perms":["read","run"],"shape":{"circle":1.5},"pair":[true,65535],"maybe":{"some":null},"left":null,
"outcome":{"err":"no"},"many":[{"dot":null},{"named":"n"}]}}"#;

/// The types of the parameter and of the result of `echo`.
fn echo() -> (Vec<(String, Type)>, Type) {
    use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("test.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let abi = wit_parser::ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let bytes = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let engine = build(PoolSize::compiler()).unwrap();
    let exported = Component::new(&engine, bytes).unwrap().component_type();
    let ComponentItem::ComponentInstance(api) =
        exported.get_export(&engine, "acme:echo/api").unwrap().ty
    else {
        panic!("an interface")
    };
    let ComponentItem::ComponentFunc(echo) = api.get_export(&engine, "echo").unwrap().ty else {
        panic!("a function")
    };
    let params = echo.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
    (params, echo.results().next().unwrap())
}

#[test]
fn damaged_arguments() {
    let caps = ValueCaps { depth: 16, nodes: 256, bytes: 1024 };
    let (params, result) = echo();
    let read = |json: &Value| args_from_json(&params, json, &caps);
    let write = |values: &[Val]| result_to_json(values, std::slice::from_ref(&result), &caps);
    read(&serde_json::from_str(ARGUMENTS).unwrap()).unwrap();
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let Ok(json) = serde_json::from_slice::<Value>(&damaged(ARGUMENTS, damage)) else { return };
        match read(&json) {
            // What a function is given comes back as it was meant, in the one canonical spelling.
            Ok(values) => {
                let CallValue::Ok(written) = write(&values).unwrap() else { panic!("a record") };
                let again = read(&json!({ "a": written })).unwrap();
                assert_eq!(write(&again).unwrap(), CallValue::Ok(written));
            }
            Err(error) => assert!(error.path().starts_with("args"), "{error}"),
        }
    });
}
