//! Fuzz targets of every parser and canonical form here. As tests each runs for a moment with random
//! input; `cargo bolero test -p soma-policy TARGET` runs one with coverage guidance for as long as one likes.

use std::fmt::Display;
use std::str::FromStr;

use soma_policy::{
    Bytes, CapabilityRef, CapsuleName, ConfigKey, Digest, FileOp, FileRequest, Fingerprint,
    FunctionName, GuestPath, HostPattern, HttpRequest, InstallationSpec, IpRule, JournalEntry,
    KeyPrefix, KillOrder, KillScope, Lift, LimitsAsk, Millis, Money, OperatorPolicy, OriginPattern,
    PathPattern, PolicySources, PolicyText, Rate, VersionRange, canonical, explain_serde,
};

/// Pieces that make random text reach the deeper branches.
const PIECES: [&str; 24] = [
    "https://",
    "http://",
    "a.example",
    "*.",
    "**",
    "/",
    "%2e",
    "[::1]",
    ":443",
    "@",
    "acme/csv",
    "sha256:",
    "1.2.3",
    "^",
    " EUR",
    "/day",
    " KiB",
    "everything",
    "capsule:",
    "xn--",
    "..",
    "\u{e9}",
    "0x7f",
    "\"\n[grants.http.a]\norigin = \"",
];

/// Text of random pieces and random characters.
fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(2).take(64) {
        match chunk {
            [0..=127, piece] => out.push_str(
                PIECES.get(usize::from(*piece) % PIECES.len()).copied().unwrap_or_default(),
            ),
            [_, byte] => out.push(char::from(*byte)),
            rest => out.push_str(&String::from_utf8_lossy(rest)),
        }
    }
    out
}

/// What parses prints a text that parses to the same value.
fn round_trip<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert!(
            printed.parse::<T>().is_ok_and(|again| again == value),
            "{text:?} became {printed:?}"
        );
    }
}

#[test]
fn fuzz_patterns_and_ids() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let text = text(bytes);
        round_trip::<OriginPattern>(&text);
        round_trip::<HostPattern>(&text);
        round_trip::<PathPattern>(&text);
        round_trip::<IpRule>(&text);
        round_trip::<KeyPrefix>(&text);
        round_trip::<VersionRange>(&text);
        round_trip::<CapsuleName>(&text);
        round_trip::<CapabilityRef>(&text);
        round_trip::<FunctionName>(&text);
        round_trip::<ConfigKey>(&text);
        round_trip::<GuestPath>(&text);
        round_trip::<KillScope>(&text);
        round_trip::<Digest>(&text);
        round_trip::<Fingerprint>(&text);
        round_trip::<Money>(&text);
        round_trip::<Rate>(&text);
        round_trip::<Bytes>(&text);
        round_trip::<Millis>(&text);
        let _ = explain_serde(&text);
    });
}

#[test]
fn fuzz_http_requests() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let (authority, target) = bytes.split_at(bytes.len() / 2);
        let (authority, target) = (text(authority), text(target));
        let Ok(request) = HttpRequest::canonical("https", &authority, &target, "GET") else {
            return;
        };
        let path = request.path();
        assert!(
            path.starts_with('/') && !path.contains("//") && !path.contains(['\\', '#', ' ', '?']),
            "{path}"
        );
        assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "{path}");
        let lower = path.to_ascii_lowercase();
        assert!(!["%2e", "%2f", "%5c", "%00"].iter().any(|bad| lower.contains(bad)), "{path}");
        assert!(
            request.url().is_ascii() && !request.url().bytes().any(|byte| byte.is_ascii_control())
        );
    });
}

#[test]
fn fuzz_file_requests() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(request) = FileRequest::canonical(FileOp::Read, &text(bytes)) {
            let path = request.path();
            assert!(
                path.starts_with('/') && !path.split('/').any(|part| part == ".." || part == "."),
                "{path}"
            );
        }
    });
}

#[test]
fn fuzz_files_of_people() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let text = text(bytes);
        let _ = toml::from_str::<InstallationSpec>(&text);
        let _ = toml::from_str::<LimitsAsk>(&text);
    });
}

#[test]
fn fuzz_policy_bundles() {
    bolero::check!().with_iterations(100).for_each(|bytes: &[u8]| {
        let text = text(bytes);
        let policies = vec![PolicyText { name: "fuzz.cedar".to_owned(), text: text.clone() }];
        let sources = PolicySources {
            limits: Some(text.clone()),
            peers: Some(text),
            policies,
            ..PolicySources::default()
        };
        assert!(OperatorPolicy::load(&sources).is_err(), "no random text permits anything");
    });
}

#[test]
fn fuzz_signed_and_journalled_documents() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = serde_json::from_slice::<KillOrder>(bytes);
        let _ = serde_json::from_slice::<Lift>(bytes);
        if let Ok(entry) = serde_json::from_slice::<JournalEntry>(bytes) {
            assert!(canonical::to_vec(&entry).is_ok());
        }
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes)
            && let Ok(written) = canonical::value_to_vec(&value)
        {
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&written).ok(), Some(value));
        }
    });
}
