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
use super::problem::{Problem, ProblemBody};
use crate::calls::{Ended, Known};
use crate::host::Host;
use crate::invoke::CallReply;
use crate::running::Running;
use crate::token::Scope;

/// Calls of one answer at most.
const PAGE_MAX: usize = 500;

#[derive(Debug, Deserialize, IntoParams)]
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
    responses((status = 200, description = "`items`, and `next` as the cursor of the next page", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn list(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    bearer.must(&Scope::ReadCalls)?;
    let Query(filter) = filter.map_err(|error| Problem::new(Code::InputType, error.body_text()))?;
    let before = filter.cursor.as_deref().map(call_id).transpose()?;
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
    let items: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One call, complete.
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, description = "the call", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn show(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(match known(&host, &bearer, &id)? {
        Known::Running(call) => of_running(&host, &call),
        Known::Ended(ended) => of_ended(&ended),
    }))
}

/// What a call logged.
#[utoipa::path(get, path = "/v1/calls/{id}/logs", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, description = "`items`: at, at_ms, level, context, message", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn logs(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let lines = match known(&host, &bearer, &id)? {
        Known::Running(call) => call.output().map(|output| output.lines()).unwrap_or_default(),
        Known::Ended(ended) => ended.log.clone(),
    };
    let item = |line: &crate::output::LogLine| {
        json!({ "at": line.at.to_string(), "at_ms": line.at.0.to_string(), "level": line.level,
            "context": line.context, "message": line.message })
    };
    Ok(Json(json!({ "items": lines.iter().map(item).collect::<Vec<_>>() })))
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

fn of_running(host: &Host, call: &Running) -> Value {
    let elapsed = host.clock().monotonic().saturating_sub(call.started);
    let limits = &call.installation.limits;
    let cpu = Duration::from_nanos(call.meter.cpu.settled_ns());
    json!({
        "id": call.ids.call, "installation": call.installation.key().id, "function": call.function,
        "state": "running", "waiting": call.waiting_for(), "elapsed": seconds(elapsed),
        "cpu": format!("{}/{}", cpu.as_millis(), limits.cpu), "memory": call.meter.used(LimitKind::Memory),
        "revision": call.installation.revision.to_string(), "parent": call.ids.parent, "root": call.ids.root,
        "denials": call.denials().0,
    })
}

fn of_ended(ended: &Ended) -> Value {
    let mut item = summary_of(&ended.reply);
    let wall = Duration::from_micros(ended.reply.usage.wall_us);
    let cpu = Duration::from_micros(ended.reply.usage.cpu_us);
    for (name, value) in [
        ("id", json!(ended.reply.call)),
        ("installation", json!(ended.key.id)),
        ("function", json!(ended.function)),
        ("state", json!(ended.reply.outcome.as_str())),
        ("started", json!(ended.started.to_string())),
        ("elapsed", json!(seconds(wall))),
        ("cpu", json!(format!("{} ms", cpu.as_millis()))),
        ("guest_error", json!(ended.reply.guest_error)),
        ("detail", json!(ended.reply.detail)),
    ] {
        item.insert(name.to_owned(), value);
    }
    Value::Object(item)
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
