//! What people keep to themselves: from a variable of the environment or a prompt, never from the command line.

use std::io::IsTerminal;

use soma_policy::Code;

use crate::failure::Failure;

/// A password, a code: from `variable`, else asked for.
pub(crate) fn secret(variable: &str, what: &str) -> Result<String, Failure> {
    if let Some(given) = given(variable) {
        return Ok(given);
    }
    if !can_ask() {
        return Err(Failure::new(Code::Usage, format!("{what} is needed and nobody can be asked"))
            .fix(format!("set {variable}")));
    }
    rpassword::prompt_password(format!("{what}: "))
        .map(|text| text.trim().to_owned())
        .map_err(|e| Failure::new(Code::Usage, format!("{what} cannot be read: {e}")))
}

/// What a variable holds, if anything.
pub(crate) fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

/// Whether a person is there.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
