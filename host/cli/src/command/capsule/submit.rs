//! `soma capsule submit`: hands a signed component to a marketplace.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use soma_policy::Code;

use crate::client::Ask;
use crate::command::list::word;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::project::{Project, sbom};
use crate::reference::Found;
use crate::run::block_on;

const PAPER_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Submit a signed capsule to the marketplace
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule submit csv.wasm\n  soma capsule submit csv.wasm --sbom csv.cdx.json --tenant acme\n\nLow risk is approved by itself where the operator allows it; everything else waits for a review."
)]
pub(crate) struct Submit {
    /// The component with its bundle beside it; by default what soma capsule build wrote here
    file: Option<PathBuf>,
    /// The bill of materials: a CycloneDX or SPDX document that names the component; by default FILE with .cdx.json
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// The statement of its origin: in-toto, about the component
    #[arg(long, value_name = "FILE")]
    provenance: Option<PathBuf>,
    /// One effect, however often it is sent under this key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Submit {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => Project::open(context, Path::new("."))?.output(),
        };
        let package = Found::open(context, &file.to_string_lossy())?.into_package()?;
        let mut body = json!({
            "component": STANDARD.encode(&package.component),
            "bundle": STANDARD.encode(&package.bundle),
        });
        let beside = Some(sbom::path_beside(&file)).filter(|path| path.exists());
        let bill = self.sbom.clone().or(beside);
        for (name, path) in [("sbom", &bill), ("provenance", &self.provenance)] {
            if let (Some(path), Some(fields)) = (path, body.as_object_mut()) {
                let paper = context.read(path, PAPER_BYTES_MAX)?;
                fields.insert(name.to_owned(), Value::String(STANDARD.encode(paper)));
            }
        }
        let server = context.server(&self.place.tenant)?;
        let progress = context.out.progress(&format!("submitting {}", file.display()));
        let total = package.component.len().saturating_mul(4) / 3;
        let sent = progress.bytes(u64::try_from(total).unwrap_or_default());
        let ask = Ask::post("/v1/submissions", &body).key(self.idempotency_key.as_ref());
        let made = block_on(server.upload(ask, sent))?;
        drop(progress);
        let text = told(&made);
        Ok(context.out.report(&Report::new("soma.submission.v1", made, text))?)
    }
}

/// A submission for people: where it is, what was found, what it may do.
pub(crate) fn told(it: &Value) -> String {
    let text = |name: &str| word(it.get(name));
    let mut lines = vec![format!(
        "{} {}@{} · {} · risk {} · submission {}",
        text("digest").chars().take(19).collect::<String>(),
        text("capsule"),
        text("version"),
        text("state"),
        match text("risk").as_str() {
            "" => "not judged",
            risk => risk,
        },
        text("submission"),
    )];
    let list = |name: &str| it.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for capability in list("capabilities") {
        lines.push(format!("  {}", word(Some(&capability))));
    }
    for finding in list("findings") {
        let of = |name: &str| word(finding.get(name));
        let meaning = Code::find(&of("code")).map_or("", |code| code.entry().title);
        lines.push(format!("  ! {} {} {meaning}: {}", of("severity"), of("code"), of("evidence")));
    }
    if !text("reason").is_empty() {
        lines.push(format!("  reason: {}", text("reason")));
    }
    let lines: Vec<String> = lines.iter().map(|line| neutral(line).into_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_says_where_it_is_and_what_was_found() {
        let it = json!({ "submission": "01JD", "capsule": "acme/x", "version": "1.0.0", "state": "in_review",
            "risk": "0.412", "capabilities": ["may reach https://a"], "digest": "sha256:0011",
            "findings": [{ "severity": "high", "code": "F003", "evidence": "key \u{1b}[1m" }] });
        let text = told(&it);
        assert!(text.contains("acme/x@1.0.0 · in_review · risk 0.412"), "{text}");
        assert!(
            text.contains("  may reach https://a")
                && text.contains("! high F003 no bill of materials: key"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
