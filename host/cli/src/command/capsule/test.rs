//! `soma capsule test [FILTER]`: what `tests/*.toml` say, on a host in this process.
//!
//! Each test has a home, a clock and a seed of its own, so that one cannot lean on another.

mod case;
mod compare;
mod file;
mod web;

use std::path::Path;

use serde_json::json;
use soma_policy::Code;

use self::file::File;
use super::watch::Watcher;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::project::{BuildOptions, Built, Project};

/// Run the capsule's tests
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule test\n  soma capsule test list --watch\n\nA test file, tests/list.toml:\n  [[test]]\n  name = \"list_denied\"\n  function = \"list-issues\"\n  args = { repo = \"acme/web\" }\n  without = [\"kv.cache\"]\n  expect = { denied = \"kv.cache\" }"
)]
pub(crate) struct Test {
    /// Only tests whose name holds this
    filter: Option<String>,
    #[command(flatten)]
    options: BuildOptions,
    /// Build and test again when a file changes
    #[arg(long)]
    watch: bool,
}

/// How one test ended.
#[derive(Debug)]
struct Ended {
    name: String,
    place: String,
    failed: Option<String>,
}

impl Test {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut watcher = Watcher::new(&self.options.dir, self.watch)?;
        loop {
            let ended = self.once(context);
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

    fn once(&self, context: &Context) -> Result<(), Failure> {
        let project = Project::open(context, &self.options.dir)?;
        let files = file::all(context, &self.options.dir)?;
        let built = project.build(context, &self.options)?;
        built.refuse_errors(&project)?;
        let ended = self.all(context, &project, &built, &files)?;
        if ended.is_empty() {
            let what = match &self.filter {
                Some(filter) => format!("no test has `{filter}` in its name"),
                None => "there are no tests in tests/*.toml".to_owned(),
            };
            return Err(Failure::new(Code::NotFound, what));
        }
        told(context, &ended)
    }

    fn all(
        &self,
        context: &Context,
        project: &Project,
        built: &Built,
        files: &[File],
    ) -> Result<Vec<Ended>, Failure> {
        let mut ended = Vec::new();
        for file in files {
            let beside = file.path.parent().unwrap_or(Path::new("."));
            for (line, case) in &file.cases {
                if self.filter.as_ref().is_some_and(|f| !case.name.contains(f.as_str())) {
                    continue;
                }
                let failed = match case::run(context, project, built, case, beside) {
                    Ok(()) => None,
                    Err(failure) if failure.exit() == 130 => return Err(failure),
                    Err(failure) => Some(failure.to_string()),
                };
                let mark = if failed.is_some() { "✗" } else { "✓" };
                context.out.note(format!("{mark} {}", case.name));
                let place = format!("{}:{line}", file.path.display());
                ended.push(Ended { name: case.name.clone(), place, failed });
            }
        }
        Ok(ended)
    }
}

fn told(context: &Context, ended: &[Ended]) -> Result<(), Failure> {
    let failed: Vec<&Ended> = ended.iter().filter(|e| e.failed.is_some()).collect();
    let mut text = format!("{} passed", ended.len() - failed.len());
    if !failed.is_empty() {
        text.push_str(&format!(", {} failed:", failed.len()));
    }
    for Ended { name, place, failed } in &failed {
        let why = failed.as_deref().unwrap_or_default();
        text.push_str(&format!("\n{} · {} ({})", neutral(name), neutral(why), neutral(place)));
    }
    let items: Vec<_> = ended
        .iter()
        .map(|e| json!({ "name": e.name, "place": e.place, "passed": e.failed.is_none(), "why": e.failed }))
        .collect();
    let value =
        json!({ "passed": ended.len() - failed.len(), "failed": failed.len(), "items": items });
    context.out.report(&Report::new("soma.capsule.test.v1", value, text))?;
    if failed.is_empty() { Ok(()) } else { Err(Failure::told(Code::TestsFailed.entry().exit)) }
}
