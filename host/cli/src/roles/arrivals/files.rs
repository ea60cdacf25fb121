//! Installation files of a home that joined its server: the same capsule, rights, limits and budget, now kept there.
//!
//! A file that was brought in is moved to `state/imported/`, so that what its tenant does at the server later is never
//! undone by it. Stored values of secrets that it names go along, sealed by the server. Key-value data and files stay
//! where they are: they belong to the same installation on the same host.

use std::path::{Path, PathBuf};

use soma_capsule::TrustStore;
use soma_host::home::{Home, SecretScope, make_folder, read_bounded};
use soma_host::installations::{FILE_BYTES_MAX, all_files, parse_spec};
use soma_policy::{CapsuleName, Code, Digest, InstallationKey, InstallationSpec, OfferSpec};

use super::Arrivals;
use super::publish::{Landed, Parcel, waits};
use crate::client::{Ask, ServerClient};
use crate::command::install::server::{field, unfit};
use crate::command::list::word;
use crate::command::secret;
use crate::failure::Failure;

impl Arrivals {
    /// Brings in every file that can be, and says of the others why not.
    pub(super) async fn files(&self, login: &str) -> Result<(), Failure> {
        let layout = self.home.layout();
        let found = all_files(&layout.installations())?;
        if found.files.is_empty() {
            return Ok(());
        }
        let trust = TrustStore::load(&layout.publishers())
            .map_err(|error| Failure::new(error.code(), Failure::chain(&error)))?;
        for (key, path) in &found.files {
            match self.file(login, key, path, &trust).await {
                Ok(capsule) => {
                    move_away(&self.home, key, path)?;
                    self.context.out.note(format!("  imported {key} ({capsule})"));
                }
                Err(failure) => {
                    let line = format!("not imported: {key}: {}", failure.line());
                    self.context.out.warn(line);
                }
            }
        }
        Ok(())
    }

    async fn file(
        &self,
        login: &str,
        key: &InstallationKey,
        path: &Path,
        trust: &TrustStore,
    ) -> Result<String, Failure> {
        let spec = read(key, path)?;
        let tenant = self.client(login, &key.org, &key.environment).await?;
        if let Some(there) = tenant.find(&format!("/v1/installations/{}", key.id)).await? {
            return same(&there.value, &spec);
        }
        let stored = self.home.store().get(&spec.digest)?;
        let package = stored.ok_or_else(|| {
            let what = format!("{} is not in the home's store", spec.digest);
            Failure::new(Code::CapsuleMissing, what).fix("soma install FILE puts it there")
        })?;
        let parcel = Parcel::verified(package, None, trust)?;
        if let Landed::Waits { state, submission } = self.publish(login, &parcel, trust).await? {
            return Err(waits(&state, &submission));
        }
        self.secrets(&tenant, key, &spec).await?;
        install(&tenant, key, spec, &parcel).await?;
        Ok(format!("{}@{}", parcel.name, parcel.version))
    }

    /// Values that the grants name and the server does not have.
    async fn secrets(
        &self,
        tenant: &ServerClient<'_>,
        key: &InstallationKey,
        spec: &InstallationSpec,
    ) -> Result<(), Failure> {
        let scope = SecretScope { org: key.org.clone(), environment: key.environment.clone() };
        let store = self.home.secrets()?;
        for grant in spec.grants.secret.values() {
            let path = format!("/v1/secrets/{}", grant.from);
            if tenant.find(&path).await?.is_some() {
                continue;
            }
            if let Some(value) = store.get(&scope, &grant.from)? {
                tenant.send(Ask::put(&path, &secret::body(value.expose()))).await?;
            }
        }
        Ok(())
    }
}

fn read(key: &InstallationKey, path: &Path) -> Result<InstallationSpec, Failure> {
    let bytes = read_bounded(path, FILE_BYTES_MAX)?;
    let spec = parse_spec(path, &String::from_utf8_lossy(&bytes))
        .map_err(|problem| Failure::new(problem.code, problem.to_string()))?;
    if spec.tenant != key.org || spec.environment != key.environment {
        let what = "tenant and environment of the file are not those of its place";
        return Err(Failure::new(Code::InstallationPlace, what));
    }
    Ok(spec)
}

/// What is there under the id has to be what the file says: it was brought in, and only the file was left.
fn same(there: &serde_json::Value, spec: &InstallationSpec) -> Result<String, Failure> {
    let digest: Option<Digest> = field(there, "/active/digest").ok();
    let capsule: CapsuleName = field(there, "/capsule")?;
    if digest == Some(spec.digest) && capsule == spec.capsule {
        return Ok(format!("{capsule}@{}", word(there.pointer("/active/version"))));
    }
    let what = format!("the server has an installation of that id: {capsule}");
    Err(Failure::new(Code::Exists, what).fix("move the file away, or give it another name"))
}

async fn install(
    tenant: &ServerClient<'_>,
    key: &InstallationKey,
    mut spec: InstallationSpec,
    parcel: &Parcel,
) -> Result<(), Failure> {
    let page =
        tenant.get(&format!("/v1/capsules/{}/versions/{}", parcel.name, parcel.version)).await?;
    spec.offer = Some(OfferSpec { digest: field(&page, "/offer")? });
    let spec = serde_json::to_value(&spec).map_err(unfit)?;
    let route = format!("/v1/installations?id={}", key.id);
    let planned = tenant.send(Ask::post(format!("{route}&dry_run=true"), &spec)).await?.value;
    let plan = word(planned.get("plan"));
    tenant.send(Ask::post(format!("{route}&plan={plan}"), &spec)).await?;
    Ok(())
}

/// `state/imported/TENANT/ENV/ID.toml`.
fn move_away(home: &Home, key: &InstallationKey, path: &Path) -> Result<PathBuf, Failure> {
    let folder = home.layout().state().join("imported");
    let folder = folder.join(key.org.as_str()).join(key.environment.as_str());
    make_folder(&folder)?;
    let to = folder.join(format!("{}.toml", key.id));
    std::fs::rename(path, &to).map_err(|error| {
        let what = format!("`{}` cannot be moved: {error}", path.display());
        Failure::new(Code::HomeIo, what)
    })?;
    Ok(to)
}
