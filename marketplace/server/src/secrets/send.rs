//! What one host is sent: the newest values of those secrets that an installation of its feed may use,
//! each sealed to the key that the host gave when it joined (HPKE, RFC 9180, base mode:
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; the binding is the `info`).
//!
//! What a host may not have, what is not there and what is unknown look the same: it is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{Hpke as _, HpkePublicKey};
use serde_json::json;
use soma_capsule::crash_point;
use soma_policy::HostId;
use soma_policy::feed::{HostRole, SealedSecret, SecretAsk, Secrets};

use super::{Installations, SecretError, keys, users};
use crate::audit::Act;
use crate::hosts::HostPrincipal;
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, SecretPlace};

/// Secrets of one request at most: an answer stays far below what an envelope may hold.
pub(crate) const ASKS_MAX: usize = 16;
const SCOPE: PlatformScope = PlatformScope::of("secrets to hosts");
const KEY_BYTES: usize = 32;

/// Seals to a host what it asks for and may use.
pub(crate) async fn send(
    server: &Server,
    host: &HostPrincipal,
    asks: Vec<SecretAsk>,
) -> Result<Secrets, SecretError> {
    let mut secrets = Vec::new();
    let nothing = Secrets { host: host.host, secrets: Vec::new() };
    let Some(key) = public_key(host) else { return Ok(nothing) };
    if host.role != HostRole::Host || host.quarantined {
        return Ok(nothing);
    }
    let mut unit = server.store.platform(SCOPE).await?;
    let mut installations = Installations::default();
    let mut places: Vec<SecretPlace> = asks.into_iter().map(place).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        if !unit.stands_for(&host.host, &place.org, &place.environment).await? {
            continue;
        }
        let installed = installations.of(&mut unit, &place.org, &place.environment).await?;
        if users(installed, &place.name).is_empty() {
            continue;
        }
        let Some(sealed) = seal_one(server, &mut unit, host.host, &key, &place).await? else {
            continue;
        };
        if unit.note_secret_sent(&place, &host.host, sealed.version, server.now()).await? {
            let detail = json!({ "host": host.host, "version": sealed.version.to_string() });
            let actor = format!("host:{}", host.host);
            let note = server.note(&place.org, &actor, Act::SecretSent, &place, &detail);
            unit.audit(&note).await?;
        }
        secrets.push(sealed);
    }
    unit.commit().await?;
    if !secrets.is_empty() {
        crash_point!("server.secret.sent");
    }
    server.bell.notify_one();
    Ok(Secrets { host: host.host, secrets })
}

/// The newest value, opened and sealed again; none if there is none.
async fn seal_one(
    server: &Server,
    unit: &mut PlatformUnit,
    host: HostId,
    key: &HpkePublicKey,
    place: &SecretPlace,
) -> Result<Option<SealedSecret>, SecretError> {
    let Some((version, rested)) = unit.secret_value(place).await? else { return Ok(None) };
    let sealer = keys::known(server, unit, &place.org).await?.ok_or(SecretError::Failed)?;
    let value = sealer.open(&keys::purpose(place, version), &rested);
    let value = value.map_err(|_| SecretError::Failed)?;
    let info = binding(host, place, version);
    let sealed = DH_KEM_X25519_HKDF_SHA256_AES_256.seal(info.as_bytes(), &[], &value, key);
    let (encapsulated, body) = sealed.map_err(|_| SecretError::Failed)?;
    let mut whole = encapsulated.0;
    whole.extend_from_slice(&body);
    let SecretPlace { org, environment, name } = place.clone();
    Ok(Some(SealedSecret { environment, name, org, sealed: STANDARD.encode(whole), version }))
}

/// What a sealed value is bound to: it opens for this host, place and version alone.
pub(super) fn binding(host: HostId, place: &SecretPlace, version: u64) -> String {
    format!("soma-secret/{host}/{place}/{version}")
}

fn public_key(host: &HostPrincipal) -> Option<HpkePublicKey> {
    let key = STANDARD.decode(&host.sealing_key).ok()?;
    (key.len() == KEY_BYTES).then_some(HpkePublicKey(key))
}

fn place(ask: SecretAsk) -> SecretPlace {
    let SecretAsk { environment, name, org } = ask;
    SecretPlace { org, environment, name }
}
