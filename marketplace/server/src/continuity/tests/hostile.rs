//! Archives that were cut, changed, or made by somebody else.

use tar::{Builder, EntryType, Header};

use super::*;
use crate::continuity::manifest::{Index, Line};
use soma_policy::Digest;

async fn made() -> (Deployment, tempfile::TempDir, PathBuf) {
    let it = Deployment::new().await;
    it.fill("acme", 5).await;
    let (folder, archive) = it.shelf();
    it.back_up(&archive).await.unwrap();
    (it, folder, archive)
}

async fn says(archive: &Path, bytes: &[u8]) -> String {
    std::fs::write(archive, bytes).unwrap();
    let refused = verify_backup(archive, None, None).await.unwrap_err();
    assert_eq!(refused.code(), soma_policy::Code::BackupBad, "{refused}");
    refused.to_string()
}

/// Where each entry's content lies.
fn contents(archive: &Path) -> Vec<(String, u64, u64)> {
    let mut tar = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let entries = tar.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        (name, entry.raw_file_position(), entry.size())
    });
    entries.collect()
}

#[tokio::test]
async fn a_changed_byte_is_found_in_whatever_it_lies() {
    let (_it, folder, archive) = made().await;
    let whole = std::fs::read(&archive).unwrap();
    let entries = contents(&archive);
    assert!(entries.len() > 8);
    let touched = folder.path().join("touched");
    for (name, from, size) in entries {
        for at in [from, from + size / 2, from + size.saturating_sub(1)] {
            if size == 0 {
                continue;
            }
            let mut bytes = whole.clone();
            bytes[usize::try_from(at).unwrap()] ^= 1;
            let said = says(&touched, &bytes).await;
            assert!(said.contains("cannot be used"), "{name}: {said}");
        }
        let mut bytes = whole.clone();
        bytes[usize::try_from(from).unwrap() - 512] ^= 1;
        says(&touched, &bytes).await;
    }
}

#[tokio::test]
async fn an_archive_that_was_cut_or_lengthened_is_found() {
    let (_it, folder, archive) = made().await;
    let whole = std::fs::read(&archive).unwrap();
    let touched = folder.path().join("touched");
    for (_, from, size) in contents(&archive) {
        for at in [from - 512, from, from + size / 2] {
            says(&touched, &whole[..usize::try_from(at).unwrap()]).await;
        }
    }
    says(&touched, b"").await;
    let mut longer = whole.clone();
    longer.extend(b"more");
    assert!(says(&touched, &longer).await.contains("behind its end"));
    longer = whole.clone();
    longer.extend(vec![0; 64 * 1024]);
    says(&touched, &longer).await;
}

fn entry(tar: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, content: &[u8]) {
    let mut header = Header::new_gnu();
    // As bytes: the writer of the crate would refuse a name that leaves the folder.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(content.len() as u64);
    header.set_entry_type(kind);
    if kind == EntryType::Symlink {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

#[tokio::test]
async fn entries_of_other_kinds_names_and_places_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("hostile");
    for (name, kind, what) in [
        ("../../etc/passwd", EntryType::Regular, "where it belongs"),
        ("/etc/passwd", EntryType::Regular, "where it belongs"),
        ("files/00000002", EntryType::Regular, "where it belongs"),
        ("files/00000001", EntryType::Symlink, "is no file"),
        ("files/00000001", EntryType::Link, "is no file"),
        ("files/00000001", EntryType::Directory, "is no file"),
        ("files/00000001", EntryType::Char, "is no file"),
        ("files/00000001", EntryType::GNULongName, "is no file"),
        ("files/00000001", EntryType::XHeader, "is no file"),
        ("manifest.json", EntryType::Regular, "where it belongs"),
        ("sealed.json", EntryType::Regular, "not complete"),
    ] {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, name, kind, b"x");
        let bytes = tar.into_inner().unwrap();
        let said = says(&archive, &bytes).await;
        assert!(said.contains(what), "{name} {kind:?}: {said}");
    }
}

#[tokio::test]
async fn a_length_that_is_not_there_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("hostile");
    let mut header = Header::new_gnu();
    header.set_path("sealed.json").unwrap();
    header.set_size(u64::MAX / 2);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend([7; 512]);
    says(&archive, &bytes).await;
}

/// An archive with a list of the author's choice, signed by a key of the author's own.
fn signed(lines: &[Line], contents: &[&[u8]]) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let index = Index::write(lines).unwrap();
    let sealed = b"{}".to_vec();
    let manifest = Manifest {
        at: START,
        bytes: 0,
        deployment: "d".to_owned(),
        epoch: 0,
        files: 0,
        form: Manifest::form(),
        index: Digest::of(&index),
        program: "0".to_owned(),
        sealed: Digest::of(&sealed),
        step: 1,
    };
    let mut writer = crate::continuity::archive::Writer::new(Vec::new());
    for content in contents {
        let mut content = *content;
        writer.file(content.len() as u64, &mut content).unwrap();
    }
    let pem = key.public().to_pem();
    writer.finish(&sealed, &index, pem.as_bytes(), &manifest.sign(&key).unwrap()).unwrap()
}

#[tokio::test]
async fn a_signed_list_that_leaves_the_home_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("hostile");
    let line =
        |path: &str| Line::File { path: path.to_owned(), bytes: 1, digest: Digest::of(b"x") };
    for bad in ["../x", "/x", "a/../../x", "a//b", ""] {
        let said = says(&archive, &signed(&[line(bad)], &[b"x"])).await;
        assert!(said.contains("no path inside"), "{bad}: {said}");
    }
    assert!(
        says(&archive, &signed(&[line("a"), line("a")], &[b"x", b"x"])).await.contains("twice")
    );
    assert!(says(&archive, &signed(&[line("a")], &[])).await.contains("lists 1"));
    assert!(says(&archive, &signed(&[], &[b"x"])).await.contains("holds 1"));
    // Whole in itself, and still nobody's: its keys do not open.
    std::fs::write(&archive, signed(&[line("a")], &[b"x"])).unwrap();
    assert!(!verify_backup(&archive, None, None).await.unwrap().authentic);
    let home = folder.path().join("home");
    let refused = super::restore(&archive, &home, WORDS).await.unwrap_err();
    assert_eq!(refused.code(), soma_policy::Code::BackupBad);
    assert!(!home.exists());
}
