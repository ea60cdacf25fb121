//! `soma capsule inspect FILE|REF`: what a capsule is, whose it is, what it asks for.

use std::fmt::Write;

use serde_json::{Value, json};
use soma_capsule::bundle::KeyedSignature;
use soma_capsule::{Analysis, Manifest, TrustStore, analyse, section};
use soma_policy::{Digest, Grants};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::project::short;
use crate::reference::Found;

/// Show what a capsule is and what it asks for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma capsule inspect csv.wasm\n  soma capsule inspect csv.wasm --schema\n  soma capsule inspect sha256:3b1f… --imports"
)]
pub(crate) struct Inspect {
    /// A component file, an OCI layout folder, or a digest in the home's store
    #[arg(value_name = "FILE|REF")]
    reference: String,
    /// Its functions as WIT
    #[arg(long, conflicts_with_all = ["schema", "imports"])]
    wit: bool,
    /// Its functions as JSON Schema
    #[arg(long, conflicts_with = "imports")]
    schema: bool,
    /// What it imports
    #[arg(long)]
    imports: bool,
}

impl Inspect {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let found = Found::open(context, &self.reference)?;
        let analysis = analyse(&found.component)?;
        let report = if self.wit {
            wit(&analysis)
        } else if self.schema {
            schema(&analysis)
        } else if self.imports {
            imports(&analysis)
        } else {
            let manifest = Manifest::from_canonical(section::extract(&found.component)?)?;
            overview(context, &found, &manifest, &analysis)
        };
        Ok(context.out.report(&report)?)
    }
}

fn wit(analysis: &Analysis) -> Report {
    let lines: Vec<&str> = analysis.functions.iter().map(|f| f.signature.as_str()).collect();
    Report::new("soma.capsule.wit.v1", json!({ "functions": lines }), neutral(&lines.join("\n")))
}

fn schema(analysis: &Analysis) -> Report {
    let functions: Vec<Value> = analysis
        .functions
        .iter()
        .map(|f| json!({ "name": f.name, "input": f.input, "output": f.output, "error": f.error }))
        .collect();
    let value = json!({ "functions": functions });
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    Report::new("soma.capsule.schema.v1", value, neutral(&text))
}

fn imports(analysis: &Analysis) -> Report {
    let names: Vec<&str> = analysis.imports.iter().map(|i| i.name.as_str()).collect();
    let text = if names.is_empty() { "imports nothing".into() } else { names.join("\n") };
    Report::new("soma.capsule.imports.v1", json!({ "imports": names }), neutral(&text))
}

fn overview(context: &Context, found: &Found, manifest: &Manifest, analysis: &Analysis) -> Report {
    let digest = Digest::of(&found.component);
    let signed = signed_by(context, found, manifest, &digest);
    let asks: Vec<String> = Grants::as_declared(&manifest.capabilities)
        .list()
        .iter()
        .map(ToString::to_string)
        .collect();
    let asked = if asks.is_empty() { "nothing".to_owned() } else { asks.join(", ") };
    let mut text = format!("{}@{} · {signed} · asks: {asked}\n", manifest.name, manifest.version);
    let _ = writeln!(
        text,
        "  {} · {} · {}",
        neutral(&manifest.summary),
        manifest.licence,
        short(&digest)
    );
    for function in &analysis.functions {
        let words = manifest.functions.get(function.name.as_str());
        let words = words.map(|w| w.summary.as_str()).unwrap_or_default();
        let _ = writeln!(text, "  {:<24} {}", neutral(&function.name), neutral(words));
    }
    if analysis.serves_http() {
        text.push_str("  answers HTTP on a host name of its own\n");
    }
    let value = json!({
        "name": manifest.name.to_string(), "version": manifest.version.to_string(),
        "digest": digest.to_string(), "bytes": found.component.len(), "signature": signed,
        "asks": asks, "functions": analysis.functions.iter().map(|f| &f.name).collect::<Vec<_>>(),
        "manifest": manifest, "serves_http": analysis.serves_http(),
    });
    Report::new("soma.capsule.inspect.v1", value, text)
}

/// In words: who signed, as far as the home's pinned keys can tell.
fn signed_by(context: &Context, found: &Found, manifest: &Manifest, digest: &Digest) -> String {
    let Some(bundle) = &found.bundle else { return "not signed".to_owned() };
    let Ok(signature) = KeyedSignature::parse(bundle) else {
        return "its bundle does not parse".to_owned();
    };
    if signature.digest != *digest {
        return "its bundle signs another file".to_owned();
    }
    let publisher = &manifest.name.publisher;
    let store = context.home().ok().and_then(|h| TrustStore::load(&h.layout().publishers()).ok());
    let store = store.unwrap_or_default();
    match store.find(publisher, &signature.hint) {
        Some((key, _)) if key.verifies(digest, &signature.signature) => {
            format!("signed by {publisher} (pinned key)")
        }
        Some(_) => "its signature does not hold".to_owned(),
        None => format!("signed by a key that is not pinned for {publisher}"),
    }
}
