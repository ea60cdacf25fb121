//! What the capsule received: as JSON, or as a stream in capitals.

use serde_json::{Value, json};
use soma_sdk::bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};
use soma_sdk::bindings::wasi::io::streams::StreamError;
use soma_sdk::http;

use crate::reply;

const BODY_MAX: usize = 64 * 1024;
const CHUNK: u64 = 16 * 1024;

pub(crate) fn describe(request: &IncomingRequest, target: &str, out: ResponseOutparam) {
    let body = request.consume().ok().map(|body| http::read_body(&body, BODY_MAX));
    let body = match body {
        Some(Ok(bytes)) => bytes,
        Some(Err(_)) => return reply::problem(out, 413, "the body is too long or broke off"),
        None => Vec::new(),
    };
    let headers: Vec<Value> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(&value)]))
        .collect();
    let seen = json!({
        "method": name(&request.method()),
        "target": target,
        "authority": request.authority(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    reply::whole(out, 200, "application/json", &seen.to_string());
}

/// Answers while it reads: neither body is held in memory as a whole.
pub(crate) fn upper(request: &IncomingRequest, out: ResponseOutparam) {
    let Ok(incoming) = request.consume() else {
        return reply::problem(out, 400, "the request has no body");
    };
    let Ok(input) = incoming.stream() else {
        return reply::problem(out, 400, "the request has no body");
    };
    let Some(sending) = reply::start(out, 200, &[("content-type", "text/plain; charset=utf-8")])
    else {
        return;
    };
    loop {
        match input.blocking_read(CHUNK) {
            Ok(mut chunk) => {
                chunk.make_ascii_uppercase();
                if !sending.write(&chunk) {
                    return;
                }
            }
            Err(StreamError::Closed) => return sending.finish(),
            // Dropping the body unfinished tells the client that it is not whole.
            Err(StreamError::LastOperationFailed(_)) => return,
        }
    }
}

fn name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Other(name) => name,
        _ => "other",
    }
}
