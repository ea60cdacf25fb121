//! The people of an organisation: members, their roles, invitations.

use serde_json::{Value, json};
use soma_policy::UserId;

use crate::asking::secret;
use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;

const MEMBERS: &[Column] = &[
    ("user", "/user"),
    ("login", "/login"),
    ("name", "/name"),
    ("role", "/role"),
    ("since", "/created"),
];
const INVITATIONS: &[Column] = &[
    ("invitation", "/invitation"),
    ("role", "/role"),
    ("by", "/invited_by"),
    ("expires", "/expires"),
];

/// List members
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org members --tenant acme")]
pub(crate) struct Members {
    #[command(flatten)]
    place: Place,
}

/// Offer a membership; prints a code that is good once
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org invite developer --tenant acme")]
pub(crate) struct Invite {
    /// As what: docs/reference/roles.md lists the roles
    role: String,
    #[command(flatten)]
    place: Place,
}

/// List open invitations
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org invitations --tenant acme")]
pub(crate) struct Invitations {
    #[command(flatten)]
    place: Place,
}

/// Take an invitation back
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org withdraw 01JD7Q2M3N4P5R6S7T8V9W0XYZ --tenant acme")]
pub(crate) struct Withdraw {
    /// Which
    invitation: String,
    #[command(flatten)]
    place: Place,
}

/// Take an invitation to another organisation; its code is asked for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org join --tenant local   (as who is logged in for local)"
)]
pub(crate) struct Join {
    #[command(flatten)]
    place: Place,
}

/// Change what a member is
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma org role 01JD7Q2M3N4P5R6S7T8V9W0XYZ admin --tenant acme")]
pub(crate) struct SetRole {
    /// Who
    user: UserId,
    /// As what
    role: String,
    #[command(flatten)]
    place: Place,
}

/// Remove a member
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma org remove 01JD7Q2M3N4P5R6S7T8V9W0XYZ --tenant acme --yes"
)]
pub(crate) struct Remove {
    /// Who
    user: UserId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Members {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/orgs/{}/members", self.place.tenant);
        let items = block_on(context.server(&self.place.tenant)?.list(&path))?;
        Ok(context.out.report(&listed("soma.members.v1", items, MEMBERS, "no members"))?)
    }
}

impl Invite {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let org = &self.place.tenant;
        let ask = Ask::post(format!("/v1/orgs/{org}/invitations"), &json!({ "role": self.role }));
        let offered = block_on(context.server(org)?.send(ask))?.value;
        let code = offered.get("code").and_then(Value::as_str).unwrap_or_default();
        let text = format!("invited to {org} as {} · code, shown once: {code}", self.role);
        context.out.report(&Report::new("soma.invitation.v1", offered.clone(), text))?;
        context.out.note("next, as who is invited: soma login NAME --invited, or soma org join");
        Ok(())
    }
}

impl Invitations {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/orgs/{}/invitations", self.place.tenant);
        let items = block_on(context.server(&self.place.tenant)?.list(&path))?;
        Ok(context.out.report(&listed("soma.invitations.v1", items, INVITATIONS, "none"))?)
    }
}

impl Withdraw {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/orgs/{}/invitations/{}", self.place.tenant, self.invitation);
        block_on(context.server(&self.place.tenant)?.send(Ask::delete(path)))?;
        let value = json!({ "invitation": self.invitation, "withdrawn": true });
        Ok(context.out.report(&Report::new("soma.invitation.v1", value, "withdrawn"))?)
    }
}

impl Join {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let code = secret("SOMA_CODE", "code of the invitation")?;
        let ask = Ask::post("/v1/invitations/join", &json!({ "code": code }));
        let joined = block_on(context.server(&self.place.tenant)?.send(ask))?.value;
        let columns = [("org", "/org"), ("role", "/role"), ("since", "/created")];
        Ok(context.out.report(&shown("soma.membership.v1", joined, &columns))?)
    }
}

impl SetRole {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        let changed = block_on(async {
            let path = format!("/v1/orgs/{}/members/{}", self.place.tenant, self.user);
            let read = server.send(Ask::get(&path)).await?;
            server.send(Ask::patch(path, &json!({ "role": self.role })).if_match(&read)).await
        })?;
        Ok(context.out.report(&shown("soma.member.v1", changed.value, MEMBERS))?)
    }
}

impl Remove {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let org = &self.place.tenant;
        self.consent.require(&format!("Remove {} from {org}?", self.user))?;
        let ask = Ask::delete(format!("/v1/orgs/{org}/members/{}", self.user));
        block_on(context.server(org)?.send(ask))?;
        let value = json!({ "user": self.user, "org": org, "removed": true });
        Ok(context.out.report(&Report::new("soma.member.v1", value, "removed"))?)
    }
}
