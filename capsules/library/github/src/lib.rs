//! The `soma/github` capsule: lists, reads and files issues over GitHub's public REST API.
//!
//! The token is placed by the host (`secret.token`): nothing here can read it. Answers are kept with their
//! ETags where `kv.cache` is granted, and only asked whether they still hold.

mod api;
mod cache;
mod issues;
mod link;
mod repository;

wit_bindgen::generate!({ path: "wit", world: "github" });

use repository::Repository;

struct Github;

impl Guest for Github {
    fn list_issues(
        repo: String,
        state: Option<Wanted>,
        limit: Option<u32>,
    ) -> Result<Page, GithubError> {
        let repository = Repository::parse(&repo)?;
        issues::list(&repository, state.unwrap_or(Wanted::Open), limit.unwrap_or(30))
    }

    fn get_issue(repo: String, number: u64) -> Result<Issue, GithubError> {
        issues::get(&Repository::parse(&repo)?, number)
    }

    fn create_issue(
        repo: String,
        title: String,
        body: Option<String>,
        labels: Vec<String>,
    ) -> Result<Issue, GithubError> {
        issues::create(&Repository::parse(&repo)?, &title, body.as_deref(), &labels)
    }
}

export!(Github);
