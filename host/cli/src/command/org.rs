//! `soma org`: organisations, their environments and the people in them.

mod people;
mod publisher;

use serde_json::{Value, json};
use soma_policy::{EnvironmentId, OrgId, RegionId};

use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma org list\n  soma org new acme --name \"Acme Ltd\" --tenant-role --publisher-role\n  soma org invite developer --tenant acme";

const COLUMNS: &[Column] = &[
    ("org", "/org"),
    ("name", "/name"),
    ("roles", "/roles"),
    ("region", "/region"),
    ("state", "/state"),
    ("created", "/created"),
];
const ENVIRONMENTS: &[Column] = &[
    ("environment", "/environment"),
    ("kind", "/kind"),
    ("region", "/region"),
    ("created", "/created"),
];

/// Organisations and who belongs to them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Org {
    List(List),
    Show(Show),
    New(New),
    Environments(Environments),
    Environment(NewEnvironment),
    Members(people::Members),
    Invite(people::Invite),
    Invitations(people::Invitations),
    Withdraw(people::Withdraw),
    Join(people::Join),
    Role(people::SetRole),
    Remove(people::Remove),
    Claim(publisher::Claim),
    Names(publisher::Names),
    Keys(publisher::Keys),
    Key(publisher::AddKey),
    RevokeKey(publisher::RevokeKey),
    Transfer(publisher::Transfer),
    Standing(publisher::Standing),
    Close(Close),
}

/// List organisations: the own one, or all for operators
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org list\n  soma org list --tenant platform   (as an operator: all)"
)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// Show an organisation
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org show --tenant acme")]
pub(crate) struct Show {
    #[command(flatten)]
    place: Place,
}

/// Make an organisation; operators may
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org new acme --name \"Acme Ltd\" --tenant-role --publisher-role\n\nPrints the code with which its first owner comes: soma login NAME --invited"
)]
pub(crate) struct New {
    /// Its id
    org: OrgId,
    /// As people call it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// It installs and calls capsules
    #[arg(long)]
    tenant_role: bool,
    /// It publishes capsules
    #[arg(long)]
    publisher_role: bool,
}

/// List environments
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org environments --tenant acme")]
pub(crate) struct Environments {
    #[command(flatten)]
    place: Place,
}

/// Make an environment
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org environment staging --kind staging --tenant acme")]
pub(crate) struct NewEnvironment {
    /// Its id
    name: EnvironmentId,
    /// development, staging or production
    #[arg(long, default_value = "development")]
    kind: String,
    /// Where it runs
    #[arg(long)]
    region: Option<RegionId>,
    #[command(flatten)]
    place: Place,
}

/// Close an organisation: every token of it ends; operators with two fresh factors may
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org close acme --yes")]
pub(crate) struct Close {
    /// Which
    org: OrgId,
    #[command(flatten)]
    consent: Consent,
}

impl Org {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(it) => it.run(context),
            Self::Show(it) => it.run(context),
            Self::New(it) => it.run(context),
            Self::Environments(it) => it.run(context),
            Self::Environment(it) => it.run(context),
            Self::Members(it) => it.run(context),
            Self::Invite(it) => it.run(context),
            Self::Invitations(it) => it.run(context),
            Self::Withdraw(it) => it.run(context),
            Self::Join(it) => it.run(context),
            Self::Role(it) => it.run(context),
            Self::Remove(it) => it.run(context),
            Self::Claim(it) => it.run(context),
            Self::Names(it) => it.run(context),
            Self::Keys(it) => it.run(context),
            Self::Key(it) => it.run(context),
            Self::RevokeKey(it) => it.run(context),
            Self::Transfer(it) => it.run(context),
            Self::Standing(it) => it.run(context),
            Self::Close(it) => it.run(context),
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let items = block_on(context.server(&self.place.tenant)?.list("/v1/orgs"))?;
        Ok(context.out.report(&listed("soma.orgs.v1", items, COLUMNS, "no organisations"))?)
    }
}

impl Show {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/orgs/{}", self.place.tenant);
        let org = block_on(context.server(&self.place.tenant)?.get(&path))?;
        Ok(context.out.report(&shown("soma.org.v1", org, COLUMNS))?)
    }
}

impl New {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let name = self.name.unwrap_or_else(|| self.org.to_string());
        let roles = json!({ "tenant": self.tenant_role, "publisher": self.publisher_role });
        let body = json!({ "org": self.org, "name": name, "roles": roles });
        let made = block_on(context.platform()?.send(Ask::post("/v1/orgs", &body)))?.value;
        let code = made.pointer("/head/code").and_then(Value::as_str).unwrap_or_default();
        let org = &self.org;
        let text = format!("made {org} · code of its first owner, shown once: {code}");
        context.out.report(&Report::new("soma.org.new.v1", made.clone(), text))?;
        context.out.note(format!("next, as the owner: soma login NAME --invited --org {org}"));
        Ok(())
    }
}

impl Environments {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/orgs/{}/environments", self.place.tenant);
        let items = block_on(context.server(&self.place.tenant)?.list(&path))?;
        Ok(context.out.report(&listed("soma.environments.v1", items, ENVIRONMENTS, "none"))?)
    }
}

impl NewEnvironment {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/orgs/{}/environments", self.place.tenant);
        let mut body = json!({ "environment": self.name, "kind": self.kind });
        if let (Some(region), Some(fields)) = (&self.region, body.as_object_mut()) {
            fields.insert("region".to_owned(), json!(region));
        }
        let made = block_on(context.server(&self.place.tenant)?.send(Ask::post(path, &body)))?;
        Ok(context.out.report(&shown("soma.environment.v1", made.value, ENVIRONMENTS))?)
    }
}

impl Close {
    fn run(self, context: &Context) -> Result<(), Failure> {
        self.consent.require(&format!("Close {}, and end every token of it?", self.org))?;
        let server = context.platform()?;
        let closed = block_on(async {
            let path = format!("/v1/orgs/{}", self.org);
            let read = server.send(Ask::get(&path)).await?;
            let roles = read.value.get("roles").cloned().unwrap_or_default();
            let body = json!({ "roles": roles, "state": "closed" });
            server.send(Ask::put(format!("{path}/governance"), &body).if_match(&read)).await
        })?;
        Ok(context.out.report(&shown("soma.org.v1", closed.value, COLUMNS))?)
    }
}
