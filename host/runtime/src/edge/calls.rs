//! Calls that run and calls that ended: what `soma ps`, `soma show` and `soma logs` print.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use soma_policy::{CallId, Code, LimitKind};
use utoipa::IntoParams;

use super::auth::Bearer;
use super::problem::Problem;
use super::refusal;
use super::shape::{CallItem, CallPage, EndedCall, LogItem, LogPage, ReceiptPlace, RunningCall};
use crate::calls::{Ended, Known};
use crate::host::Host;
use crate::invoke::{CallReply, ReceiptRef};
use crate::output::LogLine;
use crate::running::Running;
use crate::token::Scope;

/// Calls of one answer at most.
const PAGE_MAX: usize = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// `running` or `ended`; both without it.
    state: Option<String>,
    /// At most this many (default 100, most 500).
    limit: Option<usize>,
    /// Calls older than this id.
    cursor: Option<String>,
}

/// Calls of the token's environment, newest first.
#[utoipa::path(get, path = "/v1/calls", tag = "calls", params(Filter),
    responses((status = 200, description = "some calls, and the cursor of the next page", body = CallPage),
        refusal::Token, refusal::Query), security(("token" = [])))]
pub(super) async fn list(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<CallPage>, Problem> {
    bearer.must(&Scope::ReadCalls)?;
    let Query(filter) = filter.map_err(|error| Problem::new(Code::InputType, error.body_text()))?;
    let before = filter.cursor.as_deref().map(cursor).transpose()?;
    let limit = filter.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let (running, ended) = match filter.state.as_deref() {
        None => (true, true),
        Some("running") => (true, false),
        Some("ended") => (false, true),
        Some(other) => {
            let what = format!("state `{other}`: running or ended");
            return Err(Problem::new(Code::InputType, what));
        }
    };
    let mut items = Vec::new();
    if running {
        let own = |call: &Arc<Running>| bearer.owns(call.installation.key());
        let calls = host.calls().running().into_iter().filter(own);
        items.extend(calls.map(|call| (call.ids.call, of_running(&host, &call))));
    }
    if ended {
        let own = |(_, ended): &(CallId, Arc<Ended>)| bearer.owns(&ended.key);
        let calls = host.calls().ended().into_iter().filter(own);
        items.extend(calls.map(|(id, ended)| (id, of_ended(&ended))));
    }
    items.retain(|(id, _)| before.is_none_or(|before| *id < before));
    items.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(id, _)| id.to_string());
    let items = items.into_iter().map(|(_, item)| item).collect();
    Ok(Json(CallPage { items, next }))
}

/// One call, complete.
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, description = "the call", body = CallItem),
        refusal::Token, refusal::Named), security(("token" = [])))]
pub(super) async fn show(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<CallItem>, Problem> {
    Ok(Json(match known(&host, &bearer, &id)? {
        Known::Running(call) => of_running(&host, &call),
        Known::Ended(ended) => of_ended(&ended),
    }))
}

/// What a call logged.
#[utoipa::path(get, path = "/v1/calls/{id}/logs", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, description = "its lines", body = LogPage),
        refusal::Token, refusal::Named), security(("token" = [])))]
pub(super) async fn logs(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<LogPage>, Problem> {
    let lines = match known(&host, &bearer, &id)? {
        Known::Running(call) => call.output().map(|output| output.lines()).unwrap_or_default(),
        Known::Ended(ended) => ended.log.clone(),
    };
    let item = |line: LogLine| LogItem {
        at: line.at.to_string(),
        at_ms: line.at.0.to_string(),
        level: line.level,
        context: line.context,
        message: line.message,
    };
    Ok(Json(LogPage { items: lines.into_iter().map(item).collect() }))
}

fn cursor(text: &str) -> Result<CallId, Problem> {
    text.parse().map_err(|_| Problem::new(Code::CursorBad, "a cursor is what `next` said"))
}

fn call_id(text: &str) -> Result<CallId, Problem> {
    text.parse().map_err(|_| Problem::new(Code::CallUnknown, format!("`{text}` is no call id")))
}

/// A call of another tenant is as unknown as one that never was.
fn known(host: &Host, bearer: &Bearer, id: &str) -> Result<Known, Problem> {
    bearer.must(&Scope::ReadCalls)?;
    let known = host.calls().get(call_id(id)?).filter(|known| match known {
        Known::Running(call) => bearer.owns(call.installation.key()),
        Known::Ended(ended) => bearer.owns(&ended.key),
    });
    known.ok_or_else(|| Problem::new(Code::CallUnknown, format!("this host knows no call `{id}`")))
}

fn of_running(host: &Host, call: &Running) -> CallItem {
    let elapsed = host.clock().monotonic().saturating_sub(call.started);
    let cpu = Duration::from_nanos(call.meter.cpu.settled_ns());
    CallItem::Running(Box::new(RunningCall {
        id: call.ids.call,
        installation: call.installation.key().id.clone(),
        function: call.function.clone(),
        state: "running",
        waiting: call.waiting_for(),
        elapsed: seconds(elapsed),
        cpu: format!("{}/{}", cpu.as_millis(), call.installation.limits.cpu),
        memory: call.meter.used(LimitKind::Memory),
        revision: call.installation.revision.to_string(),
        parent: call.ids.parent,
        root: call.ids.root,
        denials: call.denials().0,
    }))
}

fn of_ended(ended: &Ended) -> CallItem {
    let reply = &ended.reply;
    let place =
        |at: ReceiptRef| ReceiptPlace { journal: at.journal.to_string(), seq: at.seq.to_string() };
    CallItem::Ended(Box::new(EndedCall {
        id: reply.call,
        call: reply.call,
        installation: ended.key.id.clone(),
        function: ended.function.clone(),
        state: reply.outcome.as_str(),
        started: ended.started.to_string(),
        elapsed: seconds(Duration::from_micros(reply.usage.wall_us)),
        cpu: format!("{} ms", Duration::from_micros(reply.usage.cpu_us).as_millis()),
        outcome: reply.outcome,
        code: reply.code.or_else(|| reply.outcome.code()).map(Code::id),
        denials: reply.denials.clone(),
        denials_dropped: reply.denials_dropped,
        usage: reply.usage,
        cost: reply.charge,
        receipt: reply.receipt.map(place),
        guest_error: reply.guest_error.clone(),
        detail: reply.detail.clone(),
    }))
}

/// What every account of an ended call holds.
pub(super) fn summary_of(reply: &CallReply) -> Map<String, Value> {
    let receipt =
        reply.receipt.map(|at| json!({ "journal": at.journal, "seq": at.seq.to_string() }));
    let fields = [
        ("call", json!(reply.call)),
        ("outcome", json!(reply.outcome)),
        ("code", json!(reply.code.or_else(|| reply.outcome.code()))),
        ("denials", json!(reply.denials)),
        ("denials_dropped", json!(reply.denials_dropped)),
        ("usage", json!(reply.usage)),
        ("cost", json!(reply.charge)),
        ("receipt", json!(receipt)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(1) {
        return format!("{} ms", elapsed.as_millis());
    }
    format!("{:.1} s", elapsed.as_secs_f64())
}
