//! Notes as keys and bytes: key `notes/NAME`, value the revision in decimal, a line end, the text.
//! Two calls that write one note at the same time keep the later one.

use soma_sdk::kv::{self, Bucket, Error};

use crate::{Note, NoteError};

/// The name under `[capabilities.kv.NAME]`, and the prefix that it grants.
const BUCKET: &str = "notes";
const PREFIX: &str = "notes/";

pub(crate) fn open() -> Result<Bucket, NoteError> {
    kv::open(BUCKET).map_err(refused)
}

pub(crate) fn get(bucket: &Bucket, name: &str) -> Result<Option<Note>, NoteError> {
    let bytes = bucket.get(&key(name)).map_err(refused)?;
    Ok(bytes.as_deref().and_then(|bytes| decode(name, bytes)))
}

pub(crate) fn put(bucket: &Bucket, note: &Note) -> Result<(), NoteError> {
    bucket.set(&key(&note.name), &encode(note)).map_err(refused)
}

pub(crate) fn remove(bucket: &Bucket, name: &str) -> Result<bool, NoteError> {
    let there = bucket.exists(&key(name)).map_err(refused)?;
    bucket.delete(&key(name)).map_err(refused)?;
    Ok(there)
}

pub(crate) fn names(bucket: &Bucket) -> Result<Vec<String>, NoteError> {
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor).map_err(refused)?;
        names.extend(page.keys.iter().filter_map(|k| k.strip_prefix(PREFIX)).map(str::to_owned));
        match page.cursor {
            Some(next) if Some(next) != cursor => cursor = Some(next),
            _ => return Ok(names),
        }
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn encode(note: &Note) -> Vec<u8> {
    format!("{}\n{}", note.revision, note.text).into_bytes()
}

fn decode(name: &str, bytes: &[u8]) -> Option<Note> {
    let (revision, text) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    let revision = revision.parse().ok()?;
    Some(Note { name: name.to_owned(), text: text.to_owned(), revision })
}

fn refused(error: Error) -> NoteError {
    NoteError::Store(match error {
        Error::NoSuchStore => "there is no such store".to_owned(),
        Error::AccessDenied => "access is denied".to_owned(),
        Error::Other(words) => words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_survives_its_encoding_line_ends_included() {
        let note = Note { name: "n".into(), text: "a\n\nb".into(), revision: 12 };
        let back = decode("n", &encode(&note)).unwrap();
        assert_eq!((back.text.as_str(), back.revision), ("a\n\nb", 12));
    }

    #[test]
    fn bytes_of_another_shape_are_no_note() {
        assert!(decode("n", b"\xff").is_none());
        assert!(decode("n", b"text without a revision\n").is_none());
    }
}
