//! Taking a proposal or a further signature, and making a signed one hold.

use serde_json::json;
use soma_capsule::constitution::{Checked, Constitution, ConstitutionRefusal};
use soma_policy::feed::{ConstitutionNotice, Topic};
use soma_policy::{Digest, PolicySources};

use super::{ConstitutionError, EVENT, PROPOSALS_MAX, SUBJECT, Standing};
use crate::audit::Act;
use crate::server::Server;
use crate::store::{ConstitutionRow, PlatformUnit, StoreError};
use crate::trust::operators;

impl Server {
    /// Takes a proposal, or a further signature of one. `about` is the one that it must be, and that must be
    /// known.
    pub(crate) async fn propose_constitution(
        &self,
        unit: &mut PlatformUnit,
        checked: &Checked,
        about: Option<Digest>,
        actor: &str,
    ) -> Result<Standing, ConstitutionError> {
        // Two that sign at once are merged one after the other.
        unit.lock_deployment().await?;
        let known = unit.constitution_of(checked.digest).await?;
        match about {
            Some(about) if about != checked.digest => {
                return Err(ConstitutionError::Other(checked.digest));
            }
            Some(about) if known.is_none() => {
                return Err(ConstitutionError::Unknown(about.to_string()));
            }
            _ => {}
        }
        let row = self.merge_constitution(unit, checked, known, actor).await?;
        self.standing(row).await
    }

    /// Makes a proposal hold, if enough of the present operators signed it and nothing came in between.
    pub(crate) async fn activate_constitution(
        &self,
        unit: &mut PlatformUnit,
        digest: Digest,
        actor: &str,
    ) -> Result<Standing, ConstitutionError> {
        unit.lock_deployment().await?;
        let row = unit.constitution_of(digest).await?;
        let row = row.ok_or_else(|| ConstitutionError::Unknown(digest.to_string()))?;
        let here = unit.constitution().await?;
        if here.as_ref().is_some_and(|here| here.digest == digest) {
            return self.standing(row).await;
        }
        let checked = operators(&self.trust).await?.check_constitution(row.envelope.as_bytes())?;
        checked.must_be_complete()?;
        checked.document.must_follow(here.map(|it| (it.version, it.digest)))?;
        let row = ConstitutionRow { activated: Some(self.now()), ..row };
        unit.keep_constitution(&row).await?;
        let payload = ConstitutionNotice { envelope: row.envelope.clone() };
        let payload = serde_json::to_value(payload).unwrap_or_default();
        let topic = Topic::Constitution.as_str();
        unit.change(&self.feed(&self.platform, topic, SUBJECT, &payload)).await?;
        let detail = detail(&checked);
        unit.change(&self.event(&self.platform, EVENT, digest, &detail)).await?;
        let act = Act::ConstitutionActivated;
        unit.audit(&self.note(&self.platform, actor, act, digest, &detail)).await?;
        self.standing(row).await
    }

    /// The signatures and the rules; that somebody can judge by it. Not yet whether it is the next one. It takes
    /// time, and is done before a unit begins.
    pub(crate) async fn check_constitution(
        &self,
        bytes: &[u8],
    ) -> Result<Checked, ConstitutionError> {
        let trusted = operators(&self.trust).await?;
        let (bytes, deployment) = (bytes.to_vec(), self.deployment.clone());
        let work = tokio::task::spawn_blocking(move || {
            let checked = trusted.check_constitution(&bytes)?;
            checked.document.must_be_for(&deployment)?;
            checked.document.load(&PolicySources::default())?;
            Ok::<_, ConstitutionRefusal>(checked)
        });
        Ok(work.await.map_err(|error| ConstitutionError::Failed(error.to_string()))??)
    }

    async fn merge_constitution(
        &self,
        unit: &mut PlatformUnit,
        checked: &Checked,
        known: Option<ConstitutionRow>,
        actor: &str,
    ) -> Result<ConstitutionRow, ConstitutionError> {
        let mut envelope = checked.envelope.clone();
        let act = match &known {
            Some(row) => {
                let before = super::stand::envelope(row)?;
                envelope.merge(&before).map_err(ConstitutionRefusal::Document)?;
                if envelope.key_ids().count() == before.key_ids().count() {
                    return Ok(row.clone());
                }
                Act::ConstitutionSigned
            }
            None => {
                self.must_be_next(unit, &checked.document).await?;
                Act::ConstitutionProposed
            }
        };
        let text = String::from_utf8(envelope.to_json());
        let row = ConstitutionRow {
            digest: checked.digest,
            version: checked.document.version,
            envelope: text.map_err(|error| ConstitutionError::Failed(error.to_string()))?,
            put_by: known.as_ref().map_or_else(|| actor.to_owned(), |row| row.put_by.clone()),
            created: known.as_ref().map_or_else(|| self.now(), |row| row.created),
            activated: known.and_then(|row| row.activated),
        };
        unit.keep_constitution(&row).await?;
        let note = self.note(&self.platform, actor, act, row.digest, &detail(checked));
        unit.audit(&note).await?;
        Ok(row)
    }

    async fn must_be_next(
        &self,
        unit: &mut PlatformUnit,
        document: &Constitution,
    ) -> Result<(), ConstitutionError> {
        let here = unit.constitution().await?;
        document.must_follow(here.map(|it| (it.version, it.digest)))?;
        match unit.proposals(document.version).await?.len() {
            waiting if waiting >= PROPOSALS_MAX => Err(ConstitutionError::Crowded(waiting)),
            _ => Ok(()),
        }
    }
}

/// What the record says: keys, and no names of persons.
fn detail(checked: &Checked) -> serde_json::Value {
    let keys: Vec<&str> = checked.envelope.key_ids().collect();
    json!({
        "follows": checked.document.follows, "keys": keys, "needed": checked.needed,
        "signed": checked.persons.len(), "version": checked.document.version.to_string(),
    })
}

impl From<soma_capsule::dsse::DsseError> for ConstitutionError {
    fn from(_: soma_capsule::dsse::DsseError) -> Self {
        StoreError::Corrupt { column: "envelope", expected: "a constitution" }.into()
    }
}
