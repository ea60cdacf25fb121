//! The library, capsule by capsule, as a tenant uses it: installed from signed files and called
//! over HTTP.

mod csv;
mod github;
mod hello_http;
mod kv_notes;
mod relay;
mod stream;
mod text;
