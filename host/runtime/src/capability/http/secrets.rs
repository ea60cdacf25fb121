//! Secrets that one http entry carries: fetched when a request is sent, forgotten when its response head is there.
//!
//! Only a request that the named entry allowed gets here, and that entry is an exact https origin. The guest never holds
//! the value; a denial names the secret and the place, never what is in it.

use futures::future::BoxFuture;
use http::HeaderName;
use soma_policy::{
    CapabilityRef, Code, Denial, InstallationKey, Layer, SecretName, SecretPlace, SecretSlot,
};
use zeroize::Zeroizing;

use super::client::HttpClient;
use super::headers;
use super::place::{self, Spot};
use crate::gate::Gate;

/// Where values come from: the sealed files of a home, or a vault.
///
/// Another implementation answers for one owner and one name, wipes what it no longer needs, and never says a value in
/// an error.
pub(crate) trait SecretSource: Send + Sync + 'static {
    /// The value that the owner's tenant stored under `name` in the owner's environment; none if there is none.
    fn reveal<'a>(
        &'a self,
        owner: &'a InstallationKey,
        name: &'a SecretName,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SecretUnavailable>>;
}

/// A value that is there but cannot be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret's value cannot be opened")]
pub(crate) struct SecretUnavailable;

/// No value at all.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoSecrets;

#[cfg(test)]
impl SecretSource for NoSecrets {
    fn reveal<'a>(
        &'a self,
        _owner: &'a InstallationKey,
        _name: &'a SecretName,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SecretUnavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// Where a secret of this installation goes.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    capability: CapabilityRef,
    /// The name that the tenant stored the value under.
    from: SecretName,
    /// None for a header that is the host's own: then every request is refused rather than sent without.
    spot: Option<Spot>,
    format: Box<str>,
}

/// A value on its way into one request.
pub(crate) struct Revealed {
    pub(crate) spot: Spot,
    capability: CapabilityRef,
    value: Zeroizing<Vec<u8>>,
    text: Zeroizing<Vec<u8>>,
}

impl Placement {
    /// The rule as the host uses it.
    pub(crate) fn new(capability: CapabilityRef, from: SecretName, place: &SecretPlace) -> Self {
        let spot = match &place.slot {
            SecretSlot::Header(name) => {
                let name =
                    name.parse::<HeaderName>().ok().filter(|name| !headers::is_forbidden(name));
                name.map(Spot::Header)
            }
            SecretSlot::Query(name) => Some(Spot::Query(name.to_string())),
            SecretSlot::Body(name) => Some(Spot::Body(name.to_string())),
        };
        Self { capability, from, spot, format: place.format.clone() }
    }

    /// The header field that the host writes, which is then forbidden to the guest.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        match &self.spot {
            Some(Spot::Header(name)) => Some(name),
            _ => None,
        }
    }

    pub(crate) async fn reveal(
        &self,
        gate: &Gate,
        client: &HttpClient,
    ) -> Result<Revealed, Denial> {
        let spot = self.spot.clone().ok_or_else(|| self.unplaceable())?;
        let owner = &gate.running().installation.key;
        let found = client.secrets.reveal(owner, &self.from).await;
        let found = found.map_err(|error| self.missing(&error.to_string()))?;
        let value = found.ok_or_else(|| self.missing("the tenant has not stored a value"))?;
        let text = place::formatted(&self.format, &value);
        Ok(Revealed { spot, capability: self.capability.clone(), value, text })
    }

    fn unplaceable(&self) -> Denial {
        let operation = format!("place secret `{}`", self.from);
        Denial::new(
            Code::SecretPlace,
            Layer::Manifest,
            operation,
            "the header it goes into is the host's own",
        )
        .on(self.capability.clone())
    }

    fn missing(&self, reason: &str) -> Denial {
        let operation = format!("place secret `{}`", self.from);
        Denial::new(Code::SecretMissing, Layer::Grant, operation, reason)
            .on(self.capability.clone())
            .fix(format!("soma secret set {}", self.from))
    }
}

impl Revealed {
    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn denial(&self, operation: String, reason: String) -> Denial {
        Denial::new(Code::SecretPlace, Layer::Manifest, operation, reason)
            .on(self.capability.clone())
    }
}
