//! The envelope of a record: `{"KIND":BODY,"prev":"sha256:…","seq":"N"}`, canonical JSON.
//!
//! The layout is fixed, so it is read by position and anything else is refused: there is one spelling
//! of every record. The body is bytes here; `entry` bodies are soma-policy's, `head` bodies are
//! those of `head.rs`.

use std::io::Write;

use soma_policy::Digest;

const ENTRY: &[u8] = b"{\"entry\":";
const HEAD: &[u8] = b"{\"head\":";
const PREV: &[u8] = b",\"prev\":\"";
const SEQ: &[u8] = b"\",\"seq\":\"";
const END: &[u8] = b"\"}";
/// `sha256:` and 64 hexadecimal digits.
const DIGEST: usize = 71;
/// The longest decimal `u64`.
const DIGITS: usize = 20;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something that happened.
    Entry,
    /// The host's signature over what came before.
    Head,
}

/// One record, borrowed from its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) body: &'a [u8],
    pub(crate) prev: Digest,
    pub(crate) seq: u64,
}

/// Appends the payload of a record to `out`.
pub(crate) fn write(out: &mut Vec<u8>, kind: Kind, body: &[u8], prev: &Digest, seq: u64) {
    out.extend_from_slice(match kind {
        Kind::Entry => ENTRY,
        Kind::Head => HEAD,
    });
    out.extend_from_slice(body);
    out.extend_from_slice(PREV);
    // Writing to a vector cannot fail.
    let _ = write!(out, "{prev}");
    out.extend_from_slice(SEQ);
    let _ = write!(out, "{seq}");
    out.extend_from_slice(END);
}

/// Bytes that the envelope adds to a body, at most.
pub(crate) const fn overhead() -> usize {
    ENTRY.len() + PREV.len() + DIGEST + SEQ.len() + DIGITS + END.len()
}

/// Reads a payload; `None` if it is not exactly a record.
pub(crate) fn read(payload: &[u8]) -> Option<Record<'_>> {
    let (kind, rest) = match payload.strip_prefix(ENTRY) {
        Some(rest) => (Kind::Entry, rest),
        None => (Kind::Head, payload.strip_prefix(HEAD)?),
    };
    let rest = rest.strip_suffix(END)?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(digits)?)?;
    let rest = rest.strip_suffix(SEQ)?;
    let (rest, prev) = rest.split_at_checked(rest.len().checked_sub(DIGEST)?)?;
    let body = rest.strip_suffix(PREV)?;
    Some(Record { kind, body, prev: digest(prev)?, seq: decimal(digits)? })
}

/// A decimal `u64` in its only spelling.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let value: u64 = text.parse().ok()?;
    let padded = text.len() > 1 && text.starts_with('0') || text.starts_with('+');
    (!padded).then_some(value)
}

fn digest(text: &[u8]) -> Option<Digest> {
    let text = std::str::from_utf8(text).ok()?;
    let lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    lower.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let prev = Digest::of(b"before");
        let mut out = Vec::new();
        write(&mut out, Kind::Entry, br#"{"a":"\",\"seq\":\"1"}"#, &prev, 42);
        let record = read(&out).unwrap();
        assert_eq!(record.kind, Kind::Entry);
        assert_eq!(record.body, br#"{"a":"\",\"seq\":\"1"}"#);
        assert_eq!(record.prev, prev);
        assert_eq!(record.seq, 42);
        assert!(out.len() <= record.body.len() + overhead());
    }

    #[test]
    fn another_spelling_of_a_record_is_refused() {
        let prev = Digest::of(b"before");
        let mut out = Vec::new();
        write(&mut out, Kind::Entry, b"{}", &prev, 42);
        let text = String::from_utf8(out).unwrap();
        for other in [
            text.replace("\"42\"", "\"042\""),
            text.replace("\"42\"", "\"\""),
            text.replace("\"42\"", "42"),
            text.replace(',', ", "),
            text.replace("sha256:", "SHA256:"),
            text.replace("entry", "thing"),
            format!("{text} "),
            text.replace("\"42\"", "\"99999999999999999999\""),
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
