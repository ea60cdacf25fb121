//! The `soma/kv-notes` capsule: notes in `kv.notes`. The rules of names and sizes are here, the
//! keys and bytes in `store`.

mod store;

wit_bindgen::generate!({ path: "wit", world: "kv-notes" });

const TEXT_MAX: usize = 64 * 1024;

struct Notes;

impl Guest for Notes {
    fn put(name: String, text: String) -> Result<u64, NoteError> {
        let bucket = store::open()?;
        let revision = store::get(&bucket, &checked(name.clone())?)?.map_or(0, |n| n.revision) + 1;
        write(&bucket, Note { name, text, revision })
    }

    fn append(name: String, line: String) -> Result<u64, NoteError> {
        let bucket = store::open()?;
        let name = checked(name)?;
        let note = store::get(&bucket, &name)?;
        let (text, revision) = match note {
            Some(note) => (format!("{}\n{line}", note.text), note.revision + 1),
            None => (line, 1),
        };
        write(&bucket, Note { name, text, revision })
    }

    fn get(name: String) -> Result<Note, NoteError> {
        store::get(&store::open()?, &checked(name)?)?.ok_or(NoteError::NoSuchNote)
    }

    fn forget(name: String) -> Result<bool, NoteError> {
        store::remove(&store::open()?, &checked(name)?)
    }

    fn names(prefix: Option<String>) -> Result<Vec<String>, NoteError> {
        let prefix = prefix.unwrap_or_default();
        let mut names = store::names(&store::open()?)?;
        names.retain(|name| name.starts_with(&prefix));
        names.sort_unstable();
        Ok(names)
    }

    fn search(words: String) -> Result<Vec<Note>, NoteError> {
        let bucket = store::open()?;
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let mut found = Vec::new();
        for name in Self::names(None)? {
            // A note may go away between the listing and the reading.
            if let Some(note) = store::get(&bucket, &name)? {
                let text = note.text.to_lowercase();
                if words.iter().all(|word| text.contains(word)) {
                    found.push(note);
                }
            }
        }
        Ok(found)
    }
}

fn checked(name: String) -> Result<String, NoteError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(name),
        false => Err(NoteError::BadName(name)),
    }
}

fn write(bucket: &soma_sdk::kv::Bucket, note: Note) -> Result<u64, NoteError> {
    if note.text.len() > TEXT_MAX {
        return Err(NoteError::TooLong(note.text.len() as u64));
    }
    store::put(bucket, &note)?;
    Ok(note.revision)
}

export!(Notes);

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn names_are_short_and_plain() {
        assert!(checked("to-do.2026".into()).is_ok());
        for bad in ["", "A", "a/b", "ü", &"a".repeat(65)] {
            assert!(checked(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
