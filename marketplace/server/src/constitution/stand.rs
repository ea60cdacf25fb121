//! How a constitution stands: its text, who signed it, what it is worth now.

use std::str::FromStr;

use soma_capsule::constitution::{Constitution, DOCUMENT_BYTES_MAX};
use soma_capsule::dsse::Envelope;
use soma_policy::{Digest, KillScope};

use super::{ConstitutionError, SCOPE};
use crate::server::Server;
use crate::store::{ConstitutionRow, PlatformUnit, StoreError};
use crate::trust::operators;

/// A constitution with what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) row: ConstitutionRow,
    pub(crate) document: Constitution,
    /// The keys that signed.
    pub(crate) keys: Vec<String>,
    /// How many of the present operators, as persons, signed it.
    pub(crate) signed: usize,
    /// How many must.
    pub(crate) needed: usize,
}

/// What people call one by: its number, once it held, or its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Version(u64),
    Digest(Digest),
}

impl FromStr for Name {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let version = text.parse().ok().filter(|version: &u64| version.to_string() == text);
        let digest = || text.parse().map(Self::Digest);
        version.map_or_else(
            || digest().map_err(|_| "it is a number such as 3, or sha256: with 64 hex digits"),
            |version| Ok(Self::Version(version)),
        )
    }
}

/// The envelope of a row.
pub(super) fn envelope(row: &ConstitutionRow) -> Result<Envelope, ConstitutionError> {
    Ok(Envelope::from_json_within(row.envelope.as_bytes(), DOCUMENT_BYTES_MAX)?)
}

impl Server {
    /// How a row stands by the operators that are here now.
    pub(crate) async fn standing(
        &self,
        row: ConstitutionRow,
    ) -> Result<Standing, ConstitutionError> {
        let envelope = envelope(&row)?;
        let corrupt = || StoreError::Corrupt { column: "envelope", expected: "a constitution" };
        let document = Constitution::vouched(&envelope).ok_or_else(corrupt)?;
        let keys = envelope.key_ids().map(str::to_owned).collect();
        let trusted = operators(&self.trust).await?;
        let signed = trusted.check_constitution(row.envelope.as_bytes());
        let signed = signed.map_or(0, |checked| checked.persons.len());
        let needed = trusted.operators.needed(&KillScope::Everything);
        Ok(Standing { row, document, keys, signed, needed })
    }

    /// The one that holds.
    pub(crate) async fn current_constitution(&self) -> Result<Option<Standing>, ConstitutionError> {
        let mut unit = self.store.survey(SCOPE).await?;
        match unit.constitution().await? {
            Some(row) => self.standing(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// One by its name.
    pub(crate) async fn constitution_named(
        &self,
        unit: &mut PlatformUnit,
        name: Name,
    ) -> Result<Standing, ConstitutionError> {
        let (row, said) = match name {
            Name::Version(version) => {
                (unit.constitution_version(version).await?, version.to_string())
            }
            Name::Digest(digest) => (unit.constitution_of(digest).await?, digest.to_string()),
        };
        self.standing(row.ok_or(ConstitutionError::Unknown(said))?).await
    }

    /// What is proposed to follow the one that holds.
    pub(crate) async fn constitution_proposals(&self) -> Result<Vec<Standing>, ConstitutionError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let here = unit.constitution().await?.map_or(0, |row| row.version);
        let mut all = Vec::new();
        for row in unit.proposals(here.saturating_add(1)).await? {
            all.push(self.standing(row).await?);
        }
        Ok(all)
    }
}
