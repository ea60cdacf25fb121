//! Sends responses. The first failure to send ends the effort: the client has gone.

use soma_sdk::bindings::wasi::http::types::{
    ErrorCode, Fields, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use soma_sdk::bindings::wasi::io::streams::OutputStream;

/// A response whose body is at hand.
pub(crate) fn whole(out: ResponseOutparam, status: u16, media_type: &str, body: &str) {
    let length = body.len().to_string();
    let headers = [("content-type", media_type), ("content-length", &length)];
    if let Some(sending) = start(out, status, &headers)
        && sending.write(body.as_bytes())
    {
        sending.finish();
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
) -> Option<Sending> {
    match prepare(status, headers) {
        Ok((response, sending)) => {
            ResponseOutparam::set(out, Ok(response));
            Some(sending)
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
) -> Result<(OutgoingResponse, Sending), &'static str> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|_| "a header was refused")?;
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).map_err(|()| "the status was refused")?;
    let body = response.body().map_err(|()| "the response has no body")?;
    let stream = body.write().map_err(|()| "the body has no stream")?;
    Ok((response, Sending { stream, body }))
}

/// A body that is being sent.
pub(crate) struct Sending {
    // Before the body: a stream must go before what it belongs to.
    stream: OutputStream,
    body: OutgoingBody,
}

impl Sending {
    /// Writes all of it; false when the client has gone.
    pub(crate) fn write(&self, bytes: &[u8]) -> bool {
        const CHUNK: usize = 4096;
        bytes.chunks(CHUNK).all(|chunk| self.stream.blocking_write_and_flush(chunk).is_ok())
    }

    /// Ends the body. An error means that the client has gone, and there is no one left to tell.
    pub(crate) fn finish(self) {
        drop(self.stream);
        let _ = OutgoingBody::finish(self.body, None);
    }
}
