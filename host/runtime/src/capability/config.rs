//! Room `config`: the settings of an installation, by granted key.
//!
//! Settings are text from the installation's own file. They are tenant data: a call that has read one carries that label.
//! Deliberately absent: settings of the host, of the environment, of anyone else.

use soma_policy::{ConfigKey, ConfigRequest, HostCall, Label};
use soma_wit::config::store::{Error, Host};
use wasmtime::Result;
use wasmtime::component::HasData;

use super::words;
use crate::gate::Gate;
use crate::state::Ctx;

/// Names [`ConfigView`] to the linker.
pub(crate) struct Config;

impl HasData for Config {
    type Data<'a> = ConfigView<'a>;
}

/// `wasi:config` for one call.
pub(crate) struct ConfigView<'a> {
    gate: &'a Gate,
}

impl ConfigView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> ConfigView<'_> {
        ConfigView { gate: &ctx.gate }
    }

    fn read(&self, key: &str) -> Result<std::result::Result<Option<String>, Error>> {
        let running = self.gate.running();
        running.charge_bytes(key.len())?;
        let decided = self.gate.decide(
            ConfigRequest::new(key),
            |authorised, request| authorised.config(request).map(|_| ()),
            |request| HostCall::Config(request),
        );
        if let Err(refused) = decided {
            return Ok(Err(Error::Upstream(words(refused)?)));
        }
        let settings = &running.installation.config;
        let value = key.parse::<ConfigKey>().ok().and_then(|key| settings.get(&key).cloned());
        running.charge_bytes(value.as_ref().map_or(0, String::len))?;
        self.gate.label(Label::TenantData);
        Ok(Ok(value))
    }
}

impl Host for ConfigView<'_> {
    fn get(&mut self, key: String) -> Result<std::result::Result<Option<String>, Error>> {
        self.read(&key)
    }

    fn get_all(&mut self) -> Result<std::result::Result<Vec<(String, String)>, Error>> {
        self.gate.running().live()?;
        let rights = self.gate.authorised().rights();
        let mut all = Vec::new();
        for key in rights.config_keys() {
            if let Ok(Some(value)) = self.read(key.as_str())? {
                all.push((key.to_string(), value));
            }
        }
        Ok(Ok(all))
    }
}

#[cfg(test)]
mod tests {
    use soma_policy::{Code, LabelSet};

    use super::*;
    use crate::capability::rig::Rig;

    const GRANTED: &str = "[config]\nkeys = [\"region\", \"unset\"]";

    fn rig(text: &str, declared_only: bool) -> Rig {
        let config = [("region", "north"), ("hidden", "never")];
        if declared_only { Rig::declaring(text) } else { Rig::granting_with_config(text, &config) }
    }

    fn get(rig: &mut Rig, key: &str) -> Result<std::result::Result<Option<String>, Error>> {
        ConfigView::of(rig.ctx()).get(key.to_owned())
    }

    #[test]
    fn a_granted_setting_is_read_and_labels_the_call() {
        let mut rig = rig(GRANTED, false);
        assert_eq!(get(&mut rig, "region").unwrap().unwrap().as_deref(), Some("north"));
        assert_eq!(get(&mut rig, "unset").unwrap().unwrap(), None);
        assert_eq!(rig.labels(), LabelSet::EMPTY.with(Label::TenantData));
        let all = ConfigView::of(rig.ctx()).get_all().unwrap().unwrap();
        assert_eq!(all, [("region".to_owned(), "north".to_owned())]);
        assert!(rig.denials().is_empty());
    }

    #[test]
    fn a_setting_that_is_not_granted_is_denied() {
        let mut granted = rig(GRANTED, false);
        assert!(matches!(get(&mut granted, "hidden").unwrap(), Err(Error::Upstream(_))));
        assert_eq!(granted.denials().len(), 1);
        let mut declared = rig(GRANTED, true);
        assert!(get(&mut declared, "region").unwrap().is_err());
        assert_eq!(declared.denials(), [Code::NotGranted]);
        assert!(declared.labels().is_empty());
        assert!(ConfigView::of(declared.ctx()).get_all().unwrap().unwrap().is_empty());
    }

    #[test]
    fn a_killed_call_reads_nothing() {
        let mut rig = rig(GRANTED, false);
        rig.kill();
        assert!(get(&mut rig, "region").is_err());
        assert!(ConfigView::of(rig.ctx()).get_all().is_err());
    }
}
