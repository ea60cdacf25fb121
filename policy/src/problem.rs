//! What a client reads when an answer is not the one that was asked for: RFC 9457, the same shape at
//! every edge.
//!
//! Only the body is here. Headers, and the mapping of a room's errors to codes, belong to the edges.

use serde::Serialize;
use serde_json::Value;

use crate::code::Code;
use crate::denial::Denial;

/// The body of an `application/problem+json` answer.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProblemBody {
    /// A page about the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's title.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The call, or the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The code that `soma explain` knows.
    pub code: &'static str,
    /// What to do.
    pub remedy: String,
    /// How the call ended, if there was one: ok, guest-error, denied, limit …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Everything that was refused, even if the guest swallowed it.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub denials: Vec<Denial>,
    /// The function's own typed error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub guest_error: Option<Value>,
    /// The demangled backtrace of a trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
    /// The call or the request, for logs.
    pub trace_id: String,
}

impl ProblemBody {
    /// The problem that a code stands for, with what happened this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let entry = code.entry();
        Self {
            kind: format!("https://soma.dev/errors/{}", entry.id),
            title: entry.title,
            status: entry.http,
            detail: detail.into(),
            instance: None,
            code: entry.id,
            remedy: entry.remedy.to_owned(),
            outcome: None,
            denials: Vec::new(),
            guest_error: None,
            backtrace: None,
            trace_id: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_code_status_and_remedy_and_nothing_that_is_not_there() {
        let body = serde_json::to_value(ProblemBody::new(Code::HttpMethod, "POST is not allowed"));
        let body = body.unwrap();
        assert_eq!(body["code"], "SOMA-D012");
        assert_eq!(body["type"], "https://soma.dev/errors/SOMA-D012");
        assert_eq!(body["status"], 403);
        assert_eq!(body["detail"], "POST is not allowed");
        assert!(body["remedy"].as_str().unwrap().len() > 8);
        assert!(body.get("outcome").is_none() && body.get("backtrace").is_none());
    }
}
