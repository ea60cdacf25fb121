//! `soma user`: persons, as operators see them; everybody sees and may erase themselves.

mod password;

use serde_json::json;
use soma_policy::{OrgId, UserId};

use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;

pub(crate) const HELP: &str =
    "Example:\n  soma user list\n  soma user lock 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes";

const COLUMNS: &[Column] = &[
    ("user", "/user"),
    ("login", "/login"),
    ("name", "/name"),
    ("state", "/state"),
    ("created", "/created"),
];

/// Persons
#[derive(Debug, clap::Subcommand)]
pub(crate) enum User {
    List(List),
    Show(Show),
    Lock(Lock),
    Unlock(Unlock),
    Erase(Erase),
    Password(password::Password),
}

/// List every person; operators may
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma user list")]
pub(crate) struct List {}

/// Show a person
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma user show 01JD7Q2M3N4P5R6S7T8V9W0XYZ")]
pub(crate) struct Show {
    /// Who
    user: UserId,
    #[command(flatten)]
    by: By,
}

/// Lock a person out; their sessions and tokens end
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma user lock 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes")]
pub(crate) struct Lock {
    /// Who
    user: UserId,
    #[command(flatten)]
    consent: Consent,
}

/// Let a person in again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma user unlock 01JD7Q2M3N4P5R6S7T8V9W0XYZ")]
pub(crate) struct Unlock {
    /// Who
    user: UserId,
}

/// Erase a person's data for good; the record keeps a pseudonym
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma user erase 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes")]
pub(crate) struct Erase {
    /// Who
    user: UserId,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    consent: Consent,
}

/// Whose session acts.
#[derive(Debug, clap::Args)]
struct By {
    /// The org whose session acts: an operator's, or one's own about oneself
    #[arg(long, value_name = "ORG", default_value = "platform")]
    tenant: OrgId,
}

impl User {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(_) => {
                let items = block_on(context.platform()?.list("/v1/users"))?;
                Ok(context.out.report(&listed("soma.users.v1", items, COLUMNS, "nobody"))?)
            }
            Self::Show(Show { user, by }) => {
                let path = format!("/v1/users/{user}");
                let found = block_on(context.server(&by.tenant)?.get(&path))?;
                Ok(context.out.report(&shown("soma.user.v1", found, COLUMNS))?)
            }
            Self::Lock(Lock { user, consent }) => {
                consent.require(&format!("Lock {user} out?"))?;
                set_state(context, user, "locked")
            }
            Self::Password(password) => password.run(context),
            Self::Unlock(Unlock { user }) => set_state(context, user, "active"),
            Self::Erase(Erase { user, by, consent }) => {
                consent.require(&format!("Erase {user} for good?"))?;
                let ask = Ask::delete(format!("/v1/users/{user}"));
                block_on(context.server(&by.tenant)?.send(ask))?;
                let value = json!({ "user": user, "erased": true });
                Ok(context.out.report(&Report::new("soma.user.v1", value, "erased"))?)
            }
        }
    }
}

fn set_state(context: &Context, user: UserId, state: &str) -> Result<(), Failure> {
    let server = context.platform()?;
    let changed = block_on(async {
        let path = format!("/v1/users/{user}");
        let read = server.send(Ask::get(&path)).await?;
        server.send(Ask::patch(path, &json!({ "state": state })).if_match(&read)).await
    })?;
    Ok(context.out.report(&shown("soma.user.v1", changed.value, COLUMNS))?)
}
