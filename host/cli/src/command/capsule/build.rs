//! `soma capsule build`: runs the author's build, embeds the manifest, writes the component and its bill of materials.

use std::path::PathBuf;

use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::project::{BuildOptions, Project, sbom};

/// Build the component and put the manifest into it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule build --locked\n  soma capsule build --component other/built.wasm"
)]
pub(crate) struct Build {
    #[command(flatten)]
    options: BuildOptions,
    /// Where to write; by default NAME.wasm beside capsule.toml
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Build {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let project = Project::open(context, &self.options.dir)?;
        let built = project.build(context, &self.options)?;
        for finding in &built.findings {
            context.out.note(project.describe(finding));
        }
        built.refuse_errors(&project)?;
        let path = self.out.unwrap_or_else(|| project.output());
        crate::files::write_whole(&path, &built.component)?;
        // Who built a component elsewhere knows what is in it.
        let bill = match self.options.component {
            Some(_) => None,
            None => sbom::of(context, &project, &built.digest)?,
        };
        let bill = bill.map(|text| (sbom::path_beside(&path), text));
        if let Some((path, text)) = &bill {
            crate::files::write_whole(path, text)?;
        }
        let with = if bill.is_some() { ", bill of materials beside" } else { "" };
        let text =
            format!("built {} {} (manifest embedded{with})", path.display(), built.summary());
        let value = json!({
            "file": path,
            "sbom": bill.as_ref().map(|(path, _)| path),
            "bytes": built.component.len(),
            "digest": built.digest.to_string(),
            "name": project.manifest().name.to_string(),
            "version": project.manifest().version.to_string(),
            "warnings": built.findings.len(),
        });
        Ok(context.out.report(&Report::new("soma.capsule.build.v1", value, text))?)
    }
}
