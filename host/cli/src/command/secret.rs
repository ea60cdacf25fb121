//! `soma secret set|list|remove`: values come from standard input or a prompt, never from the command line.
//! They are kept by the server if there is one, else in the home.

mod server;

pub(crate) use server::body;

use std::io::{IsTerminal, Read};

use serde_json::{Value, json};
use soma_host::home::{Home, SecretScope, SecretValue};
use soma_policy::{Code, SecretName};
use zeroize::Zeroizing;

use super::token::require_tenant;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, Table};

pub(crate) const HELP: &str = "Example:\n  soma secret set github-readonly < token.txt";

/// Keep secrets that the host places into requests
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Secret {
    Set(Set),
    List(List),
    Remove(Remove),
}

/// Store a value under a name
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma secret set github-readonly < token.txt\n  soma secret set github-readonly      (asks, without showing it)\n\nThe value is read from standard input or a prompt, never from the command line."
)]
pub(crate) struct Set {
    /// The name that grants refer to (`from = \"NAME\"`)
    name: SecretName,
    #[command(flatten)]
    place: Place,
}

/// List the names; values are never shown
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma secret list --tenant local")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// Forget a value
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma secret remove github-readonly --yes")]
pub(crate) struct Remove {
    /// The name
    name: SecretName,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Secret {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Set(set) => set.run(context),
            Self::List(list) => list.run(context),
            Self::Remove(remove) => remove.run(context),
        }
    }
}

impl Set {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if server::is_asked(context, &self.place)? {
            let value = SecretValue::new(read_value(&self.name)?)?;
            let stored = server::set(context, &self.place, &self.name, value.expose())?;
            return Ok(context.out.report(&stored)?);
        }
        let home = context.home_or_new()?;
        require_tenant(&home, &self.place)?;
        let value = SecretValue::new(read_value(&self.name)?)?;
        let _lock = home.lock_edit()?;
        home.secrets()?.set(&scope(&self.place), &self.name, &value)?;
        let users = users(&home, &self.place, &self.name);
        let used = if users.is_empty() {
            "used by none yet".to_owned()
        } else {
            format!("used by {}", users.join(", "))
        };
        let text = format!("stored {} · {used}", self.name);
        let value = json!({ "name": self.name.to_string(), "used_by": users });
        Ok(context.out.report(&Report::new("soma.secret.v1", value, text))?)
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if server::is_asked(context, &self.place)? {
            return Ok(context.out.report(&server::list(context, &self.place)?)?);
        }
        let home = context.home()?;
        let mut table = Table::new(&["name", "used by"]);
        let mut items = Vec::new();
        for name in home.secrets()?.list(&scope(&self.place))? {
            let users = users(&home, &self.place, &name);
            table.row([name.to_string(), users.join(", ")]);
            items.push(json!({ "name": name.to_string(), "used_by": users }));
        }
        let report = Report::new(
            "soma.secrets.v1",
            json!({ "items": items }),
            table.text("no secrets · soma secret set NAME stores one"),
        );
        Ok(context.out.report(&report)?)
    }
}

impl Remove {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if server::is_asked(context, &self.place)? {
            let users = server::users(context, &self.place, &self.name)?;
            self.ask(&users)?;
            let removed = server::remove(context, &self.place, &self.name)?;
            return Ok(context.out.report(&removed)?);
        }
        let home = context.home()?;
        let users = users(&home, &self.place, &self.name);
        let secrets = home.secrets()?;
        if !secrets.contains(&scope(&self.place), &self.name) {
            return Err(Failure::new(
                Code::NotFound,
                format!("there is no secret `{}`", self.name),
            ));
        }
        self.ask(&users.join(", "))?;
        let _lock = home.lock_edit()?;
        secrets.remove(&scope(&self.place), &self.name)?;
        let value = json!({ "name": self.name.to_string(), "removed": true });
        let text = format!("removed {}", self.name);
        Ok(context.out.report(&Report::new("soma.secret.v1", value, text))?)
    }
}

impl Remove {
    fn ask(&self, users: &str) -> Result<(), Failure> {
        let warning =
            if users.is_empty() { String::new() } else { format!(" It is used by {users}.") };
        self.consent.require(&format!("Remove secret {}?{warning}", self.name))
    }
}

fn scope(place: &Place) -> SecretScope {
    SecretScope { org: place.tenant.clone(), environment: place.environment.clone() }
}

/// Reads the value; the one line break that editors and `echo` add is not part of it.
fn read_value(name: &SecretName) -> Result<Vec<u8>, Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(Code::FileNotFound, format!("the value cannot be read: {e}"))
    };
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("Value of {name}: "))
            .map(String::into_bytes)
            .map_err(failed);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().take(64 * 1024 + 2).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(std::mem::take(&mut *bytes))
}

/// Installations whose grants take this secret: `issues (secret.token)`.
fn users(home: &Home, place: &Place, name: &SecretName) -> Vec<String> {
    let folder = home
        .layout()
        .installations()
        .join(place.tenant.to_string())
        .join(place.environment.to_string());
    let mut users = Vec::new();
    for file in soma_host::installations::files_in(&folder).unwrap_or_default() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let Ok(value) = toml::from_str::<Value>(&text) else { continue };
        let id = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(grants) = value.pointer("/grants/secret").and_then(Value::as_object) else {
            continue;
        };
        for (capability, grant) in grants {
            if grant.get("from").and_then(Value::as_str) == Some(name.as_str()) {
                users.push(format!("{id} (secret.{capability})"));
            }
        }
    }
    users
}
