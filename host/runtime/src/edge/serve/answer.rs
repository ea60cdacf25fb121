//! What a client of a served capsule gets from the host itself: problems, and the frame around a guest's response.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use soma_policy::{CallId, Code, Denial};

use super::body::Streamed;

/// The response header that names the call.
pub(crate) const CALL_ID: &str = "soma-call-id";

/// The body of any response of this port.
pub(crate) enum Answer {
    /// Known as a whole.
    Whole(Option<Bytes>, Option<http::HeaderMap>),
    /// A guest is still writing it.
    Streamed(Box<Streamed>),
    /// From the host's own interface.
    Api(axum::body::Body),
}

impl Answer {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes), None)
    }
}

/// Any body error, boxed for hyper.
pub(crate) type AnswerError = Box<dyn std::error::Error + Send + Sync>;

impl Body for Answer {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match self.get_mut() {
            Self::Whole(bytes, trailers) => {
                let data = bytes.take().filter(|bytes| !bytes.is_empty()).map(Frame::data);
                Poll::Ready(data.or_else(|| trailers.take().map(Frame::trailers)).map(Ok))
            }
            Self::Streamed(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Api(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes, trailers) => {
                trailers.is_none() && bytes.as_ref().is_none_or(Bytes::is_empty)
            }
            Self::Streamed(body) => body.is_end_stream(),
            Self::Api(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes, None) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Whole(..) => SizeHint::default(),
            Self::Streamed(body) => body.size_hint(),
            Self::Api(body) => body.size_hint(),
        }
    }
}

/// A problem as RFC 9457 has it, without anything of the inside.
pub(crate) fn problem(
    code: Code,
    status: u16,
    detail: &str,
    denials: &[Denial],
    call: Option<CallId>,
) -> Response<Answer> {
    let entry = code.entry();
    let mut body = serde_json::json!({
        "type": format!("https://soma.dev/errors/{}", entry.id),
        "title": entry.title,
        "status": status,
        "code": entry.id,
        "detail": detail,
        "remedy": entry.remedy,
        "denials": denials,
    });
    if let (Some(call), Some(object)) = (call, body.as_object_mut()) {
        object.insert("call".to_owned(), call.to_string().into());
    }
    let mut response = Response::new(Answer::whole(Bytes::from(body.to_string())));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == 401 {
        fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"soma\""));
    }
    if let Some(call) = call {
        name_call(&mut response, call);
    }
    response
}

/// A problem with the status of its code.
pub(crate) fn refusal(code: Code, detail: &str) -> Response<Answer> {
    problem(code, code.entry().http, detail, &[], None)
}

/// Names the call in the response's fields.
pub(crate) fn name_call<B>(response: &mut Response<B>, call: CallId) {
    if let Ok(value) = HeaderValue::from_str(&call.to_string()) {
        response.headers_mut().insert(CALL_ID, value);
    }
}
