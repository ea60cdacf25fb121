//! `soma user`: persons, as operators see them; everybody sees and may erase themselves.

mod password;

use serde_json::{Value, json};
use soma_policy::{Code, OrgId, UserId};

use crate::client::{Ask, ServerClient};
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
    Reset(Reset),
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

/// Let a person in who cannot log in any more: every block ends, and a code sets a new password
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma user reset grace\n  soma user reset grace --factors --yes\n\nHand the code to the person alone: SOMA_CODE=… soma login grace --reset"
)]
pub(crate) struct Reset {
    /// Who: a login name or an id
    #[arg(value_name = "LOGIN")]
    who: String,
    /// Take the second factor away, too: it is lost
    #[arg(long)]
    factors: bool,
    #[command(flatten)]
    consent: Consent,
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
            Self::Reset(Reset { who, factors, consent }) => {
                if factors {
                    consent.require(&format!("Take the second factor of {who} away?"))?;
                }
                let made = block_on(reset(context, &who, factors))?;
                let code = made.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
                context.out.note("for the person alone: SOMA_CODE=… soma login --reset");
                Ok(context.out.report(&Report::new("soma.user.reset.v1", made, code))?)
            }
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

async fn reset(context: &Context, who: &str, factors: bool) -> Result<Value, Failure> {
    let server = context.platform()?;
    let user = find(&server, who).await?;
    let ask = Ask::put(format!("/v1/users/{user}/resets"), &json!({ "factors": factors }));
    Ok(server.send(ask.posted()).await?.value)
}

/// Somebody by their id, or by the name that they log in with.
async fn find(server: &ServerClient<'_>, who: &str) -> Result<UserId, Failure> {
    if let Ok(user) = who.parse() {
        return Ok(user);
    }
    let all = server.list("/v1/users").await?;
    let named = |it: &&Value| it.get("login").and_then(Value::as_str) == Some(who);
    let id = all.iter().find(named).and_then(|it| it.get("user")).and_then(Value::as_str);
    let nobody = || Failure::new(Code::NotFound, format!("nobody logs in as `{who}`"));
    let id = id.ok_or_else(|| nobody().fix("look for them with `soma user list`"))?;
    id.parse().map_err(|_| nobody())
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
