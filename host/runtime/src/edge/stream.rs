//! A call as server-sent events: `started`, `emit`*, `log`*, then `finished` or `failed`.
//!
//! Every payload is JSON on one line, so that nothing a guest emits can forge an event. The end is sent
//! only when the receipt is durable. A client that goes away cuts the call; a call that is cut still
//! says `failed`.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, Stream};
use http::HeaderValue;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::calls::summary_of;
use super::problem::Problem;
use crate::invoke::{CallReply, Pending};
use crate::output::CallEvent;

/// How far the stream is.
enum State {
    Start(Pending),
    Running(Pending),
    Ending(mpsc::Receiver<CallEvent>, Box<CallReply>),
    Done,
}

/// The call's events as a response.
pub(super) fn events(pending: Pending) -> Response {
    let id = pending.call.to_string();
    let stream = stream::unfold((State::Start(pending), 0_u64), step);
    let mut response = Sse::new(numbered(stream))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
        .into_response();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("soma-call-id", value);
    }
    response
}

fn numbered(
    stream: impl Stream<Item = (&'static str, Value, u64)>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    use futures::StreamExt as _;
    stream.map(|(name, data, id)| {
        Ok(Event::default().event(name).id(id.to_string()).data(data.to_string()))
    })
}

async fn step((state, id): (State, u64)) -> Option<Step> {
    let next = id + 1;
    match state {
        State::Start(pending) => {
            let data = json!({ "call": pending.call });
            Some((("started", data, id), (State::Running(pending), next)))
        }
        State::Running(mut pending) => {
            let Some(mut events) = pending.events.take() else {
                return Some(ended(&pending.ended().await, id));
            };
            // The call may keep its side of the channel open past its end: the end decides.
            tokio::select! {
                biased;
                Some(event) = events.recv() => {
                    pending.events = Some(events);
                    let (name, data) = told(event);
                    Some(((name, data, id), (State::Running(pending), next)))
                }
                reply = pending.ended() => Some(rest(events, Box::new(reply), id)),
            }
        }
        State::Ending(events, reply) => Some(rest(events, reply, id)),
        State::Done => None,
    }
}

type Step = ((&'static str, Value, u64), (State, u64));

/// What was emitted before the end, one by one, and then the end.
fn rest(mut events: mpsc::Receiver<CallEvent>, reply: Box<CallReply>, id: u64) -> Step {
    match events.try_recv() {
        Ok(event) => {
            let (name, data) = told(event);
            ((name, data, id), (State::Ending(events, reply), id + 1))
        }
        Err(_) => ended(&reply, id),
    }
}

fn ended(reply: &CallReply, id: u64) -> Step {
    let (name, data) = end(reply);
    ((name, data, id), (State::Done, id + 1))
}

fn told(event: CallEvent) -> (&'static str, Value) {
    match event {
        CallEvent::Chunk(bytes) => match String::from_utf8(bytes) {
            Ok(text) => ("emit", json!({ "text": text })),
            Err(bytes) => ("emit", json!({ "base64": STANDARD.encode(bytes.as_bytes()) })),
        },
        CallEvent::Event { name, payload } => {
            let payload: Value = serde_json::from_str(&payload).unwrap_or(Value::String(payload));
            ("emit", json!({ "event": name, "data": payload }))
        }
        CallEvent::Log(line) => ("log", json!(line)),
    }
}

fn end(reply: &CallReply) -> (&'static str, Value) {
    match Problem::of_call(reply) {
        None => {
            let mut data = summary_of(reply);
            data.insert("result".to_owned(), reply.result.clone().unwrap_or_default());
            ("finished", Value::Object(data))
        }
        Some(problem) => ("failed", problem.to_json()),
    }
}
