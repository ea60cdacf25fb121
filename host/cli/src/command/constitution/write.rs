//! Writing: from a folder to a signed proposal, further signatures, and the moment from which it holds.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use soma_capsule::constitution::{Constitution, KIND, PRINCIPLES_FILE};
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::policy_folder;
use soma_host::home::OPERATOR_KEY;
use soma_policy::{Code, Digest, PolicySources};

use super::document;
use super::read::{lines, own_difference};
use crate::client::{Ask, ServerClient};
use crate::command::key::open_private;
use crate::command::list::word;
use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Check a folder as the next constitution: at the server, or with --offline by its files alone
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma constitution check policy\n  soma constitution check policy --offline"
)]
pub(crate) struct Check {
    /// The folder: *.cedar, limits.toml, principles.md; the home's policy folder if left out
    dir: Option<PathBuf>,
    /// Ask no server
    #[arg(long)]
    offline: bool,
}

/// Propose a folder as the next constitution, signed by one operator; with two fresh factors
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma constitution propose policy --key ada\n\nThe folder holds *.cedar files, limits.toml and principles.md. peers.toml stays each machine's own."
)]
pub(crate) struct Propose {
    /// The folder; the home's policy folder if left out
    dir: Option<PathBuf>,
    /// The operator's key
    #[arg(long, value_name = "NAME", default_value = OPERATOR_KEY)]
    key: String,
}

/// Sign what another operator proposed; with two fresh factors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma constitution sign sha256:3b1f… --key bob")]
pub(crate) struct Sign {
    /// Its digest, as `soma constitution proposals` lists it
    digest: Digest,
    /// The operator's key
    #[arg(long, value_name = "NAME")]
    key: String,
    #[command(flatten)]
    consent: Consent,
}

/// Make a proposal hold that enough operators signed; with two fresh factors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma constitution activate sha256:3b1f… --yes")]
pub(crate) struct Activate {
    /// Its digest
    digest: Digest,
    #[command(flatten)]
    consent: Consent,
}

/// What a folder says.
struct Written {
    sources: PolicySources,
    principles: String,
}

impl Written {
    fn read(context: &Context, dir: Option<&Path>) -> Result<Self, Failure> {
        let folder = match dir {
            Some(dir) => dir.to_owned(),
            None => context.home()?.layout().policy(),
        };
        let unread =
            |error: policy_folder::PolicyFolderError| Failure::new(error.code(), error.to_string());
        let path = folder.join(PRINCIPLES_FILE);
        let principles = match path.exists() {
            true => policy_folder::text(&path).map_err(unread)?,
            false => String::new(),
        };
        Ok(Self { sources: policy_folder::read(&folder).map_err(unread)?, principles })
    }

    /// As the constitution that follows the one that holds at the server.
    fn next(&self, context: &Context, server: &ServerClient<'_>) -> Result<Constitution, Failure> {
        let now = block_on(server.get("/v1/constitution"))?;
        let held = now.get("constitution").and_then(document);
        let here = held.map(|it| (it.version, it.digest()));
        Ok(self.after(context, &word(now.get("deployment")), here))
    }

    fn after(
        &self,
        context: &Context,
        deployment: &str,
        here: Option<(u64, Digest)>,
    ) -> Constitution {
        let (sources, principles) = (&self.sources, self.principles.clone());
        Constitution::of(sources, principles, deployment, here, context.now())
    }
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let written = Written::read(context, self.dir.as_deref())?;
        if self.offline {
            let next = written.after(context, "offline", None);
            judged(&next)?;
            let value = json!({ "ok": true, "policies": next.policies.len() });
            let text = format!("it could hold · {} policy files", next.policies.len());
            return Ok(context.out.report(&Report::new(
                "soma.constitution.check.v1",
                value,
                text,
            ))?);
        }
        let server = context.platform()?;
        let next = written.next(context, &server)?;
        let body = serde_json::to_value(&next).unwrap_or_default();
        let ask = Ask::put("/v1/constitution/validate", &body).posted();
        let answer = block_on(server.send(ask))?.value;
        let ok = answer.get("ok").and_then(Value::as_bool) == Some(true);
        let faults = answer.get("faults").and_then(Value::as_array).cloned().unwrap_or_default();
        for fault in &faults {
            let (code, file) = (word(fault.get("code")), word(fault.get("file")));
            context.out.note(format!("{code} {file} {}", word(fault.get("message"))));
        }
        let first = faults.first().and_then(|fault| word(fault.get("code")).parse::<Code>().ok());
        let verdict = if ok { "it could hold" } else { "it could not hold" };
        let text = format!("{verdict} as version {}\n{}", next.version, lines(&answer));
        context.out.report(&Report::new("soma.constitution.check.v1", answer, text))?;
        match ok {
            true => Ok(()),
            false => Err(Failure::told(first.unwrap_or(Code::PolicyInvalid).entry().exit)),
        }
    }
}

impl Propose {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let written = Written::read(context, self.dir.as_deref())?;
        let server = context.platform()?;
        let next = written.next(context, &server)?;
        judged(&next)?;
        let key = open_private(context, &self.key)?;
        let envelope = dsse::sign_document(KIND, &next, &[&key])?;
        let ask = Ask::put("/v1/constitution/proposals", &json_of(&envelope)?).posted();
        told(context, block_on(server.send(ask))?.value, "proposed")
    }
}

impl Sign {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.platform()?;
        let path = format!("/v1/constitution/proposals/{}", self.digest);
        let proposed = block_on(server.get(&path))?;
        let other = || Failure::new(Code::ConstitutionMalformed, "the server shows another one");
        // What is signed is what is shown here, and it has the digest that was asked for.
        let it = document(&proposed).filter(|it| it.digest() == self.digest).ok_or_else(other)?;
        judged(&it)?;
        context.out.note(own_difference(&server, &it)?);
        self.consent.require(&format!("Sign constitution {}?", it.version))?;
        let key = open_private(context, &self.key)?;
        let envelope = dsse::sign_document(KIND, &it, &[&key])?;
        let ask = Ask::put(format!("{path}/sign"), &json_of(&envelope)?).posted();
        told(context, block_on(server.send(ask))?.value, "signed")
    }
}

impl Activate {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require(&format!("Hold everybody to {}?", self.digest))?;
        let path = format!("/v1/constitution/proposals/{}/activate", self.digest);
        told(context, block_on(context.platform()?.send(Ask::bare(path)))?.value, "activated")
    }
}

/// Refuses here what no host could judge by.
fn judged(it: &Constitution) -> Result<(), Failure> {
    let checked = it.check().and_then(|()| it.load(&PolicySources::default()).map(drop));
    checked.map_err(|refused| Failure::new(refused.code(), refused.to_string()))
}

fn json_of(envelope: &Envelope) -> Result<Value, Failure> {
    serde_json::from_slice(&envelope.to_json())
        .map_err(|e| Failure::new(Code::EnvelopeMalformed, e.to_string()))
}

/// How it stands, and what comes next.
fn told(context: &Context, answer: Value, done: &str) -> Result<(), Failure> {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (signed, needed) = (number("signed"), number("needed"));
    let (version, digest) = (word(answer.get("version")), word(answer.get("digest")));
    let held = answer.get("activated").is_some_and(Value::is_string);
    let next = match (held, signed < needed) {
        (true, _) => String::new(),
        (false, true) => format!(" · next: soma constitution sign {digest} --key NAME"),
        (false, false) => format!(" · next: soma constitution activate {digest}"),
    };
    let text =
        format!("{done} constitution {version} · {digest} · {signed} of {needed} operators{next}");
    Ok(context.out.report(&Report::new("soma.constitution.v1", answer, text))?)
}
