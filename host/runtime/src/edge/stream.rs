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

use super::calls::summary_of;
use super::problem::Problem;
use crate::invoke::{CallReply, Pending};
use crate::output::CallEvent;

/// How far the stream is.
enum State {
    Start(Pending),
    Running(Pending),
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

async fn step((state, id): (State, u64)) -> Option<((&'static str, Value, u64), (State, u64))> {
    let next = id + 1;
    match state {
        State::Start(pending) => {
            let data = json!({ "call": pending.call });
            Some((("started", data, id), (State::Running(pending), next)))
        }
        State::Running(mut pending) => {
            let event = match &mut pending.events {
                Some(events) => events.recv().await,
                None => None,
            };
            if let Some(event) = event {
                let (name, data) = told(event);
                return Some(((name, data, id), (State::Running(pending), next)));
            }
            let reply = pending.ended().await;
            let (name, data) = end(&reply);
            Some(((name, data, id), (State::Done, next)))
        }
        State::Done => None,
    }
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
