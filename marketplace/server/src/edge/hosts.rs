//! The fleet: one-time tokens, hosts that join, who is there, and who leaves.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_capsule::{PublicKey, crash_point};
use soma_policy::feed::{Enrol, Enrolled, FeedHead, HostRole, RiskClass};
use soma_policy::{BootId, Code, Digest, HostId, JournalId, Millis, RegionId, Timestamp};
use utoipa::ToSchema;

use super::auth::OneTimeToken;
use super::body::{At, Body, Search};
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{Principal, SecretText, secret_hash};
use crate::login::LoginError;
use crate::server::Server;
use crate::store::{Enrolment, HostRow, PlatformScope};

/// How long a token lets a host join.
const TOKEN_LIVES: Millis = Millis(3_600_000);
const TEXT_BYTES_MAX: usize = 64;
const ADDRESS_BYTES_MAX: usize = 256;

/// What a token lets join.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnrolment {
    /// `host`, `review` or `gateway`.
    #[schema(value_type = String)]
    role: HostRole,
    /// The only region; any if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    region: Option<RegionId>,
}

/// A token for one host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolmentMade {
    /// The token, shown once; the bearer of `POST /v1/hosts`.
    token: String,
    /// When it ends (milliseconds).
    #[schema(value_type = String)]
    expires: Timestamp,
}

/// A host as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostItem)]
pub(super) struct HostView {
    /// Its name.
    #[schema(value_type = String)]
    host: HostId,
    /// `host`, `review` or `gateway`.
    #[schema(value_type = String)]
    role: HostRole,
    /// `new`, `live`, `stale`, `quarantined` or `retired`.
    state: &'static str,
    /// Where it stands.
    #[schema(value_type = Option<String>)]
    region: Option<RegionId>,
    /// Where the gateway reaches it.
    address: String,
    /// The version of its program.
    program: String,
    /// When it joined (milliseconds).
    #[schema(value_type = String)]
    enrolled: Timestamp,
    /// When it was taken out (milliseconds).
    #[schema(value_type = Option<String>)]
    retired: Option<Timestamp>,
    /// Why it gets neither money nor secrets.
    quarantine: Option<String>,
    /// When it reported last (milliseconds).
    #[schema(value_type = Option<String>)]
    seen: Option<Timestamp>,
    /// The run that reported last.
    #[schema(value_type = Option<String>)]
    boot: Option<BootId>,
    /// What it has applied.
    #[schema(value_type = Object)]
    head: FeedHead,
    /// Its journal.
    #[schema(value_type = Option<String>)]
    journal: Option<JournalId>,
    /// The number of its journal's last durable record.
    journal_seq: String,
    /// The hash of that record.
    #[schema(value_type = String)]
    journal_head: Digest,
    /// Calls that run.
    running: u32,
}

fn view(row: HostRow, now: Timestamp) -> HostView {
    let state = match (&row.retired, &row.quarantine, row.seen) {
        (Some(_), _, _) => "retired",
        (None, Some(_), _) => "quarantined",
        (None, None, None) => "new",
        (None, None, Some(_)) if row.is_live(now, RiskClass::High) => "live",
        (None, None, Some(_)) => "stale",
    };
    HostView {
        host: row.host,
        role: row.role,
        state,
        region: row.region,
        address: row.address,
        program: row.program,
        enrolled: row.enrolled,
        retired: row.retired,
        quarantine: row.quarantine.map(|(_, why)| why),
        seen: row.seen,
        boot: row.boot,
        head: row.head,
        journal: row.journal,
        journal_seq: row.journal_seq.to_string(),
        journal_head: row.journal_head,
        running: row.running,
    }
}

/// Makes a one-time token that lets one host join within an hour.
#[utoipa::path(post, path = "/v1/hosts/enrolments", tag = "hosts", request_body = NewEnrolment,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the token, once", body = EnrolmentMade)), security(("token" = [])))]
pub(super) async fn invite(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewEnrolment>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    principal.must_be_fresh(&server)?;
    let token = SecretText::draw().ok_or(LoginError::Failed)?;
    let (now, actor) = (server.now(), principal.subject.to_string());
    let expires = now.plus(TOKEN_LIVES);
    let who = (principal.org.clone(), actor.clone());
    let mut work = once.platform(&server, who, scope, &digest).await?;
    let NewEnrolment { role, region } = value;
    let detail = json!({ "role": role, "region": region });
    let enrolment = Enrolment { role, region, made_by: actor.clone(), expires };
    work.insert_enrolment(&token.hash(), &enrolment, now).await?;
    let entry = server.note(&principal.org, &actor, Act::EnrolmentMade, "host", &detail);
    work.audit(&entry).await?;
    let made = EnrolmentMade { token: token.expose().to_owned(), expires };
    work.done(Reply::created("/v1/hosts".to_owned(), &made).secret()).await
}

/// Lets a host join: its one-time token is the bearer.
#[utoipa::path(post, path = "/v1/hosts", tag = "hosts", request_body = Object,
    responses((status = 201, description = "what the host pins: the server, its feed key, the issuer", body = Object)), security(("token" = [])))]
pub(super) async fn join(
    State(server): State<Server>,
    OneTimeToken(token): OneTimeToken,
    Body { value, .. }: Body<Enrol>,
) -> Result<Response, Problem> {
    let row = checked(value, server.now())?;
    let mut unit = server.store.platform(PlatformScope::of("enrolment")).await?;
    let bad = |why: &str| Problem::new(Code::EnrolBad, why);
    let taken = unit.take_enrolment(&secret_hash(&token), server.now()).await?;
    let taken = taken.ok_or_else(|| bad("the token is unknown, used or too old"))?;
    // The unit ends here without its effect: a token is not spent on what it is not for.
    if taken.role != row.role {
        return Err(bad("the token is for another role"));
    }
    if taken.region.is_some() && taken.region != row.region {
        return Err(bad("the token is for another region"));
    }
    match unit.host(&row.host).await? {
        // The answer was lost: without this the host could never join.
        Some(known) if known.is_unheard(&row) => unit.rejoin_host(&row).await?,
        _ => unit.insert_host(&row).await?,
    }
    let detail = json!({ "role": row.role, "region": row.region, "by": taken.made_by });
    let actor = format!("host:{}", row.host);
    let entry = server.note(&server.platform, &actor, Act::HostEnrolled, row.host, &detail);
    unit.audit(&entry).await?;
    unit.commit().await?;
    crash_point!("server.enrol.committed");
    server.bell.notify_one();
    let enrolled = Enrolled {
        deployment: server.deployment.clone(),
        feed_key: STANDARD.encode(server.feed_key.public().spki_der()),
        host: row.host,
        issuer: server.keyring.issuer().to_owned(),
    };
    Ok(Reply::created(format!("/v1/hosts/{}", row.host), &enrolled).into_response())
}

/// What a host says of itself, as it is kept.
fn checked(it: Enrol, now: Timestamp) -> Result<HostRow, Problem> {
    let Enrol { address, host, region, role, sealing_key, signing_key, version } = it;
    let signing = STANDARD.decode(&signing_key).ok().filter(|_| signing_key.len() <= 1024);
    if signing.is_none_or(|der| PublicKey::from_spki_der(&der).is_err()) {
        return Err(Problem::field("signing_key", "a P-256 public key, its SPKI in base64"));
    }
    let sealing = STANDARD.decode(&sealing_key).unwrap_or_default();
    if sealing.len() != 32 || sealing.iter().all(|byte| *byte == 0) {
        return Err(Problem::field("sealing_key", "an X25519 public key, 32 bytes in base64"));
    }
    if !is_origin(&address) {
        return Err(Problem::field("address", "an http or https origin of at most 256 bytes"));
    }
    if version.is_empty()
        || version.len() > TEXT_BYTES_MAX
        || !version.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(Problem::field("version", "1 to 64 printable characters without blanks"));
    }
    Ok(HostRow {
        host,
        role,
        region,
        address,
        signing_key,
        sealing_key,
        program: version,
        enrolled: now,
        retired: None,
        quarantine: None,
        seen: None,
        boot: None,
        head: FeedHead::start(0),
        journal: None,
        journal_seq: 0,
        journal_head: Digest::ZERO,
        running: 0,
    })
}

fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain =
        uri.authority().is_some_and(|it| !it.as_str().contains('@') && !it.host().is_empty());
    let bare = uri.path_and_query().is_none_or(|it| it.as_str() == "/");
    text.len() <= ADDRESS_BYTES_MAX && scheme && plain && bare && !text.contains('#')
}

/// Every host that joined, the retired ones too.
#[utoipa::path(get, path = "/v1/hosts", tag = "hosts", params(Paging),
    responses((status = 200, description = "a page", body = Listed<HostView>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(principal.operating()?).await?;
    let rows = unit.hosts(&paging.after()?, paging.limit()? + 1).await?;
    let now = server.now();
    let views: Vec<HostView> = rows.into_iter().map(|row| view(row, now)).collect();
    Ok(Reply::ok(&paging.page(views, |it| it.host.to_string())?).into_response())
}

/// One host.
#[utoipa::path(get, path = "/v1/hosts/{host}", tag = "hosts", params(("host" = String, Path)),
    responses((status = 200, description = "the host", body = HostView)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(host): At<HostId>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(principal.operating()?).await?;
    let row = unit.host(&host).await?.ok_or_else(|| unknown(&host))?;
    Ok(Reply::ok(&view(row, server.now())).into_response())
}

/// Takes a host out of the fleet: it is told nothing more, and what runs on it ends as it goes stale.
#[utoipa::path(delete, path = "/v1/hosts/{host}", tag = "hosts", params(("host" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn retire(
    State(server): State<Server>,
    principal: Principal,
    At(host): At<HostId>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    principal.must_be_fresh(&server)?;
    let mut unit = server.store.platform(scope).await?;
    unit.host(&host).await?.ok_or_else(|| unknown(&host))?;
    if unit.retire_host(&host, server.now()).await? {
        let actor = principal.subject.to_string();
        let entry = server.note(&principal.org, &actor, Act::HostRetired, host, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        server.bell.notify_one();
    }
    Ok(Reply::nothing().into_response())
}

fn unknown(host: &HostId) -> Problem {
    Problem::new(Code::HostNotEnrolled, format!("no host `{host}` joined"))
}
