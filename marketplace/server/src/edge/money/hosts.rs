//! Leases and journals, for hosts alone; journals for those who look after them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use soma_capsule::dsse;
use soma_policy::feed::{HostRole, JournalPush, LeaseWishes, kind};
use soma_policy::{Code, HostId, JournalId};
use utoipa::ToSchema;

use super::super::body::{At, Body, Search};
use super::super::once::Once;
use super::super::page::{Listed, Paging};
use super::super::problem::Problem;
use super::super::proven::Proven;
use super::super::reply::Reply;
use crate::identity::Principal;
use crate::money::Pusher;
use crate::server::Server;
use crate::store::JournalRow;

/// Wishes and closes of one request.
pub(in crate::edge) const LEASES_MAX: usize = 512 * 1024;
/// Records of one push.
pub(in crate::edge) const PUSH_MAX: usize = 8 * 1024 * 1024;

/// A journal as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct JournalView {
    /// Its id.
    #[schema(value_type = String)]
    journal: JournalId,
    /// Whose it is.
    #[schema(value_type = String)]
    host: HostId,
    /// The number of the next record.
    next: String,
    /// The hash of the last one.
    head: String,
    /// `good` or `quarantined`.
    state: &'static str,
    /// Why it is quarantined.
    reason: Option<String>,
    /// Receipts that were settled.
    receipts: String,
    /// Calls that began.
    starts: String,
    /// Denials before a call began.
    denials: String,
    /// Orders, lifts and kill receipts.
    kills: String,
}

impl From<JournalRow> for JournalView {
    fn from(row: JournalRow) -> Self {
        let (it, counts) = (row.position, row.counts);
        Self {
            journal: it.journal,
            host: it.host,
            next: it.next.to_string(),
            head: it.head.to_string(),
            state: it.state.as_str(),
            reason: row.reason,
            receipts: counts.receipts.to_string(),
            starts: counts.starts.to_string(),
            denials: counts.denials.to_string(),
            kills: counts.kills.to_string(),
        }
    }
}

/// How a quarantine ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct Lift {
    /// The number of a receipt that the platform bears because it cannot be settled: the next one.
    #[serde(default)]
    write_off: Option<String>,
}

/// Takes a host's closes and answers its wishes: a DSSE envelope of kind `host-leases`.
#[utoipa::path(post, path = "/v1/feed/leases", tag = "feed", request_body = Object,
    responses((status = 200, description = "leases, recalls and refusals, signed", body = Object)), security(("host" = [])))]
pub(in crate::edge) async fn lease(
    State(server): State<Server>,
    Proven { host, value }: Proven<LeaseWishes>,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host])?;
    if !value.wishes.is_empty() {
        host.must_be_sound()?;
        host.must_have_reported(value.boot)?;
    }
    let answer = server.lease(host.host, &value).await?;
    signed(&server, kind::LEASES, &answer)
}

/// A document of the feed key.
fn signed<T: Serialize>(server: &Server, kind: &str, document: &T) -> Result<Response, Problem> {
    let signed = dsse::sign_document(kind, document, &[&server.feed_key]);
    let signed = signed.map_err(|error| {
        tracing::error!(%error, kind, "a document could not be signed");
        Problem::new(Code::HostFailure, "the server failed")
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], signed.to_json()).into_response())
}

/// Takes what follows of a host's journal and says how far it is taken: a DSSE envelope of kind `journal-ack`.
#[utoipa::path(post, path = "/v1/feed/journal", tag = "feed", request_body = Object,
    responses((status = 200, description = "how far the journal is taken, signed", body = Object)), security(("host" = [])))]
pub(in crate::edge) async fn push(
    State(server): State<Server>,
    Proven { host, value }: Proven<JournalPush>,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host])?;
    let pusher = Pusher { host: host.host, key: host.signing_key };
    let ack = server.take_journal(&pusher, &value).await?;
    signed(&server, kind::ACK, &ack)
}

/// Every host's journals, and how far each is taken. For the platform.
#[utoipa::path(get, path = "/v1/billing/journals", tag = "billing", params(Paging),
    responses((status = 200, description = "a page", body = Listed<JournalView>)), security(("token" = [])))]
pub(in crate::edge) async fn journals(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let mut unit = server.store.survey(principal.auditing(&server)?).await?;
    let rows = unit.journals(&paging.after()?, paging.limit()? + 1).await?;
    let page = paging.page(rows, |row| row.position.journal.to_string())?;
    let items: Vec<JournalView> = page.items.into_iter().map(JournalView::from).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// Takes from a quarantined journal again. For the platform, with two fresh factors.
#[utoipa::path(post, path = "/v1/billing/journals/{journal}/lift", tag = "billing", request_body = Lift,
    params(("journal" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "required with `write_off`: it moves money")),
    responses((status = 200, description = "the journal", body = JournalView)), security(("token" = [])))]
pub(in crate::edge) async fn lift(
    State(server): State<Server>,
    principal: Principal,
    At(journal): At<JournalId>,
    once: Once,
    Body { value, digest }: Body<Lift>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    if value.write_off.is_some() {
        once.must_have_key()?;
    }
    let number = |text: String| {
        text.parse::<u64>().map_err(|_| Problem::field("write_off", "the number of a record"))
    };
    let write_off = value.write_off.map(number).transpose()?;
    let who = principal.who();
    let mut work = once.platform(&server, who.clone(), scope, &digest).await?;
    let row = server.lift_journal(&mut work, journal, write_off, &who.1).await?;
    work.done(Reply::ok(&JournalView::from(row))).await
}
