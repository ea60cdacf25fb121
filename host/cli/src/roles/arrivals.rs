//! What comes into the marketplace of `soma up` from beside it: the installation files of a home that joined, and the
//! catalogue that lies beside the program.
//!
//! Both take the way of everybody: submitted, examined, watched, judged by the rules, installed by a plan. What the rules
//! do not let through waits for a person, and is tried again at the next start. Publisher names that are free come to
//! the org of the home's owner; what asks for two factors is not done here.

mod catalogue;
mod files;
mod publish;

use std::path::{Path, PathBuf};

use soma_host::home::Home;
use soma_policy::{EnvironmentId, OrgId};
use soma_server::{BesideError, Server};

use super::founding::Credentials;
use crate::client::ServerClient;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::local::program;

/// Where the catalogue lies, seen from the folder of the program.
const BESIDE: &str = "../share/soma/capsules";

/// Which catalogue is published.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CatalogueFlags {
    /// With --join: publish the signed capsules of this folder; by default those that lie beside the program
    #[arg(long, value_name = "DIR", env = "SOMA_CATALOGUE", conflicts_with = "no_catalogue")]
    catalogue: Option<PathBuf>,
    /// Begin with an empty marketplace
    #[arg(long)]
    no_catalogue: bool,
}

impl CatalogueFlags {
    /// The folder, if there is one. One that was named has to be there.
    fn folder(&self) -> Result<Option<PathBuf>, Failure> {
        if self.no_catalogue {
            return Ok(None);
        }
        if let Some(named) = &self.catalogue {
            return Ok(Some(named.clone()));
        }
        let beside = program()?.parent().map(|folder| folder.join(BESIDE));
        Ok(beside.filter(|folder| folder.is_dir()))
    }
}

/// The marketplace, and in whose name things come into it.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) context: Context,
    pub(super) home: Home,
    pub(super) server: Server,
    /// The server's address.
    pub(super) url: String,
}

impl Arrivals {
    /// Brings in what is there, and says what came and what did not. Nothing of it keeps the host from running.
    pub(super) async fn all(self, flags: CatalogueFlags) {
        let told = async {
            let Some(owner) = Credentials::load(&self.home)? else { return Ok(()) };
            self.files(&owner.login).await?;
            match flags.folder()? {
                Some(folder) => self.catalogue(&owner.login, &folder).await,
                None => Ok(()),
            }
        };
        if let Err(failure) = told.await {
            self.context.out.warn(failure.line());
        }
    }

    /// The owner of the home, acting for an org for the next minutes.
    async fn client(
        &self,
        login: &str,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<ServerClient<'_>, Failure> {
        let pass = self.server.pass(login, org, environment).await.map_err(refused)?;
        ServerClient::with_token(&self.context, &self.url, org, pass.expose())
    }

    /// The same for the org of the home, which publishes what comes.
    async fn publisher(&self, login: &str) -> Result<ServerClient<'_>, Failure> {
        let Place { tenant, environment } = Place::of_home()?;
        self.client(login, &tenant, &environment).await
    }
}

fn refused(error: BesideError) -> Failure {
    let code = error.code();
    Failure::new(code, error.to_string()).fix(code.entry().remedy)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_catalogue_is_taken_and_none_is_none() {
        let flags = |catalogue: Option<&str>, no_catalogue| CatalogueFlags {
            catalogue: catalogue.map(PathBuf::from),
            no_catalogue,
        };
        assert_eq!(flags(Some("/x"), false).folder().unwrap(), Some(PathBuf::from("/x")));
        assert_eq!(flags(None, true).folder().unwrap(), None);
    }
}
