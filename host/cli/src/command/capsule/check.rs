//! `soma capsule check`: does the manifest parse, does it fit the component, would an operator's policy
//! take it?

mod fix;

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};
use soma_capsule::component::{Import, Need};
use soma_policy::{Denial, EnvironmentId, Fingerprint, OrgId};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::project::{BuildOptions, Built, Project};
use crate::spec::{Expanded, expand};

/// Check manifest and component against each other
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule check\n  soma capsule check --policy ../ops/policy --fix"
)]
pub(crate) struct Check {
    #[command(flatten)]
    options: BuildOptions,
    /// Also judge it by this operator's policy folder
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Correct mistyped keys in capsule.toml
    #[arg(long)]
    fix: bool,
}

impl Check {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        if self.fix {
            fix::correct(context, &self.options.dir)?;
        }
        let project = Project::open(context, &self.options.dir)?;
        let built = project.build(context, &self.options)?;
        let denials = match &self.policy {
            Some(folder) => judge(&project, &built, folder, context)?,
            None => Vec::new(),
        };
        let errors = built.findings.iter().filter(|f| f.is_error()).count() + denials.len();
        let value = json!({
            "ok": errors == 0,
            "findings": built.findings.iter().map(|f| finding(&project, f)).collect::<Vec<_>>(),
            "imports": built.analysis.imports.iter().map(import).collect::<Vec<_>>(),
            "denials": denials,
        });
        let text = page(&project, &built, &denials);
        context.out.report(&Report::new("soma.capsule.check.v1", value, text))?;
        let first = built.findings.iter().find(|f| f.is_error()).map(|f| f.code);
        match first.or_else(|| denials.first().map(|d| d.code)) {
            Some(code) => Err(Failure::told(code.entry().exit)),
            None => Ok(()),
        }
    }
}

/// What a host under this policy would refuse if a tenant granted all that is declared.
fn judge(
    project: &Project,
    built: &Built,
    folder: &std::path::Path,
    context: &Context,
) -> Result<Vec<Denial>, Failure> {
    let policy = soma_host::home::load_policy_folder(folder)
        .map_err(|problems| crate::failure::of_problems(context, &problems))?;
    let signer = Fingerprint::of_spki(b"nobody has signed it yet");
    let facts = project.manifest().facts(built.digest, signer, &built.analysis);
    let tenant: OrgId = "local".parse()?;
    let environment: EnvironmentId = "production".parse()?;
    let Expanded { spec, .. } = expand(&facts, tenant, environment, &[], None)?;
    let id = "check".parse()?;
    match soma_policy::Installation::compile(id, spec, &facts, &policy, 1) {
        Ok(_) => Ok(Vec::new()),
        Err(denials) => Ok(denials),
    }
}

fn finding(project: &Project, finding: &soma_capsule::Finding) -> Value {
    json!({
        "severity": if finding.is_error() { "error" } else { "warning" },
        "code": finding.code.id(),
        "line": project.line_of(finding),
        "message": finding.message,
        "remedy": finding.remedy,
    })
}

fn import(import: &Import) -> Value {
    json!({ "name": import.name, "needs": need(import) })
}

fn need(import: &Import) -> String {
    match import.need {
        Need::Base => "base".to_owned(),
        Need::Capability(kind) => format!("[capabilities.{kind}]"),
        Need::Version(offered) => format!("another version: {offered}"),
        Need::Preview3 => "WASI 0.3, which is not served".to_owned(),
        Need::Sockets => "sockets, which are never served".to_owned(),
        Need::Unknown => "nothing that a host serves".to_owned(),
    }
}

fn page(project: &Project, built: &Built, denials: &[Denial]) -> String {
    let mut page = String::new();
    for import in &built.analysis.imports {
        let _ = writeln!(page, "  {:<48} {}", neutral(&import.name), need(import));
    }
    for finding in &built.findings {
        let _ = writeln!(page, "{}", neutral(&project.describe(finding)));
    }
    for denial in denials {
        let _ = writeln!(page, "{}", neutral(&denial.to_string()));
    }
    let errors = built.findings.iter().filter(|f| f.is_error()).count() + denials.len();
    let warnings = built.findings.len() - (errors - denials.len());
    let _ = write!(page, "{} · {errors} errors, {warnings} warnings", project.manifest().name);
    page
}
