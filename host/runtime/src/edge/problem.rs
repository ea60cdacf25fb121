//! Problems as RFC 9457 has them: one type, one mapping, nothing of the inside in a 5xx.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
pub(crate) use soma_policy::ProblemBody;
use soma_policy::{CallId, Code, Outcome};

use crate::invoke::CallReply;

/// An answer that is not the one that was asked for. Boxed: it is an error of most handlers.
#[derive(Debug)]
pub(crate) struct Problem(Box<ProblemBody>);

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody::new(code, detail)))
    }

    /// The problem that a call's end is; none if it ended well.
    pub(crate) fn of_call(reply: &CallReply) -> Option<Self> {
        let code = code_of(reply)?;
        let denial = reply.denials.first().filter(|_| is_refusal(reply.outcome));
        let words = reply.detail.clone().filter(|_| reply.outcome != Outcome::Trapped);
        let detail = denial.map(ToString::to_string).or(words);
        let detail = detail.unwrap_or_else(|| code.entry().title.to_owned());
        let mut boxed = Self::new(code, detail);
        let problem = &mut *boxed.0;
        problem.status = status_of(reply, code);
        if let Some(denial) = denial {
            problem.remedy.clone_from(&denial.remedy);
        }
        problem.outcome = Some(reply.outcome.as_str().to_owned());
        problem.instance = Some(format!("/v1/calls/{}", reply.call));
        problem.trace_id = reply.call.to_string();
        problem.denials.clone_from(&reply.denials);
        problem.guest_error.clone_from(&reply.guest_error);
        problem.backtrace = reply.detail.clone().filter(|_| reply.outcome == Outcome::Trapped);
        Some(boxed)
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

fn is_refusal(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Denied | Outcome::Budget | Outcome::Killed(_))
}

/// A denial's own code says more than the outcome's.
fn code_of(reply: &CallReply) -> Option<Code> {
    let code = reply.code.or_else(|| reply.outcome.code())?;
    let denial = reply.denials.first().filter(|_| is_refusal(reply.outcome));
    Some(denial.map_or(code, |denial| denial.code))
}

fn status_of(reply: &CallReply, code: Code) -> u16 {
    match code {
        // What does not exist is 404, whichever layer says so.
        Code::InstallationUnknown => 404,
        _ if reply.code.is_some() => code.entry().http,
        _ => reply.outcome.http_status(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.0;
        let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let call = body.trace_id.parse::<CallId>().ok();
        let mut response = (status, Json(&body)).into_response();
        let fields = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        fields.insert(header::CONTENT_TYPE, problem);
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"soma\"");
            fields.insert(header::WWW_AUTHENTICATE, bearer);
        }
        if matches!(body.status, 429 | 503) {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(Ok(id)) = call.map(|call| HeaderValue::from_str(&call.to_string())) {
            fields.insert("soma-call-id", id);
        }
        response
    }
}
