//! The ETag and body of a page, kept between calls where `kv.cache` is granted. A store that
//! refuses is no error: the page is asked for again in full.

use serde::{Deserialize, Serialize};
use soma_sdk::http::Response;
use soma_sdk::kv;

/// The name under `[capabilities.kv.NAME]`.
const BUCKET: &str = "cache";

#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) etag: String,
    pub(crate) link: Option<String>,
    pub(crate) body: String,
}

pub(crate) fn get(path: &str) -> Option<Kept> {
    let bytes = kv::open(BUCKET).ok()?.get(&key(path)).ok()??;
    serde_json::from_slice(&bytes).ok()
}

pub(crate) fn keep(path: &str, response: &Response) {
    let Some(etag) = response.header("etag") else { return };
    let kept = Kept {
        etag: etag.to_owned(),
        link: response.header("link").map(str::to_owned),
        body: response.text(),
    };
    if let (Ok(bucket), Ok(bytes)) = (kv::open(BUCKET), serde_json::to_vec(&kept)) {
        // Full or withdrawn: the next call asks again, nothing is lost.
        let _ = bucket.set(&key(path), &bytes);
    }
}

fn key(path: &str) -> String {
    format!("etag{path}")
}
