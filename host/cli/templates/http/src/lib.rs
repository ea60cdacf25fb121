//! The `{{publisher}}/{{name}}` capsule: a web application behind `wasi:http/incoming-handler`.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Capsule;

impl Guest for Capsule {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_else(|| "/".to_owned());
        let (status, text) = match path.as_str() {
            "/" => (200, "hello\n"),
            _ => (404, "there is nothing here\n"),
        };
        answer(out, status, text);
    }
}

fn answer(out: ResponseOutparam, status: u16, text: &str) {
    match prepare(status) {
        Ok((response, body)) => {
            ResponseOutparam::set(out, Ok(response));
            // A client that has gone away is no failure of ours.
            let _ = write(&body, text).and_then(|()| OutgoingBody::finish(body, None).map_err(drop));
        }
        Err(reason) => {
            ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some(reason.to_owned()))));
        }
    }
}

fn prepare(status: u16) -> Result<(OutgoingResponse, OutgoingBody), &'static str> {
    let headers = [("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec())];
    let headers = Fields::from_list(&headers).map_err(|_| "a header was refused")?;
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).map_err(|()| "the status was refused")?;
    let body = response.body().map_err(|()| "the body was taken already")?;
    Ok((response, body))
}

fn write(body: &OutgoingBody, text: &str) -> Result<(), ()> {
    let stream = body.write()?;
    stream.blocking_write_and_flush(text.as_bytes()).map_err(drop)
}

wasip2::http::proxy::export!(Capsule);
