//! Passphrases of key files: SOMA_KEY_PASSWORD, then COSIGN_PASSWORD, then a prompt. Never an argument.

use std::io::IsTerminal;

use soma_policy::Code;

use crate::failure::Failure;

/// A passphrase; wiped when dropped, redacted in every print.
pub(crate) struct Passphrase(zeroize::Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

impl Passphrase {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text.into_bytes()))
    }

    /// No passphrase.
    pub(crate) fn empty() -> Self {
        Self::new(String::new())
    }

    /// What the environment says.
    pub(crate) fn from_environment() -> Option<Self> {
        ["SOMA_KEY_PASSWORD", "COSIGN_PASSWORD"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .map(Self::new)
    }

    /// For a key that is to be made: environment, else asked twice, else (nobody there) empty.
    pub(crate) fn for_new_key(what: &str) -> Result<Self, Failure> {
        if let Some(given) = Self::from_environment() {
            return Ok(given);
        }
        if !can_ask() {
            return Ok(Self::empty());
        }
        let first = ask(&format!("Passphrase for {what} (empty for none): "))?;
        if !first.is_empty() && ask("Again: ")? != first {
            return Err(Failure::new(Code::Usage, "the two passphrases differ"));
        }
        Ok(Self::new(first))
    }

    /// For a key that did not open without one: environment was tried, so a person is asked.
    pub(crate) fn prompt(what: &str) -> Result<Self, Failure> {
        if !can_ask() {
            return Err(Failure::new(
                Code::Usage,
                format!("{what} has a passphrase and nobody can be asked for it"),
            )
            .fix("set SOMA_KEY_PASSWORD"));
        }
        ask(&format!("Passphrase for {what}: ")).map(Self::new)
    }
}

fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt)
        .map_err(|e| Failure::new(Code::Usage, format!("the passphrase cannot be read: {e}")))
}
