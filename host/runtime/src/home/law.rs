//! By which policy this home judges: the constitution that its server brought, or its own folder.
//!
//! A constitution counts once enough of this home's operators signed it, if it is for this deployment and
//! newer than the one before. From then on it takes the place of the folder's `*.cedar` files and
//! `limits.toml`; `peers.toml` and where the machine is stay the machine's own. It is kept in the home: a
//! server can put a newer one in its place and never take it away.

use std::sync::Arc;

use parking_lot::Mutex;
use soma_capsule::constitution::{Constitution, ConstitutionRefusal, DOCUMENT_BYTES_MAX};
use soma_capsule::dsse::Envelope;
use soma_capsule::kill::Trusted;
use soma_policy::feed::ConstitutionNotice;
use soma_policy::{Code, Digest, OperatorPolicy, PolicySources, RegionId};

use super::{HomeError, Layout, Server, Settings, file, load_policy, read_policy_folder};
use crate::installations::FileProblem;

/// The law of one home.
#[derive(Debug)]
pub(crate) struct Law {
    layout: Layout,
    /// The server's name; none for a home that is run from its files.
    deployment: Option<String>,
    /// Where this machine stands.
    region: Option<RegionId>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    document: Option<Arc<Constitution>>,
    /// What the server told last, if it is not taken: it is looked at again when the operators change.
    waits: Option<(Arc<ConstitutionNotice>, FileProblem)>,
}

/// Why a constitution is not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Document(#[from] ConstitutionRefusal),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("{0}")]
    Own(FileProblem),
}

impl Law {
    /// Reads what was taken before. Whoever wrote it had proven it; damage is an error, as the folder may allow
    /// more.
    ///
    /// # Errors
    /// When the file is there and is no constitution.
    pub(crate) fn open(layout: &Layout, deployment: Option<&str>) -> Result<Self, HomeError> {
        let path = layout.constitution();
        let document = match file::read_if_there(&path, DOCUMENT_BYTES_MAX as u64)? {
            None => None,
            Some(bytes) => {
                let envelope = Envelope::from_json_within(&bytes, DOCUMENT_BYTES_MAX).ok();
                let document = envelope.as_ref().and_then(Constitution::vouched);
                let damaged = || {
                    let what = "this is no constitution; bring it back from a backup, or delete it and enrol the host again";
                    HomeError::Malformed { path: path.clone(), what: what.to_owned() }
                };
                Some(Arc::new(document.ok_or_else(damaged)?))
            }
        };
        let held = Mutex::new(Held { document, waits: None });
        let deployment = deployment.map(str::to_owned);
        Ok(Self { layout: layout.clone(), deployment, region: region_of(layout)?, held })
    }

    /// The constitution that holds here.
    pub(crate) fn constitution(&self) -> Option<Arc<Constitution>> {
        self.held.lock().document.clone()
    }

    /// What this home judges by.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub(crate) fn policy(&self) -> Result<OperatorPolicy, Vec<FileProblem>> {
        let folder = self.layout.policy();
        let own = self.own()?;
        match self.constitution() {
            None => load_policy(&folder, &own),
            Some(document) => load_policy(&folder, &document.over(&own)),
        }
    }

    /// The machine's own files, and where it stands.
    fn own(&self) -> Result<PolicySources, Vec<FileProblem>> {
        let own = read_policy_folder(&self.layout.policy())?;
        Ok(PolicySources { region: self.region.clone(), ..own })
    }

    /// What is wrong with what the server told last.
    pub(crate) fn problem(&self) -> Option<FileProblem> {
        self.held.lock().waits.as_ref().map(|(_, problem)| problem.clone())
    }

    /// Takes what the server tells, if it may; what may not is kept beside and named as a problem. True if
    /// another one holds from now on.
    pub(crate) fn take(&self, notice: Arc<ConstitutionNotice>, trusted: &Trusted) -> bool {
        let mut held = self.held.lock();
        match self.judge(&held, &notice, trusted) {
            Ok(taken) => {
                held.waits = None;
                let changed = taken.is_some();
                held.document = taken.or(held.document.take());
                changed
            }
            Err(refused) => {
                let what = format!("the server's constitution is not taken: {refused}");
                tracing::error!("{what}");
                let problem = FileProblem::new(refused.code(), &self.layout.constitution(), what);
                held.waits = Some((notice, problem));
                false
            }
        }
    }

    /// Looks again at what was not taken: by other operators it may be.
    pub(crate) fn again(&self, trusted: &Trusted) {
        let waits = self.held.lock().waits.as_ref().map(|(notice, _)| Arc::clone(notice));
        if let Some(notice) = waits {
            self.take(notice, trusted);
        }
    }

    /// The constitution to take over; none if it is the one that holds.
    fn judge(
        &self,
        held: &Held,
        notice: &ConstitutionNotice,
        trusted: &Trusted,
    ) -> Result<Option<Arc<Constitution>>, Refused> {
        let bytes = notice.envelope.as_bytes();
        let told = Envelope::from_json_within(bytes, DOCUMENT_BYTES_MAX);
        let told = told.map_err(ConstitutionRefusal::from)?;
        let here = held.document.as_ref();
        // The one that holds goes on holding, whoever operates this home by now.
        if here.is_some_and(|it| it.digest() == Digest::of(told.unverified_payload())) {
            return Ok(None);
        }
        let checked = trusted.check_constitution(bytes)?;
        checked.must_be_complete()?;
        let document = checked.document;
        document.must_be_for(self.deployment.as_deref().unwrap_or_default())?;
        if let Some(here) = here.filter(|here| document.version <= here.version) {
            let (found, here) = (document.version, here.version);
            return Err(ConstitutionRefusal::Stale { found, here }.into());
        }
        let own = self.own().map_err(first)?;
        document.load(&own)?;
        file::write_private(&self.layout.constitution(), &checked.envelope.to_json())?;
        Ok(Some(Arc::new(document)))
    }
}

/// Where a machine stands: as it said when it joined its server, or as `host.toml` says. Two answers are none.
fn region_of(layout: &Layout) -> Result<Option<RegionId>, HomeError> {
    let own = Settings::load(layout)?.region;
    let Some(server) = Server::load(layout)? else { return Ok(own) };
    match own.filter(|own| server.region.as_ref() != Some(own)) {
        None => Ok(server.region),
        Some(own) => {
            let joined = server.region.map_or("none".to_owned(), |it| format!("`{it}`"));
            let what = format!(
                "region `{own}`, but this host joined its server with {joined}; enrol it again"
            );
            Err(HomeError::Malformed { path: layout.settings(), what })
        }
    }
}

impl Refused {
    fn code(&self) -> Code {
        match self {
            Self::Document(refused) => refused.code(),
            Self::Home(error) => error.code(),
            Self::Own(problem) => problem.code,
        }
    }
}

fn first(mut problems: Vec<FileProblem>) -> Refused {
    let none = FileProblem::new(Code::PolicySyntax, std::path::Path::new("policy"), "unreadable");
    Refused::Own(if problems.is_empty() { none } else { problems.remove(0) })
}
