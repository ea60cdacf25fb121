//! `soma capsule run [FUNCTION] ARGS`: builds, signs with the development key, and calls in this process,
//! under the very limits of production.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use soma_host::CallReply;
use soma_host::clock::SystemClock;
use soma_policy::{Code, FunctionName, Outcome};

use super::watch::Watcher;
use crate::arguments::CallArguments;
use crate::command::call::text_of;
use crate::context::Context;
use crate::failure::Failure;
use crate::local::{Local, Setup};
use crate::meter::{gauges, line};
use crate::output::{Report, neutral};
use crate::project::{BuildOptions, Project};
use crate::run::block_on_threads;

/// Build the capsule and call it here, under the limits of production
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule run count-words -a text=\"one two\"\n  soma capsule run list-issues -a repo=acme/web --secret token=@token.txt\n  soma capsule run fetch --allow-loopback 8080 --watch"
)]
pub(crate) struct Run {
    /// The function; may be left out if there is one only
    function: Option<FunctionName>,
    #[command(flatten)]
    arguments: CallArguments,
    #[command(flatten)]
    options: BuildOptions,
    /// Grant what this installation file grants instead of all that is declared
    #[arg(long, value_name = "FILE")]
    installation: Option<PathBuf>,
    /// A secret's value from a file: `token=@token.txt` (may be repeated)
    #[arg(long = "secret", value_name = "NAME=@FILE")]
    secrets: Vec<String>,
    /// Let the capsule reach your own server on this port of 127.0.0.1 (may be repeated)
    #[arg(long, value_name = "PORT")]
    allow_loopback: Vec<u16>,
    /// Build and run again when a file changes
    #[arg(long)]
    watch: bool,
}

impl Run {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let arguments = self.arguments.read()?;
        let secrets =
            self.secrets.iter().map(|s| read_secret(context, s)).collect::<Result<Vec<_>, _>>()?;
        let mut watcher = Watcher::new(&self.options.dir, self.watch)?;
        loop {
            let ended = self.once(context, &arguments, &secrets);
            if !self.watch {
                return ended;
            }
            if let Err(failure) = ended {
                failure.print(context.out.format);
            }
            context.out.note("waiting for a change · Ctrl-C ends");
            watcher.wait()?;
        }
    }

    fn once(
        &self,
        context: &Context,
        arguments: &serde_json::Value,
        secrets: &[(String, Vec<u8>)],
    ) -> Result<(), Failure> {
        let project = Project::open(context, &self.options.dir)?;
        let built = project.build(context, &self.options)?;
        built.refuse_errors(&project)?;
        if built.analysis.serves_http() && self.function.is_none() {
            return Err(Failure::new(
                Code::Usage,
                "this capsule answers HTTP: it has no function to call",
            )
            .fix("soma capsule test; or serve it: capsule sign --dev, install --dev, up --dev, then curl its address"));
        }
        let function = self.function_of(&built)?;
        let setup = Setup {
            installation: self.installation.clone(),
            secrets: secrets.to_vec(),
            loopback: self.allow_loopback.clone(),
            ..Setup::default()
        };
        let clock = Arc::new(SystemClock::new());
        block_on_threads(async {
            let local = Local::start(context, &project, &built, &setup, clock)?;
            let reply = local.call(function, arguments.clone(), None).await;
            told(context, &local, &reply)
        })
    }

    fn function_of(&self, built: &crate::project::Built) -> Result<FunctionName, Failure> {
        if let Some(function) = &self.function {
            return Ok(function.clone());
        }
        let names: Vec<&str> = built.analysis.functions.iter().map(|f| f.name.as_str()).collect();
        match names.as_slice() {
            [only] => Ok(only.parse()?),
            several => Err(Failure::new(Code::Usage, "which function?")
                .fix(format!("one of: {}", several.join(", ")))),
        }
    }
}

/// `token=@token.txt`: the value never stands on the command line.
fn read_secret(context: &Context, text: &str) -> Result<(String, Vec<u8>), Failure> {
    let refused = || Failure::new(Code::Usage, "write --secret NAME=@FILE: values come from files");
    let (name, value) = text.split_once('=').ok_or_else(refused)?;
    let file = value.strip_prefix('@').ok_or_else(refused)?;
    let mut bytes = context.read(Path::new(file), 64 * 1024)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok((name.to_owned(), bytes))
}

/// Result on standard output; outcome, meter, warnings and denials beside.
fn told(context: &Context, local: &Local, reply: &CallReply) -> Result<(), Failure> {
    let snapshot = local.host.snapshot();
    let limits = snapshot.running(&local.key).map(|i| (i.limits, i.price));
    let (limits, price) = limits.unwrap_or((soma_policy::Limits::DEFAULT, None));
    for denial in &reply.denials {
        context.out.note(denial.to_string());
    }
    if let Some(detail) = &reply.detail {
        context.out.note(detail);
    }
    context.out.note(line(reply, &limits, price));
    for gauge in gauges(&reply.usage, &limits).iter().filter(|g| g.is_high()) {
        context.out.warn(format!("{} is at {} % of its limit", gauge.text(), gauge.percent()));
    }
    if let Some(error) = &reply.guest_error {
        let value = json!({ "outcome": reply.outcome, "error": error });
        let text = format!("error {}", neutral(&text_of(error)));
        context.out.report(&Report::new("soma.capsule.run.v1", value, text))?;
        return Err(Failure::told(reply.outcome.exit_code()));
    }
    if reply.outcome == Outcome::Ok {
        let result = reply.result.clone().unwrap_or_default();
        let value = json!({ "outcome": reply.outcome, "result": result, "usage": reply.usage });
        return Ok(context.out.report(&Report::new(
            "soma.capsule.run.v1",
            value,
            text_of(&result),
        ))?);
    }
    Err(Failure::told(reply.outcome.exit_code()))
}
