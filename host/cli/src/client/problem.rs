//! A problem that a host tells (RFC 9457) as a failure of the command.

use reqwest::{Response, StatusCode};
use serde_json::Value;
use soma_policy::Code;

use super::bytes_of;
use crate::failure::Failure;

const PROBLEM_BYTES_MAX: usize = 1024 * 1024;

/// Reads the problem; an answer without one is told by its status.
pub(crate) async fn failure(answer: Response) -> Failure {
    let status = answer.status();
    let body = bytes_of(answer, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    match serde_json::from_slice::<Value>(&body) {
        Ok(problem) if problem.is_object() => from_problem(status, &problem),
        _ => by_status(status, &format!("the host answered {status}")),
    }
}

/// The failure that a problem document tells of.
pub(crate) fn from_problem(status: StatusCode, problem: &Value) -> Failure {
    let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let denials: Vec<Value> =
        problem.get("denials").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut message =
        if text("detail").is_empty() { text("title") } else { text("detail") }.to_owned();
    if message.is_empty() {
        message = format!("the host answered {status}");
    }
    if let Some(guest) = problem.get("guest_error").filter(|g| !g.is_null()) {
        message = format!("{message}: {guest}");
    }
    let mut failure = match text("code").parse::<Code>() {
        Ok(code) => Failure::new(code, message),
        Err(_) => by_status(status, &message),
    };
    let remedy = first_remedy(problem, &denials);
    if let Some(remedy) = remedy {
        failure = failure.fix(remedy);
    }
    failure.with_denials(denials)
}

fn first_remedy(problem: &Value, denials: &[Value]) -> Option<String> {
    let own = problem.get("remedy").and_then(Value::as_str);
    let of_denial = || denials.iter().find_map(|d| d.get("remedy").and_then(Value::as_str));
    own.or_else(of_denial).filter(|r| !r.is_empty()).map(str::to_owned)
}

fn by_status(status: StatusCode, message: &str) -> Failure {
    let exit = match status.as_u16() {
        401..=403 => 3,
        404 => 5,
        409 => 8,
        400..=499 if status != StatusCode::TOO_MANY_REQUESTS => 2,
        _ => 9,
    };
    Failure::new(Code::HostUnreachable, message).exit_with(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_without_a_problem_still_has_its_exit_code() {
        for (status, exit) in [(401, 3), (404, 5), (409, 8), (422, 2), (429, 9), (500, 9)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(by_status(status, "x").exit(), exit, "{status}");
        }
    }

    #[test]
    fn a_denial_brings_its_remedy() {
        let problem = json!({
            "title": "denied", "detail": "POST is not granted", "status": 403, "code": "nonsense",
            "denials": [{ "remedy": "add \"POST\" to grants.http.issues.methods" }],
        });
        let failure = from_problem(StatusCode::FORBIDDEN, &problem);
        assert_eq!((failure.exit(), failure.to_string().as_str()), (3, "POST is not granted"));
    }
}
