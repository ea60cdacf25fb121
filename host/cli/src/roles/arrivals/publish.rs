//! One signed capsule on its way into the catalogue.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::Version;
use serde_json::{Value, json};
use soma_capsule::{TrustStore, UnverifiedPackage, verify};
use soma_policy::{CapsuleName, Code, Digest};

use super::{Arrivals, refused};
use crate::client::{Ask, ServerClient};
use crate::command::install::server::field;
use crate::command::list::word;
use crate::context::Place;
use crate::failure::Failure;

/// How long the examination of one capsule may take, and how often is looked.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(200);

/// A capsule whose signature was verified with the keys that come along with it.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) name: CapsuleName,
    pub(super) version: Version,
    pub(super) digest: Digest,
    component: Vec<u8>,
    bundle: Vec<u8>,
    sbom: Option<Vec<u8>>,
}

/// Where a capsule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landed {
    /// It was published now.
    Now,
    /// It was published before.
    Before,
    /// This version is published with other content.
    Other,
    /// It waits for a person, or was refused.
    Waits {
        /// Where its submission is.
        state: String,
        /// Its id.
        submission: String,
    },
}

impl Parcel {
    pub(super) fn verified(
        package: UnverifiedPackage,
        sbom: Option<Vec<u8>>,
        trust: &TrustStore,
    ) -> Result<Self, Failure> {
        let UnverifiedPackage { component, bundle } = package.clone();
        let verified = verify(package, trust, None).map_err(|error| {
            let remedy = error.remedy();
            Failure::new(error.code(), error.to_string()).fix(remedy)
        })?;
        let facts = verified.facts();
        let (name, version, digest) = (facts.name, facts.version, facts.digest);
        Ok(Self { name, version, digest, component, bundle, sbom })
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "component": STANDARD.encode(&self.component), "bundle": STANDARD.encode(&self.bundle),
        });
        if let (Some(sbom), Some(fields)) = (&self.sbom, body.as_object_mut()) {
            fields.insert("sbom".to_owned(), Value::String(STANDARD.encode(sbom)));
        }
        body
    }
}

impl Arrivals {
    /// Publishes it unless it is there already; waits until the rules have judged.
    pub(super) async fn publish(
        &self,
        login: &str,
        parcel: &Parcel,
        trust: &TrustStore,
    ) -> Result<Landed, Failure> {
        let client = self.publisher(login).await?;
        let Parcel { name, version, digest, .. } = parcel;
        if let Some(found) = client.find(&format!("/v1/capsules/{name}/versions/{version}")).await?
        {
            let theirs: Digest = field(&found.value, "/release/digest")?;
            return Ok(if theirs == *digest { Landed::Before } else { Landed::Other });
        }
        let org = Place::of_home()?.tenant;
        let keys = trust.keys(&name.publisher);
        self.server.entitle(login, &org, &name.publisher, keys).await.map_err(refused)?;
        let submission = match submitted(&client, digest).await? {
            Some(submission) => submission,
            None => {
                let made = client.send(Ask::post("/v1/submissions", &parcel.body())).await?;
                word(made.value.get("submission"))
            }
        };
        judged(&client, submission).await
    }
}

/// The submission of this content that is on its way already.
async fn submitted(client: &ServerClient<'_>, digest: &Digest) -> Result<Option<String>, Failure> {
    let all = client.list("/v1/submissions").await?;
    let ours = all.iter().find(|it| {
        word(it.get("digest")) == digest.to_string() && word(it.get("state")) != "replaced"
    });
    Ok(ours.map(|it| word(it.get("submission"))))
}

async fn judged(client: &ServerClient<'_>, submission: String) -> Result<Landed, Failure> {
    let since = Instant::now();
    loop {
        let now = client.get(&format!("/v1/submissions/{submission}")).await?;
        let state = word(now.get("state"));
        match state.as_str() {
            "published" => return Ok(Landed::Now),
            "submitted" | "verifying" if since.elapsed() < PATIENCE => {
                tokio::time::sleep(AGAIN).await;
            }
            _ => return Ok(Landed::Waits { state, submission }),
        }
    }
}

/// Why what waits does not come, and what lets it.
pub(super) fn waits(state: &str, submission: &str) -> Failure {
    let what = format!("submission {submission} is {state}");
    Failure::new(Code::ApprovalMissing, what)
        .fix(format!("somebody else who reviews looks at it: soma review show {submission}"))
}
