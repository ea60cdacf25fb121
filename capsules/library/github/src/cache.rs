//! Answers that were had before, kept under `kv.cache` with the ETag they came with: asking again for what
//! did not change costs no rate limit and no transfer.
//!
//! The capability is optional. Without its grant, or with its quota used up, every answer is fetched
//! whole; that is slower and never wrong, so no error of the store is passed on.

use soma_sdk::http::Response;
use soma_sdk::kv;

/// Larger answers are fetched each time: moving them through the store would cost more than it saves.
const BODY_MAX: usize = 256 << 10;
/// Longer keys are not stored by every host.
const KEY_MAX: usize = 1024;

/// An answer, as much of it as is used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The `link` header: where the next page is.
    pub(crate) link: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { link: response.header("link").map(str::to_owned), body: response.body }
    }
}

/// An answer with the ETag that GitHub gave it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) etag: String,
    pub(crate) answer: Answer,
}

/// What was kept of this path.
pub(crate) fn kept(path: &str) -> Option<Kept> {
    let bytes = kv::open("cache").ok()?.get(&key(path)?).ok()??;
    Kept::read(&bytes)
}

/// Keeps an answer that came with an ETag.
pub(crate) fn keep(path: &str, response: &Response) {
    let (Some(etag), Some(key)) = (response.header("etag"), key(path)) else { return };
    if response.body.len() > BODY_MAX {
        return;
    }
    let bytes = write(etag, response.header("link"), &response.body);
    if let Ok(bucket) = kv::open("cache") {
        // A full store keeps what it has.
        let _ = bucket.set(&key, &bytes);
    }
}

fn key(path: &str) -> Option<String> {
    let key = format!("etag{path}");
    (key.len() <= KEY_MAX).then_some(key)
}

/// The ETag and the link, a line each, and then the body as it came. Headers hold no line ends.
fn write(etag: &str, link: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{etag}\n{}\n", link.unwrap_or_default()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Kept {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
        let mut line = || std::str::from_utf8(parts.next()?).ok();
        let (etag, link) = (line()?.to_owned(), line()?.to_owned());
        let body = parts.next()?.to_vec();
        let link = Some(link).filter(|link| !link.is_empty());
        (!etag.is_empty()).then_some(Self { etag, answer: Answer { link, body } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        for (link, body) in [(Some("<https://x/?page=2>; rel=\"next\""), "[1]\n[2]"), (None, "")] {
            let kept = Kept::read(&write("W/\"a\"", link, body.as_bytes())).unwrap();
            assert_eq!(kept.etag, "W/\"a\"");
            assert_eq!(kept.answer.link.as_deref(), link);
            assert_eq!(kept.answer.body, body.as_bytes());
        }
    }

    #[test]
    fn anything_else_in_the_store_is_not_believed() {
        for bytes in [&b""[..], b"one line", b"\n\nbody without an etag", b"\xff\n\n{}"] {
            assert_eq!(Kept::read(bytes), None);
        }
    }

    #[test]
    fn each_path_has_a_key_of_its_own_under_the_granted_prefix() {
        assert_eq!(key("/repos/a/b/issues/1").as_deref(), Some("etag/repos/a/b/issues/1"));
        assert_eq!(key(&"/x".repeat(KEY_MAX)), None);
    }
}
