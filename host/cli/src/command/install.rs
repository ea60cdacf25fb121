//! `soma install`: from a marketplace by name; or from a file into the home of a host that follows its files:
//! verified, shown, written.

pub(crate) mod server;
mod sheet;

use std::path::Path;

use serde_json::json;
use soma_capsule::{TrustStore, Verified, verify};
use soma_host::home::Home;
use soma_policy::{CapabilityRef, Code, Installation, InstallationId, InstallationKey, Rate};

use super::token::require_tenant;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::reference::Found;
use crate::spec::{Expanded, bind_secret, expand, to_text};

/// Install a signed capsule
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma install acme/csv@^1.2\n  soma install csv.wasm\n  soma install github.wasm --as issues --budget \"5.00 EUR/day\" --without kv.cache --secret token=github-readonly\n  soma install github.wasm --dry-run"
)]
pub(crate) struct Install {
    /// `PUBLISHER/NAME[@RANGE]` of the marketplace; or a component file with its bundle beside it, an OCI layout
    /// folder, or a digest in the store
    #[arg(value_name = "NAME|FILE|REF")]
    reference: String,
    /// The installation's id; by default the capsule's name
    #[arg(long = "as", value_name = "ID")]
    id: Option<InstallationId>,
    #[command(flatten)]
    place: Place,
    /// What it may spend
    #[arg(long, value_name = "MONEY/PERIOD")]
    budget: Option<Rate>,
    /// Leave out an optional capability (may be repeated)
    #[arg(long, value_name = "CAPABILITY")]
    without: Vec<CapabilityRef>,
    /// Which stored secret a declared one is: `token=github-readonly` (may be repeated)
    #[arg(long = "secret", value_name = "NAME=STORED")]
    secrets: Vec<String>,
    /// Replace an installation of the same capsule
    #[arg(long)]
    replace: bool,
    /// Only show what it would get
    #[arg(long)]
    dry_run: bool,
    /// Accept a capsule signed with this machine's development key
    #[arg(long)]
    dev: bool,
}

impl Install {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some((name, range)) = server::named(&self.reference) {
            return self.at_server(context, &name, &range);
        }
        let home = context.home_or_new()?;
        if home.server()?.is_some() {
            let what = "the host of this home follows a server, not its files";
            return Err(Failure::new(Code::Usage, what)
                .fix("soma capsule submit FILE, then soma install PUBLISHER/NAME"));
        }
        require_tenant(&home, &self.place)?;
        let found = Found::open(context, &self.reference)?;
        let title = found.title.clone();
        let package = found.into_package()?;
        let verified = verify(package.clone(), &trust(&home, self.dev)?, None)?;
        let facts = verified.facts();
        let (tenant, environment) = (self.place.tenant.clone(), self.place.environment.clone());
        let mut expanded = expand(&facts, tenant, environment, &self.without, self.budget)?;
        for binding in &self.secrets {
            bind_secret(&mut expanded.spec, binding)?;
        }
        let key = self.key(&verified)?;
        self.judge(context, &home, &key, &expanded, &verified)?;
        context.out.note(sheet::of(&verified, &expanded));
        self.warn_about_secrets(context, &home, &expanded);
        if self.dry_run {
            return self.told(context, &home, &key, &expanded, "would write");
        }
        let _lock = home.lock_edit()?;
        home.store().put(&package, &title, verified.analysis(), context.now())?;
        self.write(&home, &key, &expanded)?;
        self.told(context, &home, &key, &expanded, "wrote")
    }

    fn key(&self, verified: &Verified) -> Result<InstallationKey, Failure> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => verified.manifest().name.name.parse()?,
        };
        Ok(InstallationKey {
            environment: self.place.environment.clone(),
            id,
            org: self.place.tenant.clone(),
        })
    }

    /// What the host would say of this file, said before it is written.
    fn judge(
        &self,
        context: &Context,
        home: &Home,
        key: &InstallationKey,
        expanded: &Expanded,
        verified: &Verified,
    ) -> Result<(), Failure> {
        let policy =
            home.policy().map_err(|problems| crate::failure::of_problems(context, &problems))?;
        let spec = expanded.spec.clone();
        match Installation::compile(key.id.clone(), spec, &verified.facts(), &policy, 1) {
            Ok(_) => Ok(()),
            Err(denials) => {
                for more in denials.iter().skip(1) {
                    context.out.note(more.to_string());
                }
                Err(denials.first().map_or_else(
                    || Failure::new(Code::InstallationBadValue, "the installation is refused"),
                    Failure::denied,
                ))
            }
        }
    }

    fn warn_about_secrets(&self, context: &Context, home: &Home, expanded: &Expanded) {
        let Ok(secrets) = home.secrets() else { return };
        let scope = soma_host::home::SecretScope {
            org: self.place.tenant.clone(),
            environment: self.place.environment.clone(),
        };
        for grant in expanded.spec.grants.secret.values() {
            if !secrets.contains(&scope, &grant.from) {
                let name = &grant.from;
                context
                    .out
                    .warn(format!("there is no secret `{name}` yet · soma secret set {name}"));
            }
        }
    }

    fn write(
        &self,
        home: &Home,
        key: &InstallationKey,
        expanded: &Expanded,
    ) -> Result<(), Failure> {
        let path = home.layout().installation(key);
        if path.exists() && !self.replace {
            return Err(Failure::new(
                Code::InstallationExists,
                format!("`{}` is installed already", key.id),
            )
            .fix("choose another id with --as, or take its place with --replace"));
        }
        refuse_other_capsule(&path, expanded)?;
        soma_host::home::make_folder(path.parent().unwrap_or(Path::new(".")))?;
        soma_host::home::write_private(&path, to_text(expanded)?.as_bytes())?;
        Ok(())
    }

    fn told(
        &self,
        context: &Context,
        home: &Home,
        key: &InstallationKey,
        expanded: &Expanded,
        verb: &str,
    ) -> Result<(), Failure> {
        let path = home.layout().installation(key);
        let granted = expanded.declared - expanded.left_out.len();
        let text = format!(
            "{verb} {} · {granted} of {} capabilities granted",
            path.display(),
            expanded.declared
        );
        let value = json!({
            "installation": key.to_string(), "file": path, "dry_run": self.dry_run,
            "digest": expanded.spec.digest.to_string(), "granted": granted, "declared": expanded.declared,
            "text": to_text(expanded)?,
        });
        Ok(context.out.report(&Report::new("soma.install.v1", value, text))?)
    }
}

/// The keys that count here; the development key only if asked for.
pub(crate) fn trust(home: &Home, dev: bool) -> Result<TrustStore, Failure> {
    let store = TrustStore::load(&home.layout().publishers())?;
    match crate::devkey::public()? {
        Some(key) if dev => Ok(store.with_development_key(key)),
        _ => Ok(store),
    }
}

fn refuse_other_capsule(path: &Path, expanded: &Expanded) -> Result<(), Failure> {
    let Ok(bytes) = soma_host::home::read_bounded(path, soma_host::installations::FILE_BYTES_MAX)
    else {
        return Ok(());
    };
    let old = soma_host::installations::parse_spec(path, &String::from_utf8_lossy(&bytes));
    match old {
        Ok(old) if old.capsule != expanded.spec.capsule => {
            let what = format!(
                "`{}` holds {}, not {}",
                path.display(),
                old.capsule,
                expanded.spec.capsule
            );
            Err(Failure::new(Code::InstallationExists, what).fix("choose another id with --as"))
        }
        _ => Ok(()),
    }
}
