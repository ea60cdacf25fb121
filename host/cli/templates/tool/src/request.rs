//! One GET request over `wasi:http`. A denial arrives here as an error code; the full one, with its
//! remedy, is in the call's outcome.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, IncomingBody, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

/// Most that is read of an answer.
const BODY_BYTES_MAX: usize = 16 * 1024;

pub(crate) fn get(host: &str, path: &str) -> Result<(u16, Vec<u8>), String> {
    let headers = Fields::from_list(&[("user-agent".to_owned(), b"soma-capsule".to_vec())])
        .map_err(|error| format!("header refused: {error}"))?;
    let request = OutgoingRequest::new(headers);
    let refused = |()| "the request cannot be written so".to_owned();
    request.set_scheme(Some(&Scheme::Https)).map_err(refused)?;
    request.set_authority(Some(host)).map_err(refused)?;
    request.set_path_with_query(Some(path)).map_err(refused)?;

    let pending = handle(request, None).map_err(|error| format!("not sent: {error}"))?;
    pending.subscribe().block();
    let response = pending
        .get()
        .ok_or("no answer")?
        .map_err(|()| "the answer was taken already")?
        .map_err(|error| format!("no answer: {error}"))?;
    let status = response.status();
    let body = response.consume().map_err(|()| "the answer has no body")?;
    Ok((status, read(&body)?))
}

fn read(body: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "the body was taken already")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(4096) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(error) => return Err(format!("the answer was cut: {error}")),
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err("the answer is too long".to_owned());
        }
    }
}
