//! Looking for a value wherever it could have been left: as it is, in base 64 and in hexadecimal digits.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Every form of a value that is looked for.
#[derive(Debug)]
pub struct Traces {
    forms: Vec<Vec<u8>>,
}

impl Traces {
    /// The forms of a value. It should be long and drawn at random: a short one is found by chance.
    #[must_use]
    pub fn of(value: &str) -> Self {
        let bytes = value.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
        // In a longer text, base 64 may begin anywhere between its groups of three bytes: what is before and
        // behind changes the first and the last letters, and those are left out.
        for before in 0..3 {
            let mut padded = vec![0; before];
            padded.extend_from_slice(bytes);
            let whole = padded.len() - padded.len() % 3;
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = engine.encode(padded.get(..whole).unwrap_or_default());
                forms.push(
                    text.as_bytes()
                        .get(if before == 0 { 0 } else { 4 }..)
                        .unwrap_or_default()
                        .to_vec(),
                );
            }
        }
        forms.sort();
        forms.dedup();
        Self { forms }
    }

    /// Whether any form of it is in there.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
    }

    /// Every file below a folder that holds it.
    ///
    /// # Errors
    /// If a folder or a file cannot be read.
    pub fn below(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                found.extend(self.below(&path)?);
            } else if path.is_file() && self.is_in(&std::fs::read(&path)?) {
                found.push(path);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_value_is_found_in_every_form_and_at_every_place() {
        let traces = Traces::of("s3cret-value-1234567");
        for before in ["", "a", "ab", "abc", "{\"value\":\""] {
            for after in ["", "\"}", "and so on"] {
                let text = format!("{before}s3cret-value-1234567{after}");
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                for form in [text.clone(), STANDARD.encode(&text), hex.to_uppercase(), hex] {
                    assert!(traces.is_in(form.as_bytes()), "{before}…{after}: {form}");
                }
            }
        }
        assert!(!traces.is_in(b"s3cret-value-123456 and s3cret-value-7654321"));
    }

    #[test]
    fn files_are_named_however_deep_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("held"), STANDARD.encode("xs3cret-value-1234567")).unwrap();
        std::fs::write(deep.join("clean"), "nothing").unwrap();
        let found = Traces::of("s3cret-value-1234567").below(folder.path()).unwrap();
        assert_eq!(found, [deep.join("held")]);
    }
}
