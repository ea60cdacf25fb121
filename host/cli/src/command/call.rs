//! `soma call INSTALLATION FUNCTION ARGS`: one call; its result on standard output, its outcome beside.

use std::io::Write;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use soma_host::token::Scope;
use soma_policy::{Code, FunctionName, InstallationId};

use crate::arguments::CallArguments;
use crate::client::{Access, Client, Events, json_of, problem};
use crate::context::{Context, Place};
use crate::duration::Span;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

/// Call a function of an installation
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma call csv to-json -a text=@data.csv\n  soma call issues list-issues '{\"repo\": \"acme/web\", \"limit\": 5}'\n  echo '{\"text\": \"a,b\"}' | soma call csv to-json -"
)]
pub(crate) struct Call {
    /// The installation
    installation: InstallationId,
    /// The function
    function: FunctionName,
    #[command(flatten)]
    arguments: CallArguments,
    #[command(flatten)]
    place: Place,
    /// Print events as they come
    #[arg(long)]
    stream: bool,
    /// Print a text result as it is, without quotes
    #[arg(long)]
    raw: bool,
    /// Give up (and end the call) after this time
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// A call id of your own: the call happens at most once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Call {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let arguments = self.arguments.read()?;
        let client = context.client()?;
        block_on(async {
            let answer = self.send(&client, &arguments).await?;
            let call = header(&answer, "soma-call-id");
            if self.stream {
                self.follow(context, answer, &call).await
            } else {
                self.whole(context, answer, &call).await
            }
        })
    }

    async fn send(&self, client: &Client<'_>, arguments: &Value) -> Result<Response, Failure> {
        let path = format!("/v1/installations/{}/calls/{}", self.installation, self.function);
        let access = Access::new(&self.place, &[Scope::Call(self.installation.clone())]);
        let mut request = client.request(Method::POST, &path, &access).await?.json(arguments);
        if self.stream {
            request = request.header(ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(timeout) = self.timeout {
            let timeout = Duration::from(timeout);
            request = request.header("soma-timeout", format!("{}ms", timeout.as_millis()));
            request = request.timeout(timeout + Duration::from_secs(5));
        }
        client.send(request).await
    }

    async fn whole(&self, context: &Context, answer: Response, call: &str) -> Result<(), Failure> {
        let cost = header(&answer, "soma-cost");
        let result = json_of(answer).await?;
        context.out.note(outcome_line("ok", call, &cost));
        self.print(context, &result, call)
    }

    fn print(&self, context: &Context, result: &Value, call: &str) -> Result<(), Failure> {
        match (self.raw, result) {
            (true, Value::String(text)) => Ok(write_raw(text)?),
            _ => {
                let value = json!({ "call": call, "result": result });
                Ok(context.out.report(&Report::new("soma.call.v1", value, text_of(result)))?)
            }
        }
    }

    async fn follow(&self, context: &Context, answer: Response, call: &str) -> Result<(), Failure> {
        let mut events = Events::new(answer);
        while let Some(event) = events.next().await? {
            let data: Value =
                serde_json::from_str(&event.data).unwrap_or(Value::String(event.data));
            match event.name.as_str() {
                "finished" => {
                    let cost = super::list::word(data.get("cost"));
                    context.out.note(outcome_line("ok", call, &cost));
                    let result = data.get("result").cloned().unwrap_or(Value::Null);
                    return self.print(context, &result, call);
                }
                "failed" => return Err(failed(&data)),
                "emit" if self.raw => write_emitted(&data)?,
                name => {
                    let value = json!({ "call": call, "event": name, "data": data });
                    let text = format!("{name} {}", neutral(&text_of(&data)));
                    context.out.event(&Report::new("soma.event.v1", value, text))?;
                }
            }
        }
        Err(Failure::new(Code::HostFailure, "the stream ended without an outcome")
            .fix("soma show CALL"))
    }
}

fn failed(problem: &Value) -> Failure {
    let status = problem.get("status").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
    let status = status.and_then(|s| reqwest::StatusCode::from_u16(s).ok());
    problem::from_problem(status.unwrap_or(reqwest::StatusCode::SERVICE_UNAVAILABLE), problem)
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

fn outcome_line(outcome: &str, call: &str, cost: &str) -> String {
    let parts = [outcome.to_owned(), format!("call {call}"), cost.to_owned()];
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty() && p != "call ").collect();
    parts.join(" · ")
}

/// A result as text: JSON, with what a terminal would obey made visible.
pub(crate) fn text_of(result: &Value) -> String {
    crate::output::neutral_json(&result.to_string()).into_owned()
}

/// `--raw` on a terminal is still neutralised; in a pipe the bytes go as they are.
fn write_raw(text: &str) -> std::io::Result<()> {
    use std::io::IsTerminal;
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        out.write_all(neutral(text).as_bytes())?;
        return out.write_all(b"\n");
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write_emitted(data: &Value) -> std::io::Result<()> {
    let text = data.get("text").or_else(|| data.get("data")).and_then(Value::as_str);
    match text {
        Some(text) => write_raw(text),
        None => write_raw(&text_of(data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_line_holds_what_is_known() {
        assert_eq!(outcome_line("ok", "01JD", "0.0005 EUR"), "ok · call 01JD · 0.0005 EUR");
        assert_eq!(outcome_line("ok", "", ""), "ok");
    }

    #[test]
    fn a_guests_text_cannot_steer_the_terminal() {
        let text = text_of(&json!("\u{1b}]0;x\u{7}\u{9b}2J"));
        assert!(!text.chars().any(char::is_control), "{text}");
    }

    #[test]
    fn a_failed_event_has_the_exit_code_of_its_code() {
        let failure =
            failed(&json!({ "status": 422, "code": Code::LimitCpu.id(), "detail": "cpu" }));
        assert_eq!(failure.exit(), 7);
        assert_eq!(failed(&json!({})).exit(), 9);
    }
}
