//! `soma uninstall ID`: removes an installation's file, and what it kept if that is asked for.
//!
//! A running host takes the removal over by itself and ends the calls. What was kept is removed by that host,
//! or by this command if no host runs on the home: never behind a host's back.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use soma_host::home::{Home, HomeError};
use soma_host::purge_at_rest;
use soma_host::token::Scope;
use soma_policy::{Code, InstallationId, InstallationKey};

use crate::client::Access;
use crate::confirm::Consent;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;
use crate::session::Door;

/// How long a running host may take to take the removal over.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits before it asks again.
const AGAIN: Duration = Duration::from_millis(100);

/// Remove an installation; its running calls end
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma uninstall issues --yes\n  soma uninstall notes --purge --yes      (key-value entries and files go too)\n\nWithout --purge an installation that comes back under its id finds what it had kept."
)]
pub(crate) struct Uninstall {
    /// The installation
    installation: InstallationId,
    /// Also remove what it kept: key-value entries and files
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    consent: Consent,
}

impl Uninstall {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        if !self.purge && Door::new(context, &context.base()?)?.is_open_for(&self.place.tenant)? {
            self.consent.require(&format!("Uninstall {}?", self.installation))?;
            return super::install::server::remove(context, &self.place, &self.installation);
        }
        let home = context.home()?;
        let key = InstallationKey {
            environment: self.place.environment.clone(),
            id: self.installation.clone(),
            org: self.place.tenant.clone(),
        };
        let path = home.layout().installation(&key);
        // What was kept may be removed later than the installation.
        if !path.exists() && !self.purge {
            let what = format!("there is no installation `{key}`");
            return Err(Failure::new(Code::InstallationUnknown, what).fix("soma list"));
        }
        let kept = if self.purge { ", and remove what it kept for good" } else { "" };
        self.consent.require(&format!("Uninstall {key}{kept}?"))?;
        let removed = {
            let _lock = home.lock_edit()?;
            soma_host::home::remove(&path)?
        };
        let purged = if self.purge { Some(self.purge(context, &home, &key)?) } else { None };
        let words =
            if removed { format!("uninstalled {key}") } else { format!("{key} was not installed") };
        let text = match &purged {
            Some(value) => format!("{words} · {}", told(value)),
            None => words,
        };
        let value =
            json!({ "installation": key.to_string(), "removed": removed, "purged": purged });
        Ok(context.out.report(&Report::new("soma.uninstall.v1", value, text))?)
    }

    fn purge(
        &self,
        context: &Context,
        home: &Home,
        key: &InstallationKey,
    ) -> Result<Value, Failure> {
        match home.lock_host() {
            Ok(lock) => {
                let purged = purge_at_rest(home, &lock, key);
                let purged = purged.map_err(|e| Failure::new(e.code(), e.to_string()))?;
                Ok(json!({ "kv_entries": purged.kv_entries.to_string(), "files": purged.files }))
            }
            Err(HomeError::InUse { .. }) => self.purge_by_host(context),
            Err(other) => Err(other.into()),
        }
    }

    /// Asks the running host until it has taken over that the installation is gone.
    fn purge_by_host(&self, context: &Context) -> Result<Value, Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::Operate]);
        let route = format!("/v1/installations/{}/data", self.installation);
        let since = Instant::now();
        block_on(async {
            loop {
                match client.put(Method::DELETE, &route, &access, &Value::Null).await {
                    Err(failure)
                        if matches!(failure.code(), Some(Code::Exists | Code::Busy))
                            && since.elapsed() < PATIENCE =>
                    {
                        tokio::time::sleep(AGAIN).await;
                    }
                    other => return other,
                }
            }
        })
    }
}

fn told(purged: &Value) -> String {
    let entries = purged.get("kv_entries").and_then(Value::as_str).unwrap_or("0");
    let files = purged.get("files").and_then(Value::as_bool).unwrap_or_default();
    let files = if files { "its files" } else { "no files" };
    format!("removed {entries} key-value entries and {files}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_is_told() {
        let value = json!({ "kv_entries": "3", "files": true });
        assert_eq!(told(&value), "removed 3 key-value entries and its files");
    }
}
