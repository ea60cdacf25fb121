//! What tenants who ran a capsule say of it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_market::rating::{Rating, Stars};
use soma_policy::{CapsuleName, PublisherName, Timestamp};
use utoipa::ToSchema;

use super::{SCOPE, name_of, unknown};
use crate::audit::Act;
use crate::edge::acting::words;
use crate::edge::body::{At, Body, Search};
use crate::edge::page::{Listed, Paging};
use crate::edge::problem::Problem;
use crate::edge::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::market::{actor, org_of};
use crate::server::Server;
use crate::store::PlatformUnit;

/// Stars and a comment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct NewRating {
    /// One to five.
    #[schema(minimum = 1, maximum = 5)]
    stars: u8,
    /// In words.
    comment: Option<String>,
}

/// What one tenant says.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct RatingView {
    /// One to five.
    stars: u8,
    /// In words.
    comment: Option<String>,
    /// The version that was run last.
    version: String,
    /// When (milliseconds).
    #[schema(value_type = String)]
    at: Timestamp,
}

fn rating_view(it: &Rating) -> RatingView {
    let comment = it.comment.as_ref().map(ToString::to_string);
    RatingView { stars: it.stars.into(), comment, version: it.version.to_string(), at: it.at }
}

/// Ratings of a capsule.
#[utoipa::path(get, path = "/v1/capsules/{publisher}/{name}/ratings", tag = "catalogue",
    params(("publisher" = String, Path), ("name" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<RatingView>)), security(("token" = [])))]
pub(in crate::edge) async fn list(
    State(server): State<Server>,
    _: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let name = name_of(publisher, &name)?;
    let mut unit = server.store.survey(SCOPE).await?;
    let rows = unit.ratings(&name, &paging.after()?, paging.limit()? + 1).await?;
    let page = paging.page(rows, |row| row.tenant.to_string())?;
    let items = page.items.iter().map(rating_view).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// Rates a capsule that the org ran; it takes the place of the org's earlier rating.
#[utoipa::path(put, path = "/v1/capsules/{publisher}/{name}/ratings", tag = "catalogue", request_body = NewRating,
    params(("publisher" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the rating", body = RatingView)), security(("token" = [])))]
pub(in crate::edge) async fn rate(
    State(server): State<Server>,
    principal: Principal,
    At((publisher, name)): At<(PublisherName, String)>,
    Body { value, .. }: Body<NewRating>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let name = name_of(publisher, &name)?;
    let stars = Stars::try_from(value.stars)?;
    let comment = value.comment.map(|text| words("comment", &text)).transpose()?;
    let mut unit = server.store.platform(SCOPE).await?;
    let rating = rating(&server, &mut unit, &principal, &name, (stars, comment)).await?;
    unit.keep_rating(&rating).await?;
    let (who, detail) = (principal.subject.to_string(), json!({ "stars": value.stars }));
    unit.audit(&server.note(&principal.org, &who, Act::CapsuleRated, &name, &detail)).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&rating_view(&rating)).into_response())
}

async fn rating(
    server: &Server,
    unit: &mut PlatformUnit,
    principal: &Principal,
    name: &CapsuleName,
    said: (Stars, Option<soma_market::Words>),
) -> Result<Rating, Problem> {
    let row = unit.capsule(name).await?.ok_or_else(unknown)?;
    let by = actor(unit, principal).await?;
    let publisher = org_of(unit, &row.org, server.now()).await?;
    let ran = unit.ran(&principal.org, name).await?;
    Ok(Rating::give(name.clone(), said, &by, &publisher, ran.as_ref(), server.now())?)
}
