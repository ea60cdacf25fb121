//! The review host: asks its server for submissions, watches each in a home that lives as long as the review, hands in
//! signed passports. It listens nowhere, and holds no tenant's data.

use std::sync::Arc;

use serde_json::json;
use soma_host::clock::{Clock, SystemClock};
use soma_host::descriptors::Descriptors;
use soma_host::feed::FeedClient;
use soma_host::home::Home;
use soma_host::review::{Reviewer, work};
use soma_policy::Code;
use soma_policy::feed::HostRole;

use super::{LAST, asked_to_end, telemetry, threads};
use crate::context::Context;
use crate::failure::Failure;
use crate::local::program;
use crate::output::Report;

/// Watches submissions until SIGINT or SIGTERM.
pub(crate) fn run(context: &Context, home: &Home) -> Result<(), Failure> {
    telemetry(context);
    if let Err(error) = Descriptors::raise() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let _lock = home.lock_host()?;
    let server = home.server()?.filter(|server| server.role == HostRole::Review);
    let server = server.ok_or_else(not_enrolled)?;
    let url = server.url.to_string();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let client = FeedClient::new(home, server, Arc::clone(&clock))?;
    let key = home.keys()?.host.pair()?;
    let reviewer = Reviewer {
        clock,
        compiler: (program()?, "compile-child".to_owned()),
        scratch: home.layout().state().join("reviews"),
        host: home.identity().host,
    };
    // What a review that was cut short left behind is nobody's.
    let _ = std::fs::remove_dir_all(&reviewer.scratch);
    let runtime = threads("soma-review", Some(2))?;
    let ended = runtime.block_on(async {
        let stop = asked_to_end()?;
        let text = format!("ready · review for {url}");
        let value = json!({ "role": "review", "server": url, "host": home.identity().host });
        context.out.event(&Report::new("soma.serve.v1", value, text))?;
        work(&client, &reviewer, &key, stop).await;
        context.out.note("ended");
        Ok(())
    });
    runtime.shutdown_timeout(LAST);
    ended
}

fn not_enrolled() -> Failure {
    Failure::new(Code::HostNotEnrolled, "this home has not joined a server as a review host").fix(
        "an operator runs `soma host invite --role review`; then here: \
         `soma host enrol URL --role review --address http://127.0.0.1`",
    )
}
