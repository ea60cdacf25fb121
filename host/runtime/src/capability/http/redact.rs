//! Best-effort removal of secret values from what comes back to a guest.
//!
//! A server may echo the secret that the host placed. The value and its usual encodings (base64 in its three alignments,
//! percent, form, JSON and hex) are overwritten with `*`, byte for byte, so that lengths and `content-length` stay true.
//! Matches across chunk borders are found. This deliberately does not promise more: a server that transforms the value in
//! another way (compression, reversal, encryption) can still hand it over, which is why the one http entry that a secret
//! names is the real border.

use std::sync::Arc;

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use memchr::memmem;
use zeroize::Zeroizing;

/// Shorter forms would blank out ordinary text.
const NEEDLE_BYTES_MIN: usize = 4;
const MASK: u8 = b'*';

/// Every form of every placed value that is looked for.
pub(crate) struct Needles {
    forms: Box<[Zeroizing<Vec<u8>>]>,
}

impl Needles {
    pub(crate) fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut forms = Vec::new();
        for value in values {
            encodings(value, &mut forms);
        }
        forms.retain(|form| form.len() >= NEEDLE_BYTES_MIN);
        forms.sort_by(|a, b| a.as_slice().cmp(b.as_slice()));
        forms.dedup_by(|a, b| a.as_slice() == b.as_slice());
        Self { forms: forms.into_boxed_slice() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Overwrites every form in a text that is complete, and says whether there was one.
    pub(crate) fn mask(&self, text: &mut [u8]) -> bool {
        let mut hits = Vec::new();
        for form in &self.forms {
            hits.extend(memmem::find_iter(text, form.as_slice()).map(|at| at..at + form.len()));
        }
        for hit in &hits {
            if let Some(bytes) = text.get_mut(hit.clone()) {
                bytes.fill(MASK);
            }
        }
        !hits.is_empty()
    }

    /// Overwrites every form in the values of a header section.
    pub(crate) fn mask_fields(&self, fields: &mut HeaderMap) {
        for value in fields.values_mut() {
            let mut text = value.as_bytes().to_vec();
            if self.mask(&mut text) {
                // Mask characters are always legal in a value.
                *value = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("*"));
            }
        }
    }

    /// How many bytes at the end of `text` may be the beginning of a form that goes on in the next chunk.
    fn unfinished(&self, text: &[u8]) -> usize {
        self.forms.iter().map(|form| longest_begun(text, form)).max().unwrap_or(0)
    }
}

fn longest_begun(text: &[u8], form: &[u8]) -> usize {
    let longest = form.len().saturating_sub(1).min(text.len());
    (1..=longest)
        .rev()
        .find(|length| form.get(..*length).is_some_and(|begun| text.ends_with(begun)))
        .unwrap_or(0)
}

/// The state of one stream: what was held back because it may be the beginning of a value.
pub(crate) struct Redactor {
    needles: Arc<Needles>,
    held: Zeroizing<Vec<u8>>,
}

impl Redactor {
    pub(crate) fn new(needles: Arc<Needles>) -> Self {
        Self { needles, held: Zeroizing::new(Vec::new()) }
    }

    pub(crate) fn needles(&self) -> &Needles {
        &self.needles
    }

    /// Takes a chunk, gives what can be shown by now (possibly nothing).
    pub(crate) fn push(&mut self, chunk: &Bytes) -> Bytes {
        if self.needles.is_empty() {
            return chunk.clone();
        }
        let mut text = std::mem::take(&mut *self.held);
        text.extend_from_slice(chunk);
        self.needles.mask(&mut text);
        let shown = text.len() - self.needles.unfinished(&text);
        self.held.extend_from_slice(text.get(shown..).unwrap_or(&[]));
        text.truncate(shown);
        Bytes::from(text)
    }

    /// The end of the stream: what was held back was no value.
    pub(crate) fn finish(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut *self.held))
    }
}

fn encodings(value: &[u8], forms: &mut Vec<Zeroizing<Vec<u8>>>) {
    let mut add = |form: Vec<u8>| forms.push(Zeroizing::new(form));
    add(value.to_vec());
    for before in 0..3 {
        add(base64_core(&STANDARD_NO_PAD, value, before));
        add(base64_core(&URL_SAFE_NO_PAD, value, before));
    }
    add(percent(value, false, b"%20"));
    add(percent(value, true, b"%20"));
    add(percent(value, false, b"+"));
    add(hex::encode(value).into_bytes());
    add(hex::encode_upper(value).into_bytes());
    if let Ok(text) = std::str::from_utf8(value)
        && let Ok(quoted) = serde_json::to_string(text)
    {
        let inner = quoted.trim_start_matches('"');
        let inner = inner.strip_suffix('"').unwrap_or(inner);
        add(inner.as_bytes().to_vec());
        add(inner.replace('/', "\\/").into_bytes());
    }
}

/// The base64 characters that depend on the value alone when `before` bytes stand in front of it.
fn base64_core(engine: &impl base64::Engine, value: &[u8], before: usize) -> Vec<u8> {
    let mut padded = Zeroizing::new(vec![0; before]);
    padded.extend_from_slice(value);
    let text = engine.encode(padded.as_slice());
    let first = (before * 8).div_ceil(6);
    let whole = padded.len() * 8 / 6;
    text.as_bytes().get(first..whole).unwrap_or(&[]).to_vec()
}

fn percent(value: &[u8], lower: bool, space: &[u8]) -> Vec<u8> {
    let digits: &[u8; 16] = if lower { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = Vec::with_capacity(value.len() * 3);
    for byte in value {
        match byte {
            b' ' => text.extend_from_slice(space),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(*byte),
            _ => text.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    const SECRET: &[u8] = b"gh/p_S3cr3t +\"key\"==";

    fn needles() -> Arc<Needles> {
        Arc::new(Needles::of([SECRET]))
    }

    fn through(text: &[u8], cut: usize) -> Vec<u8> {
        let mut redactor = Redactor::new(needles());
        let mut shown = Vec::new();
        for chunk in text.chunks(cut) {
            shown.extend_from_slice(&redactor.push(&Bytes::copy_from_slice(chunk)));
        }
        shown.extend_from_slice(&redactor.finish());
        shown
    }

    fn echoes() -> Vec<(&'static str, Vec<u8>)> {
        let base = |text: &[u8]| base64::engine::general_purpose::STANDARD.encode(text);
        let with = |head: &[u8]| [head, SECRET, b" and more"].concat();
        vec![
            ("plain", SECRET.to_vec()),
            ("base64", base(SECRET).into_bytes()),
            ("base64 after one byte", base(&with(b"a")).into_bytes()),
            ("base64 after two bytes", base(&with(b"ab")).into_bytes()),
            ("base64 of a header", base(&with(b"Bearer ")).into_bytes()),
            ("base64 for addresses", URL_SAFE_NO_PAD.encode(SECRET).into_bytes()),
            ("percent", percent(SECRET, false, b"%20")),
            ("percent in lower case", percent(SECRET, true, b"%20")),
            ("form", percent(SECRET, false, b"+")),
            ("hex", hex::encode(SECRET).into_bytes()),
            ("json", serde_json::to_vec(std::str::from_utf8(SECRET).unwrap()).unwrap()),
        ]
    }

    #[test]
    fn an_echo_is_masked_wherever_the_chunks_are_cut() {
        for (name, echo) in echoes() {
            let text = [b"{\"you sent\":\"".as_slice(), &echo, b"\"}"].concat();
            for cut in 1..=text.len() {
                let shown = through(&text, cut);
                assert_eq!(shown.len(), text.len(), "{name} cut at {cut} keeps its length");
                let forms = needles();
                for form in &forms.forms {
                    assert!(
                        memmem::find(&shown, form).is_none(),
                        "{name} cut at {cut} still shows a form"
                    );
                }
                assert!(shown.contains(&MASK), "{name} cut at {cut} was masked");
            }
        }
    }

    #[test]
    fn other_text_passes_unchanged() {
        let text = b"gh/p_S3cr3t was begun, and gh/p_S3cr3 again, and then not finished gh/";
        for cut in 1..=text.len() {
            assert_eq!(through(text, cut), text);
        }
    }

    #[test]
    fn two_echoes_side_by_side_are_both_masked() {
        let text = [SECRET, SECRET].concat();
        for cut in 1..=text.len() {
            assert_eq!(through(&text, cut), vec![MASK; text.len()]);
        }
    }

    #[test]
    fn without_a_value_a_chunk_passes_as_it_is() {
        let mut redactor = Redactor::new(Arc::new(Needles::of([])));
        let chunk = Bytes::from_static(b"as it is");
        assert_eq!(redactor.push(&chunk).as_ptr(), chunk.as_ptr());
        assert!(redactor.finish().is_empty());
    }

    #[test]
    fn a_value_too_short_to_tell_apart_is_not_looked_for() {
        let needles = Needles::of([b"ab".as_slice()]);
        let mut text = b"about".to_vec();
        assert!(!needles.mask(&mut text));
        assert_eq!(text, b"about");
    }

    proptest::proptest! {
        #[test]
        fn no_cut_of_any_text_shows_the_value(
            secret in proptest::collection::vec(proptest::prelude::any::<u8>(), 4..40),
            around in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..12), 1..6),
            cuts in proptest::collection::vec(1usize..20, 1..12),
        ) {
            let text = around.join(secret.as_slice());
            let mut redactor = Redactor::new(Arc::new(Needles::of([secret.as_slice()])));
            let (mut shown, mut rest) = (Vec::new(), text.as_slice());
            for cut in cuts.iter().cycle() {
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                shown.extend_from_slice(&redactor.push(&Bytes::copy_from_slice(chunk)));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            shown.extend_from_slice(&redactor.finish());
            proptest::prop_assert_eq!(shown.len(), text.len());
            let is_mask = secret.iter().all(|byte| *byte == MASK);
            proptest::prop_assert!(is_mask || memmem::find(&shown, &secret).is_none());
        }
    }
}
