//! The archive: a tar of numbered entries, in one order, of one kind.
//!
//! ```text
//! files/00000001 … ─► sealed.json ─► index.jsonl (which is which) ─► audit.pub ─► manifest.json (signed)
//! ```
//!
//! Paths stand in the signed list and never in the tar: nothing that reads the archive follows a name in
//! it. An entry of another kind, name or place is refused before its content is looked at.

use std::fs::File;
use std::io::{self, Read, Write};

use aws_lc_rs::digest::{Context, SHA256};
use soma_policy::Digest;
use tar::{Archive, Builder, EntryType, Header};

use super::bound::{
    ENTRIES_MAX, INDEX_BYTES_MAX, KEY_BYTES_MAX, MANIFEST_BYTES_MAX, SEALED_BYTES_MAX,
};
use super::error::ContinuityError;

const SEALED: &str = "sealed.json";
const INDEX: &str = "index.jsonl";
const KEY: &str = "audit.pub";
const MANIFEST: &str = "manifest.json";
/// Zeros at the end of a tar, at most.
const END_BYTES_MAX: u64 = 10 * 1024;
const CHUNK: usize = 64 * 1024;

fn numbered(n: u64) -> String {
    format!("files/{n:08}")
}

/// Reads exactly as much as was announced, hashes it, and remembers if there was less.
struct Exact<'a> {
    inner: &'a mut dyn Read,
    left: u64,
    hash: Context,
    short: bool,
}

impl Read for Exact<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let Some(into) = into.get_mut(..room).filter(|into| !into.is_empty()) else { return Ok(0) };
        let mut count = if self.short { 0 } else { self.inner.read(into)? };
        if count == 0 {
            self.short = true;
            into.fill(0);
            count = room;
        }
        self.hash.update(into.get(..count).unwrap_or_default());
        self.left -= count as u64;
        Ok(count)
    }
}

/// What was written as one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) digest: Digest,
    /// The content ended before the length that was announced.
    pub(super) short: bool,
}

/// Writes entries in their order.
pub(super) struct Writer<W: Write> {
    tar: Builder<W>,
    entries: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(into: W) -> Self {
        Self { tar: Builder::new(into), entries: 0 }
    }

    /// The next file.
    pub(super) fn file(&mut self, bytes: u64, content: &mut dyn Read) -> io::Result<Written> {
        self.entries += 1;
        let name = numbered(self.entries);
        self.entry(&name, bytes, content)
    }

    /// What comes behind the files.
    pub(super) fn finish(
        mut self,
        sealed: &[u8],
        index: &[u8],
        key: &[u8],
        manifest: &[u8],
    ) -> io::Result<W> {
        for (name, content) in [(SEALED, sealed), (INDEX, index), (KEY, key), (MANIFEST, manifest)]
        {
            let mut content = content;
            self.entry(name, content.len() as u64, &mut content)?;
        }
        self.tar.into_inner()
    }

    fn entry(&mut self, name: &str, bytes: u64, content: &mut dyn Read) -> io::Result<Written> {
        let mut header = Header::new_gnu();
        header.set_path(name)?;
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        let hash = Context::new(&SHA256);
        let mut exact = Exact { inner: content, left: bytes, hash, short: false };
        self.tar.append(&header, &mut exact)?;
        Ok(Written { digest: digest(exact.hash), short: exact.short })
    }
}

pub(super) fn digest(hash: Context) -> Digest {
    Digest::from_bytes(hash.finish().as_ref().try_into().unwrap_or([0; 32]))
}

/// What stands behind the files of an archive. Nothing of it is proven yet.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) sealed: Vec<u8>,
    pub(super) index: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

/// One file of an archive on its way past.
pub(super) type Each<'a> = dyn FnMut(u64, &mut dyn Read) -> Result<(), ContinuityError> + 'a;

/// Reads an archive from its beginning to its end; each file goes past `each` in its order.
pub(super) fn read(file: &File, each: &mut Each<'_>) -> Result<Tail, ContinuityError> {
    let mut archive = Archive::new(io::BufReader::with_capacity(CHUNK, file));
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut count = 0;
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(ContinuityError::Bad(format!("its entry `{}` is no file", shown(&name))));
        }
        if parts.is_empty() && name == numbered(count + 1) && count < ENTRIES_MAX {
            count += 1;
            each(count, &mut entry)?;
            // What a reader left is skipped, and must be there.
            io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
            continue;
        }
        let next = [
            (SEALED, SEALED_BYTES_MAX),
            (INDEX, INDEX_BYTES_MAX),
            (KEY, KEY_BYTES_MAX),
            (MANIFEST, MANIFEST_BYTES_MAX),
        ];
        match next.get(parts.len()) {
            Some((expected, max)) if *expected == name => {
                parts.push(bounded(&mut entry, *max, &name)?)
            }
            _ => {
                let what = format!("its entry `{}` is not where it belongs", shown(&name));
                return Err(ContinuityError::Bad(what));
            }
        }
    }
    ended(archive.into_inner())?;
    let incomplete = |_| ContinuityError::bad("it is not complete: it ends before its manifest");
    let [sealed, index, key, manifest] = <[Vec<u8>; 4]>::try_from(parts).map_err(incomplete)?;
    Ok(Tail { sealed, index, key, manifest })
}

fn bounded(entry: &mut dyn Read, max: u64, name: &str) -> Result<Vec<u8>, ContinuityError> {
    let mut content = Vec::new();
    entry.take(max + 1).read_to_end(&mut content).map_err(broken)?;
    if content.len() as u64 <= max {
        return Ok(content);
    }
    Err(ContinuityError::Bad(format!("its `{name}` has more than {max} bytes")))
}

/// Nothing but the end of a tar comes behind its last entry.
fn ended(rest: impl Read) -> Result<(), ContinuityError> {
    let mut tail = Vec::new();
    rest.take(END_BYTES_MAX + 1).read_to_end(&mut tail).map_err(broken)?;
    if tail.len() as u64 <= END_BYTES_MAX && tail.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(ContinuityError::bad("something comes behind its end"))
}

/// Hashes a stream, and writes it where it is to go.
pub(super) fn pass(
    from: &mut dyn Read,
    mut into: Option<&mut File>,
    failed: impl Fn(io::Error) -> ContinuityError,
) -> Result<(Digest, u64), ContinuityError> {
    let (mut hash, mut bytes) = (Context::new(&SHA256), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk).map_err(broken)?;
        let part = chunk.get(..count).unwrap_or_default();
        if part.is_empty() {
            return Ok((digest(hash), bytes));
        }
        hash.update(part);
        bytes += count as u64;
        if let Some(file) = &mut into {
            file.write_all(part).map_err(&failed)?;
        }
    }
}

fn broken(error: io::Error) -> ContinuityError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ContinuityError::bad("it ends in the middle"),
        _ => ContinuityError::Bad(format!("it does not read as an archive: {error}")),
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}
