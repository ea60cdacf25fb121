//! Room `secret`: whether a secret is there. Nothing here ever holds a value of one.
//!
//! Placing values into requests is the http room's work; this room asks only whether the name is declared, granted and
//! stored. All ways of "no" look the same to the guest; the denial that is kept tells them apart.

use soma_policy::{
    CapabilityKind, CapabilityRef, Code, HostCall, InstallationKey, SecretName, SecretRequest,
};
use soma_wit::soma::secret::Host;
use wasmtime::Result;
use wasmtime::component::HasData;

use super::{missing, words};
use crate::gate::Gate;
use crate::state::Ctx;

/// Says whether an installation's tenant has stored a secret under a name. Made by whoever keeps secrets.
pub(crate) type SecretStored = dyn Fn(&InstallationKey, &SecretName) -> bool + Send + Sync;

/// The longest name that is looked at.
const NAME_MAX: usize = 128;

/// Names [`SecretView`] to the linker.
pub(crate) struct Secret;

impl HasData for Secret {
    type Data<'a> = SecretView<'a>;
}

/// `soma:secret` for one call.
pub(crate) struct SecretView<'a> {
    gate: &'a Gate,
    stored: &'a SecretStored,
}

impl SecretView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> SecretView<'_> {
        SecretView { gate: &ctx.gate, stored: &*ctx.backends.secrets }
    }
}

impl Host for SecretView<'_> {
    fn present(&mut self, name: String) -> Result<bool> {
        let running = self.gate.running();
        running.charge_bytes(name.len())?;
        if name.len() > NAME_MAX {
            return Ok(false);
        }
        let decided = self.gate.decide(
            SecretRequest::new(&name),
            |authorised, request| authorised.secret(request).map(|right| right.from().clone()),
            |request| HostCall::Secret(request),
        );
        let from = match decided {
            Ok((_permit, from)) => from,
            Err(refused) => {
                words(refused)?;
                return Ok(false);
            }
        };
        let there = (self.stored)(&running.installation.key, &from);
        if !there {
            let denial =
                missing(Code::SecretMissing, CapabilityKind::Secret, format!("secret {name}"));
            let denial = match name.parse() {
                Ok(name) => denial.on(CapabilityRef::named(CapabilityKind::Secret, name)),
                Err(_) => denial,
            };
            self.gate.refuse(denial.fix(format!("`soma secret set {from}`")));
        }
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::rig::Rig;

    const GRANTED: &str = r#"
        [http.api]
        origin = "https://api.example"
        methods = ["GET"]
        paths = ["/**"]
        [secret.token]
        place = { http = "api", header = "authorization" }
    "#;

    fn present(rig: &mut Rig, name: &str) -> Result<bool> {
        SecretView::of(rig.ctx()).present(name.to_owned())
    }

    #[test]
    fn a_granted_and_stored_secret_is_there() {
        let mut rig = Rig::granting(GRANTED);
        rig.store_secret("token");
        assert!(present(&mut rig, "token").unwrap());
        assert!(rig.denials().is_empty());
    }

    #[test]
    fn every_no_looks_the_same_to_the_guest_and_not_to_the_tenant() {
        let mut rig = Rig::granting(GRANTED);
        assert!(!present(&mut rig, "token").unwrap());
        assert_eq!(rig.denials(), [Code::SecretMissing]);
        let mut rig = Rig::declaring(GRANTED);
        rig.store_secret("token");
        assert!(!present(&mut rig, "token").unwrap());
        assert_eq!(rig.denials(), [Code::NotGranted]);
        let mut rig = Rig::granting(GRANTED);
        rig.store_secret("other");
        assert!(!present(&mut rig, "other").unwrap());
        assert_eq!(rig.denials().len(), 1);
    }

    #[test]
    fn a_name_that_is_no_name_is_not_there() {
        let mut rig = Rig::granting(GRANTED);
        for odd in ["", "../token", "TOKEN", "token\0", &"x".repeat(100_000)] {
            assert!(!present(&mut rig, odd).unwrap());
        }
    }

    #[test]
    fn a_killed_call_learns_nothing() {
        let mut rig = Rig::granting(GRANTED);
        rig.store_secret("token");
        rig.kill();
        assert!(present(&mut rig, "token").is_err());
    }
}
