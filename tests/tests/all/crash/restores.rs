//! Backups and restores that are cut off: no archive and no home is half there, the next command does all of it, and
//! what was opened on the way does not stay.

use std::path::{Path, PathBuf};

use soma_tests::{Finished, Plane, Realm, Soma};

use super::server::assert_sound;

const WORDS: &str = "only for tests, long enough";

/// Runs a command on a home, to end at a point if one is named.
async fn run(home: &Path, words: [&str; 2], file: &Path, point: Option<&str>) -> Finished {
    let soma = point.into_iter().fold(Soma::new(home).unwrap(), Soma::crash_at);
    let words = words.into_iter().filter(|word| !word.is_empty());
    let soma = soma.env("SOMA_BACKUP_PASSWORD", WORDS).args(words).args([file]);
    soma.finish().await.unwrap()
}

async fn succeeds(home: &Path, words: [&str; 2], file: &Path) -> Finished {
    let done = run(home, words, file, None).await;
    assert_eq!(done.code, 0, "{done:?}");
    done
}

/// What lies beside the archive and is half made.
fn half_made(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let half = listed.filter(|it| it.file_name().to_string_lossy().starts_with(".soma-"));
    half.map(|it| it.path()).collect()
}

/// An archive of a home whose server runs.
async fn archive(base: &Realm, folder: &Path) -> PathBuf {
    let plane = base.server(None).await.unwrap();
    let archive = folder.join("home.tar");
    let cut = run(base.home(), ["backup", ""], &archive, Some("server.backup.packed")).await;
    assert_eq!((cut.code, archive.exists()), (-1, false), "{cut:?}");
    assert_eq!(half_made(folder).len(), 1);
    succeeds(base.home(), ["backup", ""], &archive).await;
    assert_eq!(half_made(folder), [] as [PathBuf; 0], "what was cut off is gone");
    succeeds(base.home(), ["backup", "verify"], &archive).await;
    plane.stop().await.unwrap();
    println!("{:<32} repeated", "server.backup.packed");
    archive
}

/// A home that came back works, and its people are there.
async fn lives(base: &Realm, home: &Path) {
    let plane = Plane::start(home, soma_tests::plane::port().unwrap(), None).await.unwrap();
    let operator = base.operator.clone().enter(&plane, "platform").await.unwrap();
    assert_sound(&plane, &operator).await;
    plane.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_or_restore_that_was_cut_off_leaves_nothing_and_the_next_one_is_whole() {
    let base = Realm::found().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(&base, folder.path()).await;
    for point in ["server.restore.unpacked", "server.restore.begun"] {
        let back = folder.path().join(point);
        let cut = run(&back, ["restore", ""], &archive, Some(point)).await;
        assert_eq!((cut.code, back.exists()), (-1, false), "{cut:?}");
        // Keys lie open in what is left: the next one removes it before it makes its own.
        let left = half_made(folder.path());
        assert!(left[0].join("keys/server/seal.key").is_file(), "{left:?}");
        let done = succeeds(&back, ["restore", ""], &archive).await;
        assert!(done.stderr.contains(&*left[0].to_string_lossy()), "it is said: {done:?}");
        assert_eq!(half_made(folder.path()), [] as [PathBuf; 0]);
        lives(&base, &back).await;
        println!("{point:<32} repeated");
    }
    // Cut off when it had its place already: it is there, and whole.
    let (back, point) = (folder.path().join("placed"), "server.restore.placed");
    let cut = run(&back, ["restore", ""], &archive, Some(point)).await;
    assert_eq!((cut.code, half_made(folder.path()).len()), (-1, 0), "{cut:?}");
    lives(&base, &back).await;
    println!("{point:<32} placed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_beside_what_a_dead_restore_left_removes_it() {
    let base = Realm::found().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (archive, back) = (folder.path().join("home.tar"), folder.path().join("back"));
    succeeds(base.home(), ["backup", ""], &archive).await;
    let (first, other) = (["restore", ""], folder.path().join("other"));
    succeeds(&back, first, &archive).await;
    run(&other, first, &archive, Some("server.restore.begun")).await;
    let left = half_made(folder.path());
    assert_eq!(left.len(), 1, "{left:?}");
    let plane = Plane::start(&back, soma_tests::plane::port().unwrap(), None).await.unwrap();
    assert_eq!(half_made(folder.path()), [] as [PathBuf; 0]);
    let (said, _) = plane.stop().await.unwrap();
    assert!(said.contains(&*left[0].to_string_lossy()), "it is said: {said}");
}
