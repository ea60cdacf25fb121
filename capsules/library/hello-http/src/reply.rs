//! Sends responses. The first failure to send ends the effort: the client has gone.

use soma_sdk::bindings::wasi::http::types::{
    ErrorCode, Fields, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// A response whose body is at hand.
pub(crate) fn whole(out: ResponseOutparam, status: u16, media_type: &str, body: &str) {
    let length = body.len().to_string();
    let headers = [("content-type", media_type), ("content-length", &length)];
    if let Some(outgoing) = start(out, status, &headers)
        && write(&outgoing, body.as_bytes())
    {
        finish(outgoing);
    }
}

/// An error as RFC 9457 asks for.
pub(crate) fn problem(out: ResponseOutparam, status: u16, detail: &str) {
    let body = serde_json::json!({ "title": detail, "status": status }).to_string();
    whole(out, status, "application/problem+json", &body);
}

/// Sends status and headers and hands over the body, or answers with an error itself.
pub(crate) fn start(
    out: ResponseOutparam,
    status: u16,
    headers: &[(&str, &str)],
) -> Option<OutgoingBody> {
    match prepare(status, headers) {
        Ok((response, body)) => {
            ResponseOutparam::set(out, Ok(response));
            Some(body)
        }
        Err(reason) => {
            ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some(reason.to_owned()))));
            None
        }
    }
}

fn prepare(
    status: u16,
    headers: &[(&str, &str)],
) -> Result<(OutgoingResponse, OutgoingBody), &'static str> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|_| "a header was refused")?;
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).map_err(|()| "the status was refused")?;
    let body = response.body().map_err(|()| "the response has no body")?;
    Ok((response, body))
}

/// Writes all of it; false when the client has gone.
pub(crate) fn write(body: &OutgoingBody, bytes: &[u8]) -> bool {
    const CHUNK: usize = 4096;
    let Ok(stream) = body.write() else { return false };
    bytes.chunks(CHUNK).all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
}

/// Ends the body. An error means that the client has gone, and there is no one left to tell.
pub(crate) fn finish(body: OutgoingBody) {
    let _ = OutgoingBody::finish(body, None);
}
