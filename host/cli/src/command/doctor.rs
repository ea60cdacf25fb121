//! `soma doctor`: looks at everything that Soma needs here and says what is wrong and how to mend it.

use std::process::Command;

use serde_json::{Value, json};
use soma_host::descriptors::{self, Descriptors};
use soma_host::home::{Home, OperatorFile, OperatorsOnDisk as _, Orgs};
use soma_policy::Code;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Check this machine, the home and the host
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma doctor\n  soma doctor --output json")]
pub(crate) struct Doctor {}

/// One finding.
#[derive(Debug)]
struct Finding {
    name: &'static str,
    state: State,
    says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Worth knowing; nothing is broken.
    Note,
    Bad,
}

impl State {
    fn mark(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Note => "·",
            Self::Bad => "✗",
        }
    }
}

impl Doctor {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut findings = vec![tool(
            "rustup target",
            "rustup",
            &["target", "list", "--installed"],
            "wasm32-wasip2",
        )];
        findings.push(tool("cargo", "cargo", &["--version"], "cargo"));
        findings.push(open_files(Descriptors::now()));
        findings.extend(home(context));
        findings.push(host(context));
        let bad = findings.iter().any(|f| f.state == State::Bad);
        let text: Vec<String> = findings
            .iter()
            .map(|f| format!("{} {:<16} {}", f.state.mark(), f.name, f.says))
            .collect();
        let items: Vec<Value> = findings
            .iter()
            .map(|f| json!({ "name": f.name, "ok": f.state != State::Bad, "says": f.says }))
            .collect();
        let value = json!({ "ok": !bad, "items": items, "effective": effective(context) });
        context.out.report(&Report::new("soma.doctor.v1", value, text.join("\n")))?;
        if bad { Err(Failure::told(1)) } else { Ok(()) }
    }
}

fn finding(name: &'static str, state: State, says: impl Into<String>) -> Finding {
    Finding { name, state, says: says.into() }
}

fn tool(name: &'static str, program: &str, arguments: &[&str], wants: &str) -> Finding {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            match text.lines().find(|l| l.contains(wants)) {
                Some(line) => finding(name, State::Good, line),
                None => finding(
                    name,
                    State::Note,
                    format!("only authors need it: {program} target add {wants}"),
                ),
            }
        }
        Err(_) => finding(
            name,
            State::Note,
            format!("`{program}` is not on the path; only authors need it"),
        ),
    }
}

/// What `soma up` makes of the limit of open files, and what follows from it.
fn open_files(limit: Descriptors) -> Finding {
    let raised = limit.raised();
    let says = format!(
        "{raised} for a host (soft limit {}, hard limit {}) · {} for guests, {} connections",
        limit.soft,
        limit.hard,
        Descriptors::of_guests(raised),
        Descriptors::of_connections(raised),
    );
    match raised {
        descriptors::ENOUGH.. => finding("open files", State::Good, says),
        _ => finding("open files", State::Note, format!("{says}; raise it: ulimit -Hn")),
    }
}

fn home(context: &Context) -> Vec<Finding> {
    let home = match Home::open(context.home_path()) {
        Ok(home) => home,
        Err(error) => {
            let failure = Failure::from(error);
            let state = if failure.exit() == 5 { State::Note } else { State::Bad };
            return vec![finding("home", state, failure.to_string())];
        }
    };
    let mut findings = vec![finding(
        "home",
        State::Good,
        format!("{} · host {}", context.home_path().display(), home.identity().host),
    )];
    findings.push(of("host keys", home.keys().map(|_| "four keys, closed to others".to_owned())));
    findings.push(of("orgs", Orgs::load(home.layout()).map(|o| format!("{} known", o.orgs.len()))));
    findings.push(of(
        "operators",
        OperatorFile::load(home.layout()).map(|o| {
            let mode = if o.is_single_operator() { " · single-operator mode" } else { "" };
            format!("{} with quorum {}, signed by the root{mode}", o.operators.len(), o.quorum)
        }),
    ));
    let trust = soma_capsule::TrustStore::load(&home.layout().publishers());
    findings.push(match trust {
        Ok(store) => {
            finding("publishers", State::Good, format!("{} trusted", store.publishers().count()))
        }
        Err(e) => finding("publishers", State::Bad, Failure::chain(&e)),
    });
    findings.push(match home.policy() {
        Ok(policy) => finding("policy", State::Good, format!("{}", policy.hash())),
        Err(problems) => finding(
            "policy",
            State::Bad,
            problems.first().map(ToString::to_string).unwrap_or_default(),
        ),
    });
    findings
}

fn of(name: &'static str, result: Result<String, soma_host::home::HomeError>) -> Finding {
    match result {
        Ok(says) => finding(name, State::Good, says),
        Err(error) => finding(name, State::Bad, Failure::chain(&error)),
    }
}

fn host(context: &Context) -> Finding {
    let asked = context.client().and_then(|client| {
        let base = client.base().to_owned();
        block_on(client.open("/ready")).map(|ready| (base, ready))
    });
    match asked {
        Ok((base, _)) => finding("host", State::Good, format!("ready at {base}")),
        Err(failure) if failure.code() == Some(Code::HostUnreachable) => {
            finding("host", State::Note, format!("{failure} · start one with soma up"))
        }
        Err(failure) => finding("host", State::Bad, failure.to_string()),
    }
}

/// The configuration in effect; secrets are not part of it.
fn effective(context: &Context) -> Value {
    json!({
        "home": context.home_path(),
        "host": context.client().map(|c| c.base().to_owned()).ok(),
        "token_from_environment": std::env::var_os("SOMA_TOKEN").is_some(),
        "listen": crate::context::ADDRESS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_told_as_a_host_would_have_it() {
        let good = open_files(Descriptors { soft: 1024, hard: 1_048_576 });
        assert_eq!(good.state, State::Good);
        assert!(good.says.contains("65536 for a host (soft limit 1024"), "{}", good.says);
        assert!(good.says.contains("32768 for guests, 4096 connections"), "{}", good.says);
        let low = open_files(Descriptors { soft: 1024, hard: 1024 });
        assert_eq!(low.state, State::Note);
        assert!(low.says.contains("ulimit -Hn"), "{}", low.says);
    }
}
