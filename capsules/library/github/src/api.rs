//! One exchange with the API: the headers that GitHub asks for, and its refusals as typed errors.
//! It retries nothing: the caller knows better whether asking again is worth the money.

use serde::Deserialize;
use soma_sdk::http::{Error, Method, Request, Response};

use crate::cache::{self, Answer};
use crate::{GithubError, Refusal};

pub(crate) const ORIGIN: &str = "https://api.github.com";

/// Reads a path, or learns that it is what it was.
pub(crate) fn get(path: &str) -> Result<Answer, GithubError> {
    let Some(kept) = cache::kept(path) else { return fetched(path, request(Method::Get, path)) };
    let conditional = request(Method::Get, path).header("if-none-match", kept.etag.as_str());
    let response = conditional.send().map_err(unreachable)?;
    match response.status {
        304 => Ok(kept.answer),
        _ => taken(path, response),
    }
}

fn fetched(path: &str, request: Request) -> Result<Answer, GithubError> {
    taken(path, request.send().map_err(unreachable)?)
}

fn taken(path: &str, response: Response) -> Result<Answer, GithubError> {
    let response = accepted(response)?;
    cache::keep(path, &response);
    Ok(response.into())
}

pub(crate) fn post(path: &str, body: Vec<u8>) -> Result<Answer, GithubError> {
    let request =
        request(Method::Post, path).header("content-type", "application/json").body(body);
    accepted(request.send().map_err(unreachable)?).map(Answer::from)
}

fn request(method: Method, path: &str) -> Request {
    Request::new(method, format!("{ORIGIN}{path}"))
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28")
        .header("user-agent", "soma-github")
}

fn accepted(response: Response) -> Result<Response, GithubError> {
    match response.status {
        200 | 201 => Ok(response),
        _ => Err(refusal(&response)),
    }
}

fn unreachable(error: Error) -> GithubError {
    GithubError::Unreachable(error.to_string())
}

/// What GitHub writes with a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    message: String,
    errors: Vec<ProblemField>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProblemField {
    field: String,
    code: String,
}

fn refusal(response: &Response) -> GithubError {
    let problem: Problem = serde_json::from_slice(&response.body).unwrap_or_default();
    let limited = response.header("x-ratelimit-remaining") == Some("0");
    match response.status {
        403 | 429 if limited || response.status == 429 => GithubError::RateLimited(
            response.header("x-ratelimit-reset").and_then(|text| text.parse().ok()),
        ),
        401 => GithubError::Unauthorised,
        403 => GithubError::Forbidden(problem.message),
        404 | 410 => GithubError::NotFound,
        422 => GithubError::Invalid(
            problem.errors.into_iter().map(|e| Refusal { field: e.field, code: e.code }).collect(),
        ),
        status => GithubError::Unexpected(format!("status {status}: {}", problem.message)),
    }
}
