//! One key per org, drawn when its first secret is set and kept sealed by the server's own key. What
//! was sealed for one org, environment, name and version opens for nothing else.

use aws_lc_rs::rand;
use soma_policy::OrgId;
use zeroize::Zeroizing;

use super::SecretError;
use crate::identity::Sealer;
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, SecretPlace};

const SCOPE: PlatformScope = PlatformScope::of("secrets");

/// What a value is bound to.
pub(super) fn purpose(place: &SecretPlace, version: u64) -> String {
    format!("secret/{place}/{version}")
}

/// The sealer of an org; its key is made if there is none.
pub(super) async fn sealer(server: &Server, org: &OrgId) -> Result<Sealer, SecretError> {
    let mut unit = server.store.survey(SCOPE).await?;
    if let Some(sealer) = known(server, &mut unit, org).await? {
        return Ok(sealer);
    }
    drop(unit);
    let mut key = Zeroizing::new([0u8; 32]);
    rand::fill(key.as_mut_slice()).map_err(|_| SecretError::Failed)?;
    let sealed = server.sealer.seal(&wrapped(org), key.as_slice());
    let sealed = sealed.map_err(|_| SecretError::Failed)?;
    let mut unit = server.store.platform(SCOPE).await?;
    unit.insert_secret_key(org, &sealed, server.now()).await?;
    // Two that come first at once use one key: the one that is there now.
    let sealer = known(server, &mut unit, org).await?;
    unit.commit().await?;
    sealer.ok_or(SecretError::Failed)
}

/// The sealer of an org that has a key.
pub(super) async fn known(
    server: &Server,
    unit: &mut PlatformUnit,
    org: &OrgId,
) -> Result<Option<Sealer>, SecretError> {
    let Some(sealed) = unit.secret_key(org).await? else { return Ok(None) };
    let key = server.sealer.open(&wrapped(org), &sealed).map_err(|_| SecretError::Failed)?;
    let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| SecretError::Failed)?;
    Sealer::new(key).map(Some).map_err(|_| SecretError::Failed)
}

fn wrapped(org: &OrgId) -> String {
    format!("secret-key/{org}")
}
