//! `soma login` and `soma logout`: sessions at a server. Passwords and codes come from a prompt or the environment.

use serde_json::{Value, json};
use soma_policy::{Code, EnvironmentId, OrgId};

use crate::asking::{can_ask, given, secret};
use crate::context::{Context, person};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;
use crate::session::{Door, Kept};

mod factor;

const CODE: &str = "SOMA_CODE";
const PASSWORD: &str = "SOMA_PASSWORD";
const TOTP: &str = "SOMA_TOTP";

/// Log in to a server
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma login ada --org acme --host https://soma.example.org\n  soma login ada --invited          (take an invitation; its code is asked for)\n  soma login --step-up --org platform\n  soma login --add-factor\n\nSOMA_PASSWORD, SOMA_TOTP and SOMA_CODE answer what would be asked."
)]
pub(crate) struct Login {
    /// The login name; by default the owner of the home whose server it is, else the system's user
    login: Option<String>,
    /// The org that the session is for; may be left out by who belongs to one only
    #[arg(long, value_name = "ORG")]
    org: Option<OrgId>,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    environment: Option<EnvironmentId>,
    /// Be the first person of a new server: with the founding code that it showed
    #[arg(long, group = "how")]
    found: bool,
    /// Take an invitation as somebody new
    #[arg(long, group = "how")]
    invited: bool,
    /// Set a new password with the code that an operator handed over
    #[arg(long, group = "how")]
    reset: bool,
    /// Prove the second factor again, for what asks for a fresh one
    #[arg(long, group = "how")]
    step_up: bool,
    /// Add an authenticator as second factor
    #[arg(long, group = "how")]
    add_factor: bool,
    /// Confirm the authenticator that was added by a script, with its first code
    #[arg(long, group = "how")]
    confirm_factor: bool,
    /// Remove it, with its recovery codes
    #[arg(long, group = "how")]
    remove_factor: bool,
    /// One of the recovery codes in place of the authenticator's
    #[arg(long)]
    recovery: bool,
}

/// End a session at a server
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma logout --org acme")]
pub(crate) struct Logout {
    /// The org that the session is for
    #[arg(long, value_name = "ORG", env = "SOMA_TENANT", default_value = "local")]
    org: OrgId,
}

impl Login {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let base = context.base()?;
        let door = Door::new(context, &base)?;
        let factor = [
            (self.add_factor, factor::begin as fn(&Context, &OrgId) -> Result<(), Failure>),
            (self.confirm_factor, factor::confirm),
            (self.remove_factor, factor::remove),
        ];
        if let Some((_, change)) = factor.into_iter().find(|(asked, _)| *asked) {
            return change(context, &self.org.clone().map_or_else(|| "local".parse(), Ok)?);
        }
        if self.reset {
            return reset(context, &door);
        }
        let kept = if self.step_up {
            block_on(self.step_up(&door))?
        } else if self.found || self.invited {
            self.newcomer(&door)?
        } else {
            self.known(&door)?
        };
        told(context, &kept)
    }

    fn name(&self) -> String {
        self.login.clone().unwrap_or_else(person)
    }

    /// Somebody who has an account.
    fn known(&self, door: &Door<'_>) -> Result<Kept, Failure> {
        // Whoever can read the home of this server is its own person, unless they say who they are.
        let own = if self.login.is_none() { door.own()? } else { None };
        let enter = |body: &Value| match &own {
            Some(_) => block_on(door.log_in_at_home(body)),
            None => block_on(door.log_in(body)),
        };
        let mut body = match &own {
            Some(own) => json!({ "login": own.login, "password": own.password }),
            None => json!({ "login": self.name(), "password": secret(PASSWORD, "password")? }),
        };
        set(&mut body, "org", self.org.as_ref().map(ToString::to_string));
        set(&mut body, "environment", self.environment.as_ref().map(ToString::to_string));
        let field = self.factor_field();
        set(&mut body, field, given(TOTP));
        match enter(&body) {
            Err(failure) if wants_factor(&failure) && given(TOTP).is_none() && can_ask() => {
                set(&mut body, field, Some(secret(TOTP, "code of the second factor")?));
                enter(&body)
            }
            ended => ended,
        }
    }

    /// Somebody new: by the founding code or by an invitation.
    fn newcomer(&self, door: &Door<'_>) -> Result<Kept, Failure> {
        let what = if self.found { "founding code" } else { "code of the invitation" };
        let code = secret(CODE, what)?;
        let (login, name) = (self.name(), self.name());
        let password = secret(PASSWORD, "new password (12 characters or more)")?;
        let person = json!({ "login": login, "name": name, "password": password });
        let body = json!({ "code": code, "person": person });
        if self.found { block_on(door.found(&body)) } else { block_on(door.accept(&body)) }
    }

    async fn step_up(&self, door: &Door<'_>) -> Result<Kept, Failure> {
        let org = self.org.clone().map_or_else(|| "platform".parse(), Ok)?;
        let mut body = json!({});
        set(&mut body, self.factor_field(), Some(secret(TOTP, "code of the second factor")?));
        door.step_up(&org, &body).await
    }

    fn factor_field(&self) -> &'static str {
        if self.recovery { "recovery_code" } else { "totp" }
    }
}

fn wants_factor(failure: &Failure) -> bool {
    failure.code() == Some(Code::SecondFactor)
}

fn set(body: &mut Value, name: &str, value: Option<String>) {
    if let (Some(fields), Some(value)) = (body.as_object_mut(), value) {
        fields.insert(name.to_owned(), Value::String(value));
    }
}

fn reset(context: &Context, door: &Door<'_>) -> Result<(), Failure> {
    let code = secret(CODE, "code of the operator")?;
    let password = secret(PASSWORD, "new password (12 characters or more)")?;
    block_on(door.reset(&json!({ "code": code, "password": password })))?;
    let value = json!({ "reset": true });
    let text = "the password is set; log in with it";
    Ok(context.out.report(&Report::new("soma.login.reset.v1", value, text))?)
}

fn told(context: &Context, kept: &Kept) -> Result<(), Failure> {
    let text = format!("logged in at {} · org {} · until {}", kept.server, kept.org, kept.ends);
    let value = json!({ "server": kept.server, "org": kept.org, "until": kept.ends.to_string() });
    Ok(context.out.report(&Report::new("soma.login.v1", value, text))?)
}

impl Logout {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let base = context.base()?;
        let ended = block_on(Door::new(context, &base)?.log_out(&self.org))?;
        let word = if ended { "logged out" } else { "nobody was logged in" };
        let text = format!("{word} · {base} · org {}", self.org);
        let value = json!({ "server": base, "org": self.org, "ended": ended });
        Ok(context.out.report(&Report::new("soma.logout.v1", value, text))?)
    }
}
