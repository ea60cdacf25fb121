//! The first start of a server beside a host: the founding code is used by the program itself.
//!
//! It makes one person (the system's user) who runs the platform and owns the org `local`, and keeps their
//! credentials under `keys/` (0600), so that whoever can read the home can act as them. The credentials are
//! written before the code is used: a start that is cut short is finished by the next one.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_host::home::{Home, read_bounded, write_private};
use soma_policy::Code;
use soma_server::BootstrapCode;

use crate::context::{Context, person};
use crate::failure::Failure;

const FILE_BYTES_MAX: u64 = 4096;
/// Shortest login name that a server takes.
const LOGIN_BYTES_MIN: usize = 3;
/// How long the founding may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the owner of a home logs in to its own server.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    pub(crate) login: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.login)
    }
}

impl Credentials {
    fn path(home: &Home) -> PathBuf {
        home.layout().keys().join("login.json")
    }

    /// What the home holds, if its server was founded from it.
    pub(crate) fn load(home: &Home) -> Result<Option<Self>, Failure> {
        let path = Self::path(home);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_bounded(&path, FILE_BYTES_MAX)?;
        let wrong = |e| Failure::new(Code::HomeIo, format!("`{}`: {e}", path.display()));
        serde_json::from_slice(&bytes).map(Some).map_err(wrong)
    }

    fn load_or_make(home: &Home) -> Result<Self, Failure> {
        if let Some(known) = Self::load(home)? {
            return Ok(known);
        }
        let mut secret = zeroize::Zeroizing::new([0u8; 32]);
        getrandom::fill(secret.as_mut_slice())
            .map_err(|e| Failure::new(Code::HostFailure, format!("no randomness: {e}")))?;
        let password = URL_SAFE_NO_PAD.encode(secret.as_slice());
        let made = Self { login: login_name(&person()), password };
        let text = serde_json::to_vec(&made)
            .map_err(|e| Failure::new(Code::HomeIo, format!("no credentials: {e}")))?;
        write_private(&Self::path(home), &text)?;
        Ok(made)
    }
}

fn login_name(person: &str) -> String {
    let name = person.to_ascii_lowercase();
    if name.len() < LOGIN_BYTES_MIN { format!("{name}.operator") } else { name }
}

/// Makes the first operator of a server that has none. A server that was founded otherwise is left alone.
pub(crate) async fn found(
    context: &Context,
    home: &Home,
    server: &str,
    code: Option<&BootstrapCode>,
) -> Result<(), Failure> {
    let Some(code) = code else { return Ok(()) };
    let credentials = Credentials::load_or_make(home)?;
    let body = json!({
        "code": code.expose(),
        "person": { "login": credentials.login, "name": person(), "password": credentials.password },
        "org": { "org": "local", "name": "Local", "roles": { "tenant": true, "publisher": true } },
    });
    let request = crate::client::http()?.post(format!("{server}/v1/bootstrap")).json(&body);
    let answer = request.timeout(PATIENCE).send().await;
    let answer = answer.map_err(|e| Failure::new(Code::HostUnreachable, Failure::chain(&e)))?;
    if !answer.status().is_success() {
        return Err(crate::client::problem::failure(answer).await);
    }
    let login = &credentials.login;
    context.out.note(format!("  founded the server: operator {login}, org local · soma whoami"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_is_one_that_a_server_takes() {
        assert_eq!(login_name("Ada"), "ada");
        assert_eq!(login_name("jo"), "jo.operator");
    }

    #[test]
    fn credentials_do_not_show_themselves() {
        let it = Credentials { login: "ada".into(), password: "geheim".into() };
        assert!(!format!("{it:?}").contains("geheim"));
    }
}
