//! Issues as GitHub sends them, turned into the types of this capsule's WIT.

use serde::Deserialize;
use serde_json::json;

use crate::repository::Repository;
use crate::{GithubError, Issue, IssueState, Page, Wanted, api, link};

/// GitHub's own largest page, and the most that one call gives.
const PER_PAGE: u32 = 100;
const ISSUES_MAX: u32 = 500;

/// The fields that are used of an issue in the public API.
#[derive(Deserialize)]
struct Sent {
    number: u64,
    title: String,
    state: String,
    user: Option<SentUser>,
    #[serde(default)]
    labels: Vec<SentLabel>,
    #[serde(default)]
    comments: u64,
    created_at: String,
    updated_at: String,
    html_url: String,
    body: Option<String>,
    /// Present where the issue is a pull request.
    pull_request: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct SentUser {
    login: String,
}

/// Labels come as objects, from old integrations as plain names.
#[derive(Deserialize)]
#[serde(untagged)]
enum SentLabel {
    Object { name: Option<String> },
    Name(String),
}

pub(crate) fn list(repo: &Repository, state: Wanted, limit: u32) -> Result<Page, GithubError> {
    let limit = limit.min(ISSUES_MAX) as usize;
    let state = match state {
        Wanted::Open => "open",
        Wanted::Closed => "closed",
        Wanted::All => "all",
    };
    let per_page = (limit as u32).clamp(1, PER_PAGE);
    let repo = repo.as_str();
    let mut page = Page { issues: Vec::new(), more: false };
    let mut path = Some(format!("/repos/{repo}/issues?state={state}&per_page={per_page}"));
    while let Some(asked) = path.take() {
        let (sent, next) = fetch(&asked)?;
        page.issues.extend(sent.into_iter().filter(|s| s.pull_request.is_none()).map(issue));
        match next {
            next if page.issues.len() < limit => path = next,
            next => page.more = page.issues.len() > limit || next.is_some(),
        }
    }
    page.issues.truncate(limit);
    Ok(page)
}

/// One page: its issues, and where the next page is.
fn fetch(path: &str) -> Result<(Vec<Sent>, Option<String>), GithubError> {
    let answer = api::get(path)?;
    let next = answer.link.as_deref().and_then(|header| link::next(header, api::ORIGIN));
    Ok((parse(&answer.body)?, next.map(str::to_owned)))
}

pub(crate) fn get(repo: &Repository, number: u64) -> Result<Issue, GithubError> {
    let answer = api::get(&format!("/repos/{}/issues/{number}", repo.as_str()))?;
    parse(&answer.body).map(issue)
}

pub(crate) fn create(
    repo: &Repository,
    title: &str,
    body: Option<&str>,
    labels: &[String],
) -> Result<Issue, GithubError> {
    let body = json!({ "title": title, "body": body, "labels": labels });
    let path = format!("/repos/{}/issues", repo.as_str());
    let answer = api::post(&path, body.to_string().into_bytes())?;
    parse(&answer.body).map(issue)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, GithubError> {
    serde_json::from_slice(body).map_err(|error| GithubError::Unexpected(error.to_string()))
}

fn issue(sent: Sent) -> Issue {
    let label = |label| match label {
        SentLabel::Object { name } => name,
        SentLabel::Name(name) => Some(name),
    };
    Issue {
        number: sent.number,
        title: sent.title,
        state: if sent.state == "closed" { IssueState::Closed } else { IssueState::Open },
        // The account of a deleted user is null.
        author: sent.user.map_or_else(|| "ghost".to_owned(), |user| user.login),
        labels: sent.labels.into_iter().filter_map(label).collect(),
        comments: sent.comments,
        created: sent.created_at,
        updated: sent.updated_at,
        url: sent.html_url,
        body: sent.body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_of_a_deleted_user_with_both_kinds_of_label_is_read() {
        let sent: Sent = parse(
            br#"{"number":7,"title":"t","state":"closed","user":null,"labels":["old",{"name":"bug"},{"name":null}],
               "created_at":"2011-04-22T13:33:48Z","updated_at":"2011-04-22T13:33:48Z","html_url":"https://x","body":null}"#,
        )
        .unwrap();
        let issue = issue(sent);
        assert_eq!((issue.author.as_str(), issue.state), ("ghost", IssueState::Closed));
        assert_eq!(issue.labels, ["old", "bug"]);
    }

    #[test]
    fn an_answer_of_another_shape_is_unexpected() {
        assert!(matches!(parse::<Vec<Sent>>(b"{}"), Err(GithubError::Unexpected(_))));
    }
}
