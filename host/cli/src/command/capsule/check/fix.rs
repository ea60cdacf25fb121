//! `--fix`: takes the spelling that the manifest's errors suggest, one key after the other.

use std::path::Path;

use soma_capsule::CapsuleFile;

use crate::context::Context;
use crate::failure::Failure;

/// Corrections of one run; a file with more slips than this wants a person.
const FIXES_MAX: usize = 32;

/// Corrects mistyped keys in `capsule.toml`; anything else is left as it is.
pub(super) fn correct(context: &Context, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("capsule.toml");
    let bytes = context.read(&path, 256 * 1024)?;
    let before = String::from_utf8_lossy(&bytes).into_owned();
    let mut text = before.clone();
    for _ in 0..FIXES_MAX {
        let Err(error) = CapsuleFile::parse(&text) else { break };
        let Some(fixed) = error.line().and_then(|line| respelled(&text, line, error.message()))
        else {
            break;
        };
        context.out.note(format!("corrected {error}"));
        text = fixed;
    }
    if text == before { Ok(()) } else { crate::files::write_whole(&path, text.as_bytes()) }
}

/// The text with the key on that line spelled as the message suggests.
fn respelled(text: &str, line: usize, message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown key \"")?;
    let (wrong, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once("did you mean \"")?;
    let (right, _) = rest.split_once('"')?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = lines.get_mut(line.checked_sub(1)?)?;
    let fixed = at.replacen(wrong, right, 1);
    if fixed == *at {
        return None;
    }
    *at = fixed;
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_on_the_line_takes_the_suggested_spelling() {
        let text = "a = 1\n[capabilities.http.x]\nmethod = [\"method\"]\n";
        let message = "unknown key \"method\"; did you mean \"methods\"?";
        let fixed = respelled(text, 3, message).unwrap();
        assert_eq!(fixed, "a = 1\n[capabilities.http.x]\nmethods = [\"method\"]\n");
        assert_eq!(respelled(text, 1, message), None);
        assert_eq!(respelled(text, 9, message), None);
        assert_eq!(respelled(text, 3, "unknown key \"method\""), None);
    }
}
