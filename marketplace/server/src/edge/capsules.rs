//! The catalogue: what can be installed. What tenants say of it is in `ratings`, what its publisher takes back in
//! `withdrawals`.

pub(super) mod ratings;
mod views;
pub(super) mod withdrawals;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use semver::Version;
use serde::Deserialize;
use soma_policy::{CapsuleName, Code, PublisherName};
use utoipa::IntoParams;

use self::views::{CapsulePage, CapsuleView, VersionLine, VersionPage, line, version_page, view};
use super::body::{At, Search};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::catalogue::Query;
use crate::identity::Principal;
use crate::server::Server;
use crate::store::PlatformScope;

const SCOPE: PlatformScope = PlatformScope::of("catalogue");
/// Versions that a capsule's page lists.
const VERSIONS_MAX: u32 = 100;

/// What is searched for. Every filter must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CapsuleSearch {
    /// Words of name, summary and functions; the beginning of a name's word does too.
    q: Option<String>,
    /// Asks for this capability: `http`, `secret`, `kv` …
    capability: Option<String>,
    /// Is of this kind: `task`, `tool` …
    kind: Option<String>,
    /// By this publisher.
    #[param(value_type = Option<String>)]
    publisher: Option<PublisherName>,
    /// Costs nothing, or something.
    free: Option<bool>,
    /// A call costs at most so many millionths, whatever the currency.
    price_max: Option<i64>,
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
}

fn name_of(publisher: PublisherName, name: &str) -> Result<CapsuleName, Problem> {
    format!("{publisher}/{name}").parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(Code::ReleaseUnknown, "there is no such capsule or version")
}

/// Searches the catalogue.
#[utoipa::path(get, path = "/v1/capsules", tag = "catalogue", params(CapsuleSearch),
    responses((status = 200, description = "a page, by name", body = Listed<CapsuleView>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    _: Principal,
    Search(asked): Search<CapsuleSearch>,
) -> Result<Response, Problem> {
    search(&server, asked).await
}

/// Short form of the catalogue: the same as `GET /v1/capsules`.
#[utoipa::path(get, path = "/v1/marketplace/capsules", tag = "catalogue", params(CapsuleSearch),
    responses((status = 200, description = "a page, by name", body = Listed<CapsuleView>)), security(("token" = [])))]
pub(super) async fn list_short(
    State(server): State<Server>,
    _: Principal,
    Search(asked): Search<CapsuleSearch>,
) -> Result<Response, Problem> {
    search(&server, asked).await
}

async fn search(server: &Server, asked: CapsuleSearch) -> Result<Response, Problem> {
    let CapsuleSearch { q, capability, kind, publisher, free, price_max, limit, cursor } = asked;
    let paging = Paging { limit, cursor };
    for (field, value) in [("q", &q), ("capability", &capability), ("kind", &kind)] {
        if value.as_ref().is_some_and(|it| it.len() > 200 || it.contains('\0')) {
            return Err(Problem::field(field, "it has at most 200 bytes of plain text"));
        }
    }
    let query = Query { words: q.unwrap_or_default(), capability, kind, publisher, free };
    let Some(tokens) = query.tokens() else {
        return Err(Problem::field("q", "words and filters together are at most 8"));
    };
    let (after, limit) = (paging.after()?, paging.limit()?);
    let mut unit = server.store.survey(SCOPE).await?;
    let rows = unit.search(&tokens, price_max, &after, limit + 1).await?;
    let page = paging.page(rows, |row| row.entry.name.to_string())?;
    let items = page.items.iter().map(view).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// One capsule with its versions.
#[utoipa::path(get, path = "/v1/capsules/{publisher}/{name}", tag = "catalogue",
    params(("publisher" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the capsule", body = CapsulePage)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    _: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let mut unit = server.store.survey(SCOPE).await?;
    let row = unit.capsule(&name).await?.ok_or_else(unknown)?;
    let versions: Vec<VersionLine> =
        unit.published(&name, VERSIONS_MAX).await?.iter().map(line).collect();
    if versions.is_empty() {
        return Err(unknown());
    }
    Ok(Reply::ok(&CapsulePage { capsule: view(&row), versions }).into_response())
}

/// One version: what it asks for in words, findings, bill of materials, signer.
#[utoipa::path(get, path = "/v1/capsules/{publisher}/{name}/versions/{version}", tag = "catalogue",
    params(("publisher" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "the version", body = VersionPage)), security(("token" = [])))]
pub(super) async fn version(
    State(server): State<Server>,
    _: Principal,
    At((publisher, name, version)): At<(PublisherName, String, Version)>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let mut unit = server.store.survey(SCOPE).await?;
    let release = unit.release(&name, &version).await?;
    let release = release.filter(|it| it.record().published_at.is_some()).ok_or_else(unknown)?;
    let id = release.attempt().map(|attempt| attempt.id).ok_or_else(unknown)?;
    let row = unit.submission(id).await?.ok_or_else(unknown)?;
    Ok(Reply::ok(&version_page(&release, &row)?).into_response())
}
