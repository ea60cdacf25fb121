//! `soma search`: the catalogue, and one capsule with its versions.

use serde_json::Value;
use soma_policy::CapsuleName;

use super::list::word;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed, neutral};
use crate::run::block_on;

const COLUMNS: &[Column] = &[
    ("capsule", "/capsule"),
    ("latest", "/latest"),
    ("kind", "/kind"),
    ("price", "/price"),
    ("installs", "/installs"),
    ("summary", "/summary"),
];

/// Search the catalogue
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma search csv\n  soma search --capability http --publisher acme\n  soma search acme/csv              (one capsule, with its versions)"
)]
pub(crate) struct Search {
    /// Words of name, summary and functions, or PUBLISHER/NAME
    words: Vec<String>,
    /// Asks for this capability: http, secret, kv …
    #[arg(long)]
    capability: Option<String>,
    /// Is of this kind: task, tool …
    #[arg(long)]
    kind: Option<String>,
    /// By this publisher
    #[arg(long)]
    publisher: Option<String>,
    /// Costs nothing
    #[arg(long)]
    free: bool,
    #[command(flatten)]
    place: Place,
}

impl Search {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        if let [only] = self.words.as_slice()
            && let Ok(name) = only.parse::<CapsuleName>()
        {
            let page = block_on(server.get(&format!("/v1/capsules/{name}")))?;
            let text = one(&page);
            return Ok(context.out.report(&Report::new("soma.capsule.v1", page, text))?);
        }
        let items = block_on(server.list(&format!("/v1/capsules?{}", self.query())))?;
        Ok(context.out.report(&listed("soma.capsules.v1", items, COLUMNS, "nothing like it"))?)
    }

    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.words.is_empty() {
            query.append_pair("q", &self.words.join(" "));
        }
        for (name, value) in
            [("capability", &self.capability), ("kind", &self.kind), ("publisher", &self.publisher)]
        {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if self.free {
            query.append_pair("free", "true");
        }
        query.finish()
    }
}

fn one(page: &Value) -> String {
    let of = |pointer: &str| word(page.pointer(pointer));
    let mut lines = vec![
        format!(
            "{} · {} · {}",
            of("/capsule/capsule"),
            of("/capsule/kind"),
            of("/capsule/licence")
        ),
        of("/capsule/summary"),
    ];
    for version in page.get("versions").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| word(version.get(name));
        let mut line = format!("  {} {} {}", of("version"), of("state"), of("digest"));
        if !of("reason").is_empty() {
            line.push_str(&format!(" · {}", of("reason")));
        }
        lines.push(line);
    }
    neutral(&lines.join("\n")).into_owned()
}
