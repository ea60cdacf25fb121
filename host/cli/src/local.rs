//! A host in this process on a home of its own: what `capsule run` and `capsule test` call.
//!
//! It is the production host with the production limits, gate and journal; only the home is short-lived
//! and trusts the development key of this machine. Nothing of it outlives the command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use soma_capsule::bundle;
use soma_host::clock::Clock;
use soma_host::home::{Birth, Home, SecretScope, SecretValue, make_folder, write_private};
use soma_host::{CallReply, CallRequest, Host, HostOptions};
use soma_policy::{
    CallScope, Caller, CapabilityRef, Code, EnvironmentId, FunctionName, HostId, InstallationKey,
    Millis, OrgId, SecretName,
};
use tempfile::TempDir;

use crate::context::{Context, random_id};
use crate::failure::Failure;
use crate::project::{Built, Project};
use crate::recorded::Recording;
use crate::spec::{Expanded, expand, to_text};

/// Calls at one time: an author makes one, and its tools some more.
const CALLS_MAX: u32 = 16;

/// How a local host is set up.
#[derive(Debug, Default)]
pub(crate) struct Setup<'a> {
    /// Declared capabilities that are not granted.
    pub(crate) without: Vec<CapabilityRef>,
    /// An installation file instead of granting all that is declared.
    pub(crate) installation: Option<PathBuf>,
    /// Values of secrets, by the name that the grants say.
    pub(crate) secrets: Vec<(String, Vec<u8>)>,
    /// Values of `[config]`.
    pub(crate) config: BTreeMap<String, String>,
    /// Ports on this machine that the guest may reach: the author's own servers.
    pub(crate) loopback: Vec<u16>,
    /// Recorded servers.
    pub(crate) recording: Option<&'a Recording>,
}

/// A host and the one installation on it.
pub(crate) struct Local {
    pub(crate) host: Arc<Host>,
    pub(crate) key: InstallationKey,
    // The home goes away with the value.
    _folder: TempDir,
}

impl Local {
    /// Signs, installs and opens. Takes as long as compiling the component.
    pub(crate) fn start(
        context: &Context,
        project: &Project,
        built: &Built,
        setup: &Setup<'_>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let failed =
            |e: std::io::Error| Failure::new(Code::HomeIo, format!("no temporary folder: {e}"));
        let folder = tempfile::Builder::new().prefix("soma-run-").tempdir().map_err(failed)?;
        let birth = Birth {
            now: context.now(),
            host: HostId::from_u128(random_id()),
            person: "author".to_owned(),
            passphrase: None,
        };
        let (home, _) = Home::open_or_create(&folder.path().join("home"), &birth)?;
        let key = key_of(project)?;
        install(context, &home, &key, project, built, setup)?;
        place_secrets(&home, &key, setup)?;
        if let Some(recording) = setup.recording {
            recording.write_peers(&home.layout().policy())?;
        }
        let host = Host::open(HostOptions {
            home,
            clock,
            compiler: (program()?, "compile-child".to_owned()),
            calls_max: CALLS_MAX,
            queue_max: 16,
            idle: Duration::from_secs(3600),
            journal: None,
            head: None,
            own: Vec::new(),
            guest_threads: 2,
            development: None,
            loopback: setup.loopback.clone(),
            mapped_only: false,
            server: None,
        })?;
        let local = Self { host, key, _folder: folder };
        local.refuse_invalid(context)?;
        Ok(local)
    }

    /// A file that the host would keep back is told here as a host would tell it.
    fn refuse_invalid(&self, context: &Context) -> Result<(), Failure> {
        let snapshot = self.host.snapshot();
        match snapshot.entry(&self.key) {
            Some(entry) if entry.running.is_some() => Ok(()),
            Some(entry) => Err(crate::failure::of_problems(context, &entry.problems)),
            None => Err(Failure::new(Code::InstallationUnknown, "the capsule was not installed")),
        }
    }

    /// Calls a function and waits for its end.
    pub(crate) async fn call(
        &self,
        function: FunctionName,
        arguments: Value,
        timeout: Option<Millis>,
    ) -> CallReply {
        let request = CallRequest {
            caller: caller(&self.key),
            installation: self.key.clone(),
            function,
            arguments,
            id: None,
            timeout,
            stream: false,
        };
        self.host.call(request).await.reply().await
    }
}

fn caller(key: &InstallationKey) -> Caller {
    Caller::new(key.org.clone(), key.environment.clone(), "author", None, CallScope::All)
}

fn key_of(project: &Project) -> Result<InstallationKey, Failure> {
    Ok(InstallationKey {
        environment: "production".parse()?,
        id: project.manifest().name.name.parse()?,
        org: "local".parse()?,
    })
}

fn install(
    context: &Context,
    home: &Home,
    key: &InstallationKey,
    project: &Project,
    built: &Built,
    setup: &Setup<'_>,
) -> Result<(), Failure> {
    let signer = crate::devkey::open_or_create()?;
    let pinned = home.layout().publisher(&project.manifest().name.publisher);
    make_folder(&pinned)?;
    write_private(&pinned.join("development.pub"), signer.public().to_pem().as_bytes())?;
    let package = soma_capsule::UnverifiedPackage {
        component: built.component.clone(),
        bundle: bundle::sign_blob(&built.digest, &signer)?,
    };
    home.store().put(&package, "capsule.wasm", &built.analysis, context.now())?;
    let facts =
        project.manifest().facts(built.digest, signer.public().fingerprint(), &built.analysis);
    let mut expanded = match &setup.installation {
        Some(path) => read_installation(context, path, built)?,
        None => {
            let (org, environment): (OrgId, EnvironmentId) =
                (key.org.clone(), key.environment.clone());
            expand(&facts, org, environment, &setup.without, None)?
        }
    };
    for (name, value) in &setup.config {
        expanded.spec.config.insert(name.parse()?, value.clone());
    }
    let path = home.layout().installation(key);
    write_private(&path, to_text(&expanded)?.as_bytes())?;
    Ok(())
}

/// A tenant's file, but with this build in the place of what it pins.
fn read_installation(
    context: &Context,
    path: &std::path::Path,
    built: &Built,
) -> Result<Expanded, Failure> {
    let bytes = context.read(path, soma_host::installations::FILE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut spec = soma_host::installations::parse_spec(path, &text)
        .map_err(|problem| crate::failure::of_problems(context, &[problem]))?;
    spec.digest = built.digest;
    spec.tenant = "local".parse()?;
    spec.environment = "production".parse()?;
    spec.offer = None;
    Ok(Expanded { declared: spec.grants.list().len(), spec, left_out: Vec::new() })
}

fn place_secrets(home: &Home, key: &InstallationKey, setup: &Setup<'_>) -> Result<(), Failure> {
    let scope = SecretScope { org: key.org.clone(), environment: key.environment.clone() };
    let store = home.secrets()?;
    for (name, value) in &setup.secrets {
        let name: SecretName = name.parse()?;
        store.set(&scope, &name, &SecretValue::new(value.clone())?)?;
    }
    Ok(())
}

/// This program: the host starts it again to compile.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|e| Failure::new(Code::HostFailure, format!("this program cannot be found: {e}")))
}
