//! Running one test: its own host, its own clock, its own recorded servers.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use soma_host::clock::FixedClock;
use soma_policy::{Code, Timestamp};
use url::Url;

use super::compare::judge;
use super::file::{Case, Recorded};
use crate::context::Context;
use crate::failure::Failure;
use crate::local::{Local, Setup};
use crate::project::{Built, Project};
use crate::recorded::{Exchange, Recording};
use crate::run::block_on_threads;

/// `Ok` if it came as expected; else a failure that says what was expected and what came.
pub(super) fn run(
    context: &Context,
    project: &Project,
    built: &Built,
    case: &Case,
    beside: &Path,
) -> Result<(), Failure> {
    let exchanges =
        case.http.iter().map(|r| exchange(context, r, beside)).collect::<Result<Vec<_>, _>>()?;
    block_on_threads(async {
        let recording = Recording::start(exchanges).await?;
        let setup = setup(case, beside, &recording);
        let clock = Arc::new(FixedClock::new(clock_of(case)?, case.seed));
        let local = Local::start(context, project, built, &setup, clock)?;
        let judged = match (&case.function, &case.request) {
            (Some(function), _) => {
                let arguments = Value::Object(case.args.clone());
                let reply = local.call(function.clone(), arguments, None).await;
                judge(&case.expect, &reply)
            }
            (None, Some(request)) => super::web::ask(&local, request, &case.expect).await,
            (None, None) => Err("nothing is called".to_owned()),
        };
        let complaints = recording.complaints();
        match (judged, complaints.as_slice()) {
            (Ok(()), []) => Ok(()),
            (Ok(()), complaints) => Err(failed(complaints.join("; "))),
            (Err(what), []) => Err(failed(what)),
            (Err(what), complaints) => Err(failed(format!("{what}; {}", complaints.join("; ")))),
        }
    })
}

fn failed(what: String) -> Failure {
    Failure::new(Code::TestsFailed, what)
}

fn setup<'a>(case: &Case, beside: &Path, recording: &'a Recording) -> Setup<'a> {
    let secrets =
        case.secrets.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes()));
    Setup {
        without: case.without.clone(),
        installation: case.installation.as_ref().map(|path| beside.join(path)),
        secrets: secrets.collect(),
        config: case.config.clone(),
        loopback: Vec::new(),
        recording: Some(recording),
    }
}

fn clock_of(case: &Case) -> Result<Timestamp, Failure> {
    let refused = || failed(format!("`{}` is not a time", case.clock));
    let time: jiff::Timestamp = case.clock.parse().map_err(|_| refused())?;
    u64::try_from(time.as_millisecond()).map(Timestamp).map_err(|_| refused())
}

fn exchange(context: &Context, recorded: &Recorded, beside: &Path) -> Result<Exchange, Failure> {
    let url = Url::parse(&recorded.url)
        .map_err(|e| Failure::new(Code::ConfigurationBad, format!("`{}`: {e}", recorded.url)))?;
    let body = match (&recorded.body, &recorded.body_file) {
        (Some(body), _) => body.clone().into_bytes(),
        (None, Some(file)) => context.read(&beside.join(file), 32 * 1024 * 1024)?,
        (None, None) => Vec::new(),
    };
    Ok(Exchange {
        method: recorded.method.clone(),
        url,
        status: recorded.status,
        headers: recorded.headers.clone(),
        body,
        wants: recorded.wants.clone(),
    })
}
