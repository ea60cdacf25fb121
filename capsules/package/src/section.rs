//! The manifest inside the component: exactly one outermost custom section `soma:manifest`, the
//! last one of the file. One file, one digest, one signature.
//!
//! This room moves bytes; what the manifest says is read in `manifest`.

use std::borrow::Cow;

use soma_policy::Code;
use wasm_encoder::{CustomSection, Encode, Section};

/// Name of the custom section.
pub const SECTION_NAME: &str = "soma:manifest";

/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// Why the manifest section is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// There is none.
    #[error("the component carries no manifest")]
    Missing,
    /// There is more than one, so that two readers could read different ones.
    #[error("the component carries {0} manifests; exactly one is accepted")]
    Several(usize),
    /// Something follows it.
    #[error("the manifest is not the last section of the component")]
    NotLast,
    /// Too large.
    #[error("the manifest has {size} bytes; at most {max} are accepted")]
    Oversize {
        /// Bytes given.
        size: usize,
        /// Bytes accepted.
        max: usize,
    },
    /// The file around it cannot be read.
    #[error("the component is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where in the file.
        offset: usize,
        /// What the parser said.
        reason: String,
    },
}

impl SectionError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Malformed { .. } => Code::ComponentMalformed,
            Self::Missing => Code::ManifestSectionMissing,
            Self::Several(_) | Self::NotLast => Code::ManifestSectionMisplaced,
            Self::Oversize { .. } => Code::ManifestTooLarge,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Oversize { .. } => "shorten the texts of capsule.toml",
            _ => "run `soma capsule build`, which embeds the manifest as the last section",
        }
    }
}

/// Where one outermost section named `soma:manifest` lies.
struct Found {
    /// The whole section, its id and length included.
    start: usize,
    end: usize,
    /// Its content.
    data: std::ops::Range<usize>,
}

/// Puts the manifest at the end of a component, in place of any that it carries.
///
/// # Errors
/// When the component cannot be parsed or the manifest is too large.
pub fn embed(component: &[u8], manifest: &[u8]) -> Result<Vec<u8>, SectionError> {
    check_size(manifest.len())?;
    let mut out = Vec::with_capacity(component.len() + manifest.len() + 32);
    let mut copied = 0;
    for found in find(component)? {
        out.extend_from_slice(component.get(copied..found.start).unwrap_or_default());
        copied = found.end;
    }
    out.extend_from_slice(component.get(copied..).unwrap_or_default());
    let section =
        CustomSection { name: Cow::Borrowed(SECTION_NAME), data: Cow::Borrowed(manifest) };
    out.push(section.id());
    section.encode(&mut out);
    Ok(out)
}

/// The manifest that a component carries.
///
/// # Errors
/// When there is none, more than one, something behind it, or the file cannot be parsed.
pub fn extract(component: &[u8]) -> Result<&[u8], SectionError> {
    let found = find(component)?;
    let [only] = found.as_slice() else {
        return Err(if found.is_empty() {
            SectionError::Missing
        } else {
            SectionError::Several(found.len())
        });
    };
    if only.end != component.len() {
        return Err(SectionError::NotLast);
    }
    check_size(only.data.len())?;
    component.get(only.data.clone()).ok_or(SectionError::Missing)
}

fn check_size(size: usize) -> Result<(), SectionError> {
    if size > MANIFEST_BYTES_MAX {
        return Err(SectionError::Oversize { size, max: MANIFEST_BYTES_MAX });
    }
    Ok(())
}

/// Walks the outermost sections by their headers alone: an id, a length, the content.
fn find(component: &[u8]) -> Result<Vec<Found>, SectionError> {
    const HEADER_BYTES: usize = 8;
    const CUSTOM: u8 = 0;
    let mut found = Vec::new();
    let mut walk = Walk { bytes: component, at: HEADER_BYTES };
    if component.len() < HEADER_BYTES || !component.starts_with(b"\0asm") {
        return Err(walk.malformed("it has no WebAssembly header"));
    }
    while walk.at < component.len() {
        let start = walk.at;
        let id = walk.byte()?;
        let size = walk.length()?;
        let end = walk.end_of(size)?;
        if id == CUSTOM {
            let name_size = walk.length()?;
            let name_end = walk.end_of(name_size)?;
            if name_end > end {
                return Err(walk.malformed("a section name is longer than its section"));
            }
            if component.get(walk.at..name_end) == Some(SECTION_NAME.as_bytes()) {
                found.push(Found { start, end, data: name_end..end });
            }
        }
        walk.at = end;
    }
    Ok(found)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn malformed(&self, reason: &str) -> SectionError {
        SectionError::Malformed { offset: self.at, reason: reason.to_string() }
    }

    fn byte(&mut self) -> Result<u8, SectionError> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or_else(|| self.malformed("it ends within a section"))?;
        self.at += 1;
        Ok(byte)
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn length(&mut self) -> Result<usize, SectionError> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let value =
                    u32::try_from(value).map_err(|_| self.malformed("a length is too large"))?;
                return Ok(value as usize);
            }
        }
        Err(self.malformed("a length is too long"))
    }

    fn end_of(&self, size: usize) -> Result<usize, SectionError> {
        let end = self.at.checked_add(size).filter(|end| *end <= self.bytes.len());
        end.ok_or_else(|| self.malformed("a section is longer than the file"))
    }
}

#[cfg(test)]
mod tests;
