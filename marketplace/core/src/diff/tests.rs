//! The words, and what they must never get wrong: a difference that is not said to be wider allows nothing new.

mod property;

pub(crate) use property::declarations;

use super::*;

fn declared(text: &str) -> Declarations {
    toml::from_str(text).unwrap()
}

fn granted(text: &str) -> Grants {
    toml::from_str(text).unwrap()
}

fn said(old: &str, new: &str) -> String {
    Diff::declared(&declared(old), &declared(new)).to_string()
}

const HTTP: &str = r#"
    [http.api]
    origin = "https://api.x.io"
    methods = ["GET"]
    paths = ["/v1/*"]
"#;

#[test]
fn a_new_method_is_said_with_its_places() {
    let post = HTTP.replace("\"GET\"", "\"GET\", \"POST\"");
    assert_eq!(said(HTTP, &post), "+ http.api: may now also POST to https://api.x.io:443/v1/*\n");
    assert_eq!(said(&post, HTTP), "- http.api: may no longer POST to https://api.x.io:443/v1/*\n");
}

#[test]
fn every_kind_says_what_is_more_and_what_is_less() {
    for (old, new, more) in [
        ("", HTTP, "http.api: may now GET https://api.x.io:443/v1/*"),
        (HTTP, &HTTP.replace("/v1/*", "/v1/**"), "may now also reach the paths /v1/**"),
        (
            HTTP,
            &HTTP.replace("api.x.io", "*.x.io"),
            "may now reach https://*.x.io:443, was https://api.x.io:443",
        ),
        (
            &format!("{HTTP}per_call = {{ request = \"1 KiB\", response = \"1 KiB\" }}"),
            HTTP,
            "may now send and receive without a bound of its own per call, could send 1 KiB and receive 1 KiB",
        ),
        (
            &format!("{HTTP}per_day = {{ request = \"1 KiB\", response = \"1 KiB\" }}"),
            &format!("{HTTP}per_day = {{ request = \"2 KiB\", response = \"1 KiB\" }}"),
            "may now send 2 KiB and receive 1 KiB per day",
        ),
        (&format!("{HTTP}optional = true"), HTTP, "can no longer be left out"),
        (
            "[kv.a]\nprefix = \"a/b/\"\naccess = \"read\"\nquota = \"1 B\"",
            "[kv.a]\nprefix = \"a/\"\naccess = \"read\"\nquota = \"1 B\"",
            "may now use keys below a/, was a/b/",
        ),
        (
            "[kv.a]\nprefix = \"a/\"\naccess = \"read\"\nquota = \"1 B\"",
            "[kv.a]\nprefix = \"a/\"\naccess = \"read-write\"\nquota = \"2 B\"",
            "may now read and write the store, could read",
        ),
        (
            "[files.a]\nmount = \"/a\"\naccess = \"write\"\nquota = \"1 B\"\ninodes = 1",
            "[files.a]\nmount = \"/a\"\naccess = \"write\"\nquota = \"2 B\"\ninodes = 2",
            "may now keep 2 files, was 1",
        ),
        (
            "[files.a]\nmount = \"/a\"\naccess = \"read\"\nquota = \"1 B\"\ninodes = 1",
            "[files.a]\nmount = \"/b\"\naccess = \"read\"\nquota = \"1 B\"\ninodes = 1",
            "in another place",
        ),
        (
            "[tool.a]\ncapsule = \"a/b\"\nversion = \"^1.2\"\nfunctions = [\"f\"]",
            "[tool.a]\ncapsule = \"a/b\"\nversion = \"^1\"\nfunctions = [\"f\", \"g\"]",
            "may now call versions ^1, was ^1.2",
        ),
        (
            "[tool.a]\ncapsule = \"a/b\"\nversion = \"*\"\nfunctions = [\"f\"]",
            "[tool.a]\ncapsule = \"a/c\"\nversion = \"*\"\nfunctions = [\"f\"]",
            "may now call a/c instead of a/b",
        ),
        (
            "[emit.a]\nper_call = \"1 B\"\nevents = 1",
            "[emit.a]\nper_call = \"2 B\"\nevents = 2",
            "may now emit 2 events per call, was 1",
        ),
        (
            "[config]\nkeys = [\"a\"]",
            "[config]\nkeys = [\"a\", \"b\"]",
            "may now also read the settings b",
        ),
        ("[clocks]\nprecise = false", "[clocks]\nprecise = true", "may now read precise clocks"),
        (
            "[random]\nper_call = \"1 B\"",
            "[random]\nper_call = \"2 B\"",
            "may now draw 2 B of random bytes per call, was 1 B",
        ),
        (
            "[logging]\nper_call = \"1 B\"",
            "[logging]\nper_call = \"2 B\"",
            "may now write 2 B of log per call, was 1 B",
        ),
        ("", "[budget]", "may now read what the call may still spend"),
        ("[serve]\nanonymous = false", "[serve]\nanonymous = true", "may now answer strangers"),
    ] {
        let forth = Diff::declared(&declared(old), &declared(new));
        assert_eq!(forth.class(), Class::Wider, "{forth}");
        assert!(forth.to_string().contains(more), "{forth}");
        let back = Diff::declared(&declared(new), &declared(old));
        assert!(!back.is_empty(), "{forth}");
        let moved =
            forth.to_string().contains("another place") || forth.to_string().contains("instead of");
        assert_eq!(back.class() == Class::Wider, moved, "{back}");
    }
}

#[test]
fn each_whole_right_reads_as_a_sentence() {
    let all = r#"
        [http.api]
        origin = "https://api.x.io"
        methods = ["GET"]
        paths = ["/"]
        [secret.token]
        place = { http = "api", header = "authorization" }
        [kv.a]
        prefix = "a/"
        access = "write"
        quota = "1 B"
        [files.a]
        mount = "/a"
        access = "read"
        quota = "1 B"
        inodes = 3
        [tool.a]
        capsule = "a/b"
        version = "^1"
        functions = ["f"]
        [emit.a]
        per_call = "1 B"
        events = 1
        [config]
        keys = ["k"]
        [clocks]
        precise = false
        [random]
        per_call = "1 B"
        [logging]
        per_call = "1 B"
        [budget]
        [serve]
        anonymous = false
    "#;
    let words = said("", all);
    for part in [
        "secret.token: may now have a secret placed into requests of http.api",
        "kv.a: may now write keys below `a/`, up to 1 B",
        "files.a: may now read files at /a, up to 1 B in 3 files",
        "tool.a: may now call f of a/b ^1",
        "clocks: may now read coarse clocks",
        "serve: may now answer requests with a token",
    ] {
        assert!(words.contains(part), "{words}");
    }
    assert_eq!(said(all, all), "");
    assert_eq!(words.lines().count(), soma_policy::CapabilityKind::ALL.len());
    let gone = Diff::declared(&declared(all), &Declarations::default());
    assert_eq!(gone.class(), Class::Narrower);
    assert!(gone.to_string().contains("may no longer read files at /a"));
}

#[test]
fn grants_are_compared_with_their_labels_and_secrets() {
    let old = "[secret.token]\nfrom = \"one\"\n[kv.a]\nprefix = \"a/\"\naccess = \"read\"\nquota = \"1 B\"";
    let new = "[secret.token]\nfrom = \"two\"\n[kv.a]\nprefix = \"a/\"\naccess = \"read\"\nquota = \"1 B\"\nclears = [\"tenant-data\"]";
    let diff = Diff::granted(&granted(old), &granted(new));
    let words = diff.to_string();
    assert!(words.contains("may now have the secret `two` placed"), "{words}");
    assert!(words.contains("may now also be sent data that is tenant-data"), "{words}");
    assert_eq!(diff.wider().count(), 2);
    assert!(Diff::granted(&granted(old), &granted(old)).is_empty());
    let placed = Diff::granted(
        &Grants::default(),
        &granted(
            "[files.a]\naccess = \"read\"\nquota = \"1 B\"\ninodes = 1\n[secret.s]\nfrom = \"x\"",
        ),
    );
    assert!(placed.to_string().contains("may now read files, up to"), "{placed}");
    let json = serde_json::to_string(&diff).unwrap();
    assert_eq!(serde_json::from_str::<Diff>(&json).unwrap(), diff);
}

#[test]
fn limits_are_compared_with_the_defaults() {
    let ask = |text: &str| toml::from_str::<LimitsAsk>(text).unwrap();
    let diff = Diff::limits(&ask(""), &ask("cpu = \"2 s\"\nmemory = \"32 MiB\""));
    let words = diff.to_string();
    assert!(words.contains("+ limits: may now use 2 s of cpu per call, was 500 ms"), "{words}");
    assert!(
        words.contains("- limits: may now use 32 MiB of memory per call, was 64 MiB"),
        "{words}"
    );
    assert!(Diff::limits(&ask(""), &ask("cpu = \"500 ms\"")).is_empty());
}

#[test]
fn the_same_right_under_another_name_is_asked_for_again() {
    let renamed = HTTP.replace("http.api", "http.other");
    let diff = Diff::declared(&declared(HTTP), &declared(&renamed));
    assert_eq!((diff.class(), diff.changes().len()), (Class::Wider, 2));
}
