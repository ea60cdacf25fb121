//! The differences held against a plain reference: small sample requests, asked of both sides with `allows`, and
//! amounts compared.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use soma_policy::{Bytes, Method, Scheme, Transfer};

use super::*;

fn http() -> impl Strategy<Value = String> {
    let origin = select(vec![
        "https://x.a.io",
        "https://*.a.io",
        "https://**.a.io",
        "https://**",
        "http://x.a.io",
        "https://x.a.io:8443",
    ]);
    let methods = subsequence(vec!["GET", "POST", "PUT"], 1..=3);
    let paths = prop::collection::vec(select(vec!["/", "/a", "/*", "/a/*", "/a/**", "/**"]), 1..4);
    (origin, methods, paths, transfer(), transfer()).prop_map(
        |(origin, methods, paths, call, day)| {
            let [call, day] = [("per_call", call), ("per_day", day)].map(|(key, amounts)| {
                amounts.map_or_else(String::new, |(a, b)| {
                    format!("{key} = {{ request = \"{a} B\", response = \"{b} B\" }}\n")
                })
            });
            format!("origin = \"{origin}\"\nmethods = {methods:?}\npaths = {paths:?}\n{call}{day}")
        },
    )
}

fn transfer() -> impl Strategy<Value = Option<(u8, u8)>> {
    prop::option::of((1u8..4, 1u8..4))
}

fn store(fields: &'static str) -> impl Strategy<Value = String> {
    (select(vec!["a/", "a/b/", "c/"]), select(vec!["read", "write", "read-write"]), 1u8..4, 1u8..3)
        .prop_map(move |(prefix, access, quota, inodes)| match fields {
            "kv" => {
                format!("prefix = \"{prefix}\"\naccess = \"{access}\"\nquota = \"{quota} B\"\n")
            }
            _ => format!(
                "mount = \"/m\"\naccess = \"{access}\"\nquota = \"{quota} B\"\ninodes = {inodes}\n"
            ),
        })
}

fn tool() -> impl Strategy<Value = String> {
    let versions = select(vec!["*", "^1", "^1.2", "=1.2.3", "^2"]);
    (select(vec!["a/b", "a/c"]), versions, subsequence(vec!["f", "g", "h"], 1..=3)).prop_map(
        |(capsule, version, functions)| {
            format!("capsule = \"{capsule}\"\nversion = \"{version}\"\nfunctions = {functions:?}\n")
        },
    )
}

fn single() -> impl Strategy<Value = String> {
    let keys = subsequence(vec!["k", "l", "m"], 1..=3);
    (
        prop::option::of(keys),
        prop::option::of(any::<bool>()),
        prop::option::of(1u8..4),
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(keys, precise, bytes, anonymous)| {
            let mut text = String::new();
            if let Some(keys) = keys {
                text.push_str(&format!("[config]\nkeys = {keys:?}\n"));
            }
            if let Some(precise) = precise {
                text.push_str(&format!("[clocks]\nprecise = {precise}\n[budget]\n"));
            }
            if let Some(bytes) = bytes {
                text.push_str(&format!(
                    "[random]\nper_call = \"{bytes} B\"\n[logging]\nper_call = \"{bytes} B\"\n"
                ));
            }
            if let Some(anonymous) = anonymous {
                text.push_str(&format!("[serve]\nanonymous = {anonymous}\n"));
            }
            text
        })
}

/// Small declarations that often differ in one thing only.
pub(crate) fn declarations() -> impl Strategy<Value = Declarations> {
    let maybe = |entry: BoxedStrategy<String>| prop::option::weighted(0.6, (entry, any::<bool>()));
    (
        maybe(http().boxed()),
        maybe(http().boxed()),
        maybe(store("kv").boxed()),
        maybe(store("files").boxed()),
        maybe(tool().boxed()),
        single(),
    )
        .prop_map(|(one, two, kv, files, tool, single)| {
            let mut text = single;
            for (table, entry) in [
                ("http.one", one),
                ("http.two", two),
                ("kv.k", kv),
                ("files.f", files),
                ("tool.t", tool),
            ] {
                if let Some((fields, optional)) = entry {
                    text.push_str(&format!("[{table}]\n{fields}optional = {optional}\n"));
                }
            }
            declared(&text)
        })
}

/// Everything that a sample of requests is answered with, and every amount: the rights, spelled out.
fn rights(of: &Declarations) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let mut yes = |what: String, amount: u64| all.push((what, amount));
    let bytes = |transfer: Option<Transfer>| {
        transfer.map_or([u64::MAX; 2], |Transfer { request: Bytes(a), response: Bytes(b) }| [a, b])
    };
    for (name, http) in &of.http {
        yes(format!("http {name} must"), u64::from(!http.optional));
        for (key, amounts) in [("call", bytes(http.per_call)), ("day", bytes(http.per_day))] {
            for (way, amount) in ["out", "in"].iter().zip(amounts) {
                yes(format!("http {name} {key} {way}"), amount);
            }
        }
        for (scheme, host, port) in [
            (Scheme::Https, "x.a.io", 443),
            (Scheme::Https, "y.a.io", 443),
            (Scheme::Https, "z.y.a.io", 443),
            (Scheme::Https, "b.io", 443),
            (Scheme::Http, "x.a.io", 80),
            (Scheme::Https, "x.a.io", 8443),
        ] {
            for method in Method::ALL.iter().filter(|method| http.methods.allows(**method)) {
                for path in ["/", "/a", "/b", "/a/b", "/a/b/c", "/b/c"] {
                    if http.origin.allows(scheme, host, port)
                        && http.paths.iter().any(|p| p.allows(path))
                    {
                        yes(format!("http {name} {method} {scheme}://{host}:{port}{path}"), 1);
                    }
                }
            }
        }
    }
    for (name, kv) in &of.kv {
        yes(format!("kv {name} must"), u64::from(!kv.optional));
        yes(format!("kv {name} quota"), kv.quota.0);
        for key in ["a/x", "a/b/x", "c/x"].iter().filter(|key| kv.prefix.allows(key)) {
            yes(format!("kv {name} read {key}"), u64::from(kv.access.reads()));
            yes(format!("kv {name} write {key}"), u64::from(kv.access.writes()));
        }
    }
    for (name, files) in &of.files {
        yes(format!("files {name} must"), u64::from(!files.optional));
        yes(format!("files {name} quota"), files.quota.0);
        yes(format!("files {name} inodes"), u64::from(files.inodes));
        yes(format!("files {name} read"), u64::from(files.access.reads()));
        yes(format!("files {name} write"), u64::from(files.access.writes()));
    }
    for (name, tool) in &of.tool {
        yes(format!("tool {name} must"), u64::from(!tool.optional));
        for version in ["0.1.0", "1.0.0", "1.2.3", "1.3.0", "2.0.0"] {
            for function in &tool.functions {
                if tool.version.allows(&version.parse().unwrap()) {
                    yes(format!("tool {name} {} {version} {function}", tool.capsule), 1);
                }
            }
        }
    }
    for key in of.config.iter().flat_map(|config| &config.keys) {
        yes(format!("config {key}"), 1);
    }
    let singles = [
        ("clocks", of.clocks.as_ref().map(|clocks| u64::from(clocks.precise))),
        ("budget", of.budget.as_ref().map(|_| 0)),
        ("random", of.random.as_ref().map(|random| random.per_call.0)),
        ("logging", of.logging.as_ref().map(|logging| logging.per_call.0)),
        ("serve", of.serve.as_ref().map(|serve| u64::from(serve.anonymous))),
        ("config", of.config.as_ref().map(|_| 0)),
    ];
    for (name, amount) in singles {
        if let Some(amount) = amount {
            yes(name.to_owned(), amount + 1);
        }
    }
    // What is not allowed is not a right.
    all.retain(|(_, amount)| *amount > 0);
    all.sort();
    all.dedup();
    all
}

/// Whether `new` has something that `old` has not, or more of it.
fn beyond(old: &[(String, u64)], new: &[(String, u64)]) -> Option<String> {
    let had = |what: &String| {
        old.iter().find(|(known, _)| known == what).map_or(0, |(_, amount)| *amount)
    };
    new.iter().find(|(what, amount)| had(what) < *amount).map(|(what, _)| what.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_difference_is_empty_if_and_only_if_the_rights_are_equal(old in declarations(), new in declarations()) {
        let diff = Diff::declared(&old, &new);
        let same = rights(&old) == rights(&new);
        prop_assert_eq!(diff.is_empty(), same, "{}", diff);
        prop_assert_eq!(diff.is_empty(), diff.class() == Class::Equal);
        prop_assert_eq!(diff.is_empty(), Diff::declared(&new, &old).is_empty());
    }

    #[test]
    fn what_is_not_called_wider_allows_nothing_new(old in declarations(), new in declarations()) {
        let diff = Diff::declared(&old, &new);
        let more = beyond(&rights(&old), &rights(&new));
        prop_assert_eq!(diff.class() == Class::Wider, more.is_some(), "{} though {:?}", diff, more);
        if diff.class() == Class::Narrower {
            prop_assert_eq!(Diff::declared(&new, &old).class(), Class::Wider);
        }
    }

    #[test]
    fn another_spelling_of_the_same_is_no_difference(side in declarations(), words in "[a-z]{0,8}") {
        let mut other = side.clone();
        for http in other.http.values_mut() {
            http.why.clone_from(&words);
            http.paths.reverse();
            let again = http.paths.clone();
            http.paths.extend(again);
        }
        for tool in other.tool.values_mut() {
            tool.functions.reverse();
        }
        prop_assert!(Diff::declared(&side, &other).is_empty());
        prop_assert!(Diff::declared(&other, &side).is_empty());
    }

    #[test]
    fn grants_made_from_declarations_differ_as_the_declarations_do(old in declarations(), new in declarations()) {
        let must = |side: &Declarations| {
            let mut side = side.clone();
            side.http.values_mut().for_each(|entry| entry.optional = false);
            side.kv.values_mut().for_each(|entry| entry.optional = false);
            side.files.values_mut().for_each(|entry| entry.optional = false);
            side.tool.values_mut().for_each(|entry| entry.optional = false);
            side
        };
        let (old, new) = (must(&old), must(&new));
        let granted = Diff::granted(&Grants::as_declared(&old), &Grants::as_declared(&new));
        prop_assert_eq!(granted.class(), Diff::declared(&old, &new).class(), "{}", granted);
    }
}
