//! A value that must be found nowhere: looked for as it is, and in the forms that it could hide in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A value and its disguises.
pub(crate) struct Canary {
    pub(crate) text: String,
    needles: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let percent = |b: &u8| match b {
            b if b.is_ascii_alphanumeric() => char::from(*b).to_string(),
            b => format!("%{b:02X}"),
        };
        let url = bytes.iter().map(percent).collect::<String>();
        let json = serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
        let mut needles = vec![
            ("as it is", bytes.to_vec()),
            ("hex", hex.to_uppercase().into_bytes()),
            ("hex", hex.into_bytes()),
            ("url-encoded", url.to_lowercase().into_bytes()),
            ("url-encoded", url.into_bytes()),
            ("JSON", json.into_bytes()),
            ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("backwards", bytes.iter().rev().copied().collect()),
        ];
        // Base64 of something longer shows it at one of three offsets.
        for (engine, offset) in
            [&STANDARD, &URL_SAFE].into_iter().flat_map(|e| [(e, 0), (e, 1), (e, 2)])
        {
            let padded = [vec![0; offset], bytes.to_vec()].concat();
            let encoded = engine.encode(padded).into_bytes();
            let whole = encoded.len() / 4 * 4 - 4;
            needles.push(("base64", encoded[4.min(whole)..whole].to_vec()));
        }
        Self { text: text.to_owned(), needles }
    }

    /// Fails if the value is in there, in any form.
    #[track_caller]
    pub(crate) fn is_not_in(&self, place: &str, haystack: &[u8]) {
        for (form, needle) in &self.needles {
            let found = haystack.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "the value is in {place}, {form}");
        }
    }
}

#[test]
fn a_canary_is_seen_in_every_disguise() {
    let canary = Canary::new("sk_live/Zx+7 \"quoted\" canary-0001");
    let text = canary.text.as_bytes();
    let long = [b"x", text, b"tail"].concat();
    for haystack in
        [text.to_vec(), STANDARD.encode(&long).into_bytes(), URL_SAFE.encode(&long).into_bytes()]
    {
        let seen = std::panic::catch_unwind(|| canary.is_not_in("a test", &haystack));
        assert!(seen.is_err(), "{}", String::from_utf8_lossy(&haystack));
    }
    canary.is_not_in("nothing", b"sk_live is not the value");
}
