//! The constitution over HTTP: what holds, what held, what is different, and whether a text could hold.
//!
//! Whoever has a token may read what they are held to. Bringing one takes an operator, two fresh factors, and
//! the operators' signatures, which alone make it count.

pub(super) mod proposals;
mod views;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use soma_capsule::constitution::{Checked, Constitution, Difference};
use soma_market::org::Permission;
use soma_policy::{Code, KillScope, PolicySources};

use super::acting::acting;
use super::body::{At, Body, Search, read};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::constitution::{ConstitutionError, Name, SCOPE, Standing};
use crate::identity::{Cap, Principal};
use crate::server::Server;
use crate::store::PlatformUnit;
use crate::trust::operators;
use views::{
    Between, Changes, ConstitutionLine, ConstitutionView, Current, Fault, Validity, files,
};

/// What bringing one takes.
const NEED: (Cap, Permission) = (Cap::Operate, Permission::Constitution);

/// What holds now. For everybody who is held to it.
#[utoipa::path(get, path = "/v1/constitution", tag = "constitution",
    responses((status = 200, description = "what holds", body = Current)), security(("token" = [])))]
pub(super) async fn current(
    State(server): State<Server>,
    _: Principal,
) -> Result<Response, Problem> {
    let trusted = operators(&server.trust).await.map_err(ConstitutionError::from)?;
    let constitution = server.current_constitution().await?.map(ConstitutionView::from);
    let current = Current {
        deployment: server.deployment.clone(),
        needed: trusted.operators.needed(&KillScope::Everything),
        policy: server.market.policy.last().hash(),
        constitution,
    };
    Ok(Reply::ok(&current).into_response())
}

/// Brings a constitution that enough operators signed, and makes it hold at once. For operators with two fresh factors.
#[utoipa::path(put, path = "/v1/constitution", tag = "constitution", request_body = Object,
    responses((status = 200, description = "it holds", body = ConstitutionView)), security(("token" = [])))]
pub(super) async fn put(
    State(server): State<Server>,
    principal: Principal,
    request: Request,
) -> Result<Response, Problem> {
    let checked = brought(&server, &principal, request).await?;
    let (mut unit, actor) = begin(&server, &principal).await?;
    let proposed = server.propose_constitution(&mut unit, &checked, None, &actor).await?;
    let digest = proposed.row.digest;
    let standing = server.activate_constitution(&mut unit, digest, &actor).await?;
    end(&server, unit, standing).await
}

/// Constitutions that hold or held, the newest first.
#[utoipa::path(get, path = "/v1/constitution/history", tag = "constitution", params(Paging),
    responses((status = 200, description = "a page", body = Listed<ConstitutionLine>)), security(("token" = [])))]
pub(super) async fn history(
    State(server): State<Server>,
    _: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let bad = |_| Problem::new(Code::CursorBad, "the cursor is not one of this list");
    let before = match paging.after()?.as_str() {
        "" => i64::MAX.unsigned_abs(),
        after => after.parse().map_err(bad)?,
    };
    let mut unit = server.store.survey(SCOPE).await?;
    let rows = unit.constitutions_before(before, paging.limit()? + 1).await?;
    let lines = rows.into_iter().map(ConstitutionLine::from).collect();
    Ok(Reply::ok(&paging.page(lines, |line| line.version.clone())?).into_response())
}

/// A constitution that holds or held.
#[utoipa::path(get, path = "/v1/constitution/versions/{version}", tag = "constitution", params(("version" = String, Path)),
    responses((status = 200, description = "the constitution", body = ConstitutionView)), security(("token" = [])))]
pub(super) async fn version(
    State(server): State<Server>,
    _: Principal,
    At(version): At<u64>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(SCOPE).await?;
    let standing = server.constitution_named(&mut unit, Name::Version(version)).await?;
    Ok(Reply::ok(&ConstitutionView::from(standing)).into_response())
}

/// What is different between two constitutions, file by file.
#[utoipa::path(get, path = "/v1/constitution/diff", tag = "constitution", params(Between),
    responses((status = 200, description = "what is different", body = Changes)), security(("token" = [])))]
pub(super) async fn difference(
    State(server): State<Server>,
    principal: Principal,
    Search(Between { from, to }): Search<Between>,
) -> Result<Response, Problem> {
    let name =
        |field: &str, text: &str| text.parse::<Name>().map_err(|rule| Problem::field(field, rule));
    let to = name("to", &to)?;
    let from = from.map(|from| name("from", &from)).transpose()?;
    let mut unit = server.store.survey(SCOPE).await?;
    let new = seen(&principal, server.constitution_named(&mut unit, to).await?)?;
    let old = match from.or(new.document.follows.map(Name::Digest)) {
        Some(name) => Some(seen(&principal, server.constitution_named(&mut unit, name).await?)?),
        None => None,
    };
    let difference = Difference::between(old.as_ref().map(|it| &it.document), &new.document);
    let changes = Changes {
        from: old.map(|it| it.row.digest),
        to: new.row.digest,
        files: files(&difference),
    };
    Ok(Reply::ok(&changes).into_response())
}

/// Says whether a text could be the next constitution, and what it would change. For operators.
#[utoipa::path(post, path = "/v1/constitution/validate", tag = "constitution", request_body = Object,
    responses((status = 200, description = "whether it could hold", body = Validity)), security(("token" = [])))]
pub(super) async fn validate(
    State(server): State<Server>,
    principal: Principal,
    Body { value: document, .. }: Body<Constitution>,
) -> Result<Response, Problem> {
    principal.operating()?;
    let here = server.current_constitution().await?;
    let place = here.as_ref().map(|it| (it.row.version, it.row.digest));
    let mut faults = Vec::new();
    let form = document.check().and_then(|()| document.must_be_for(&server.deployment));
    if let Err(refused) = form.and_then(|()| document.must_follow(place)) {
        faults.push(Fault::new(refused.code(), &refused));
    }
    let candidate = document.clone();
    let own = PolicySources::default();
    let judged = move || soma_policy::OperatorPolicy::load(&candidate.over(&own)).err();
    let judged = tokio::task::spawn_blocking(judged).await;
    let wrong = judged.map_err(|error| ConstitutionError::Failed(error.to_string()))?;
    faults.extend(wrong.into_iter().flatten().map(Fault::from));
    let difference = Difference::between(here.as_ref().map(|it| &it.document), &document);
    let files = files(&difference);
    let validity = Validity { ok: faults.is_empty(), digest: document.digest(), faults, files };
    Ok(Reply::ok(&validity).into_response())
}

/// What is only proposed is the operators' own matter.
fn seen(principal: &Principal, it: Standing) -> Result<Standing, Problem> {
    if it.row.activated.is_some() || principal.may(&Cap::Operate) {
        return Ok(it);
    }
    Err(ConstitutionError::Unknown(it.row.digest.to_string()).into())
}

/// The document that an operator brings, checked. Nothing is locked while it comes.
async fn brought(
    server: &Server,
    principal: &Principal,
    request: Request,
) -> Result<Checked, Problem> {
    principal.must(&NEED.0)?;
    principal.must_be_fresh(server)?;
    let body = read(request, server).await?;
    Ok(server.check_constitution(&body).await?)
}

/// A unit in which an operator with two fresh factors acts, and who that is.
async fn begin(server: &Server, principal: &Principal) -> Result<(PlatformUnit, String), Problem> {
    let mut unit = server.store.platform(SCOPE).await?;
    acting(server, &mut unit, principal, NEED).await?;
    Ok((unit, principal.subject.to_string()))
}

/// Makes it last, and lets this process follow.
async fn end(server: &Server, unit: PlatformUnit, it: Standing) -> Result<Response, Problem> {
    unit.commit().await?;
    server.bell.notify_one();
    server.follow_constitution().await?;
    Ok(Reply::ok(&ConstitutionView::from(it)).into_response())
}

impl From<ConstitutionError> for Problem {
    fn from(error: ConstitutionError) -> Self {
        match error {
            ConstitutionError::Store(error) => error.into(),
            ConstitutionError::Failed(what) => {
                tracing::error!(%what, "a task of the constitution failed");
                Self::new(Code::HostFailure, "the server failed")
            }
            other => Self::new(other.code(), other.to_string()),
        }
    }
}
