//! A blocking client over `wasi:http/outgoing-handler`: one request, the whole response in memory,
//! at most as much as the caller says. It follows no redirect: each one is a new request that the
//! host decides on, so the capsule has to want it.

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, OutgoingBody, OutgoingRequest, Scheme,
};
use crate::bindings::wasi::io::streams::StreamError;

pub use crate::bindings::wasi::http::types::{ErrorCode as Code, Method};

/// Why there is no response.
#[derive(Debug)]
pub enum Error {
    /// The address is no `http://` or `https://` URL.
    Url(String),
    /// A header was refused by the host.
    Header(String),
    /// The host or the peer ended the exchange.
    Exchange(ErrorCode),
    /// The body broke off, or was longer than the caller allows.
    Body(&'static str),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Url(url) => write!(f, "not an http address: `{url}`"),
            Error::Header(name) => write!(f, "the host refuses the header `{name}`"),
            Error::Exchange(code) => write!(f, "no response: {code:?}"),
            Error::Body(reason) => f.write_str(reason),
        }
    }
}

/// A request to be sent.
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    body_max: usize,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers or body that takes at most 1 MiB of response.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: None, body_max: 1 << 20 }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body and its length.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut request = self.header("content-length", body.len().to_string());
        request.body = Some(body);
        request
    }

    /// Reads no more of the response's body than this.
    pub fn body_max(mut self, bytes: usize) -> Self {
        self.body_max = bytes;
        self
    }

    /// Sends the request and waits for the whole response.
    pub fn send(self) -> Result<Response, Error> {
        let request = OutgoingRequest::new(fields(&self.headers)?);
        address(&request, &self.url)?;
        request.set_method(&self.method).map_err(|()| Error::Url(self.url.clone()))?;
        let pending = match &self.body {
            // Without a body resource the request goes out with none at all, not an empty chunk.
            None => outgoing_handler::handle(request, None).map_err(Error::Exchange)?,
            Some(body) => {
                let outgoing = request.body().map_err(|()| Error::Body("the body was taken"))?;
                let pending = outgoing_handler::handle(request, None).map_err(Error::Exchange)?;
                write(outgoing, body)?;
                pending
            }
        };
        let response = loop {
            match pending.get() {
                Some(Ok(outcome)) => break outcome.map_err(Error::Exchange)?,
                Some(Err(())) => return Err(Error::Body("the response was taken already")),
                None => pending.subscribe().block(),
            }
        };
        read(response, self.body_max)
    }
}

impl Response {
    /// The first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body as text, with a mark where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn fields(headers: &[(String, Vec<u8>)]) -> Result<Fields, Error> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value).map_err(|_| Error::Header(name.clone()))?;
    }
    Ok(fields)
}

fn address(request: &OutgoingRequest, url: &str) -> Result<(), Error> {
    let bad = || Error::Url(url.to_owned());
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => return Err(bad()),
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    request.set_scheme(Some(&scheme)).map_err(|()| bad())?;
    request.set_authority(Some(authority)).map_err(|()| bad())?;
    request.set_path_with_query(Some(&path)).map_err(|()| bad())
}

fn write(outgoing: OutgoingBody, body: &[u8]) -> Result<(), Error> {
    // The interface takes at most this much in one blocking write.
    const CHUNK: usize = 4096;
    let stream = outgoing.write().map_err(|()| Error::Body("the request's body was taken"))?;
    for chunk in body.chunks(CHUNK) {
        // A peer that answers early may stop reading: its answer is what counts then.
        if stream.blocking_write_and_flush(chunk).is_err() {
            return Ok(());
        }
    }
    drop(stream);
    OutgoingBody::finish(outgoing, None).map_err(Error::Exchange)
}

fn read(response: IncomingResponse, body_max: usize) -> Result<Response, Error> {
    let status = response.status();
    let headers = response.headers().entries();
    let incoming = response.consume().map_err(|()| Error::Body("the body was taken already"))?;
    let body = read_body(&incoming, body_max)?;
    Ok(Response { status, headers, body })
}

/// Reads a body to its end, or fails when it breaks off or is longer than `body_max`.
pub fn read_body(incoming: &IncomingBody, body_max: usize) -> Result<Vec<u8>, Error> {
    const CHUNK: u64 = 64 * 1024;
    let stream = incoming.stream().map_err(|()| Error::Body("the body was taken already"))?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) if body.len() + chunk.len() > body_max => {
                return Err(Error::Body("the body is longer than allowed"));
            }
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(Error::Body("the body broke off"));
            }
        }
    }
}
