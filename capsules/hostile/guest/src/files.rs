//! Out of the folder, past the access, over the quota. `work` may be written, `docs` only read.

use soma_sdk::bindings::wasi::filesystem::preopens;
use soma_sdk::bindings::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};
use soma_sdk::clock;

use crate::{Outcome, stopped};

pub(crate) fn run(name: &str, argument: &str) -> Outcome {
    let refused = |what: &str, error: ErrorCode| format!("{what}: {error:?}");
    match name {
        // Any path that leaves the folder: up, absolute, through a link that a person planted.
        "read" => read(&folder("work")?, argument).map_err(|e| refused("read", e)),
        "write" => write(&folder("work")?, argument, b"x").map_err(|e| refused("write", e)),
        "symlink" => done(folder("work")?.symlink_at(argument, "link"), "linked"),
        "readlink" => folder("work")?.readlink_at(argument).map_err(|e| refused("readlink", e)),
        "stat" => {
            let found = folder("work")?.stat_at(PathFlags::SYMLINK_FOLLOW, argument);
            found.map(|stat| format!("{} bytes", stat.size)).map_err(|e| refused("stat", e))
        }
        "rename" => {
            let work = folder("work")?;
            done(work.rename_at(argument, &work, "mine"), "renamed")
        }
        "rename-out" => {
            let (work, docs) = (folder("work")?, folder("docs")?);
            write(&work, "a", b"x").map_err(stopped)?;
            done(work.rename_at("a", &docs, "a"), "renamed")
        }
        "rename-up" => {
            let work = folder("work")?;
            write(&work, "a", b"x").map_err(stopped)?;
            done(work.rename_at("a", &work, "../a"), "renamed")
        }
        "hard-link" => {
            let (work, docs) = (folder("work")?, folder("docs")?);
            done(docs.link_at(PathFlags::empty(), "fixed.txt", &work, "stolen"), "linked")
        }
        "docs-write" => write(&folder("docs")?, "fixed.txt", b"x").map_err(stopped),
        "docs-create" => write(&folder("docs")?, "new.txt", b"x").map_err(stopped),
        "docs-remove" => done(folder("docs")?.unlink_file_at("fixed.txt"), "removed"),
        "docs-mkdir" => done(folder("docs")?.create_directory_at("new"), "made"),
        "docs-truncate" => {
            let file = folder("docs")?.open_at(
                PathFlags::empty(),
                "fixed.txt",
                OpenFlags::TRUNCATE,
                DescriptorFlags::READ,
            );
            done(file.map(drop), "truncated")
        }
        "docs-set-size" => {
            let file = open(&folder("docs")?, "fixed.txt", DescriptorFlags::READ)?;
            done(file.set_size(0), "truncated")
        }
        "docs-touch" => {
            let file = open(&folder("docs")?, "fixed.txt", DescriptorFlags::READ)?;
            done(file.set_times(NewTimestamp::Now, NewTimestamp::Now), "touched")
        }
        "docs-exclusive" => {
            let flags = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
            done(
                folder("docs")?
                    .open_at(PathFlags::empty(), "new", flags, DescriptorFlags::READ)
                    .map(drop),
                "made",
            )
        }
        "sparse" => {
            let work = folder("work")?;
            write(&work, "sparse", b"x").map_err(stopped)?;
            done(open(&work, "sparse", DescriptorFlags::WRITE)?.set_size(1 << 50), "grown")
        }
        "sparse-write" => {
            let work = folder("work")?;
            write(&work, "far", b"x").map_err(stopped)?;
            let file = open(&work, "far", DescriptorFlags::WRITE)?;
            file.write(b"x", 1 << 50).map(|n| n.to_string()).map_err(stopped)
        }
        "inodes" => flood(|work, n| write(work, &format!("f{n}"), b"").map(drop)),
        "folders" => flood(|work, n| work.create_directory_at(&format!("d{n}"))),
        "quota" => {
            let work = folder("work")?;
            for n in 0..100_000_u64 {
                let file = open_new(&work, "big")?;
                file.write(&[0; 4096], n * 4096).map_err(stopped)?;
            }
            Ok("400 MB written".to_owned())
        }
        // For ever, so that a kill finds it in the middle of a write.
        "write-for-ever" => {
            let work = folder("work")?;
            for n in 0_u64.. {
                let file = open_new(&work, "killed")?;
                file.write(&n.to_le_bytes(), 0).map_err(stopped)?;
                clock::wait_ms(1);
            }
            Ok("the end of numbers".to_owned())
        }
        other => panic!("no attack is called files.{other}"),
    }
}

fn folder(mount: &str) -> Result<Descriptor, String> {
    preopens::get_directories()
        .into_iter()
        .find(|(_, name)| name.trim_start_matches('/') == mount)
        .map(|(folder, _)| folder)
        .ok_or_else(|| format!("no folder is mounted at {mount}"))
}

fn open(folder: &Descriptor, path: &str, flags: DescriptorFlags) -> Result<Descriptor, String> {
    folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), flags).map_err(stopped)
}

fn open_new(folder: &Descriptor, path: &str) -> Result<Descriptor, String> {
    folder
        .open_at(PathFlags::empty(), path, OpenFlags::CREATE, DescriptorFlags::WRITE)
        .map_err(stopped)
}

fn read(folder: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let file = folder.open_at(
        PathFlags::SYMLINK_FOLLOW,
        path,
        OpenFlags::empty(),
        DescriptorFlags::READ,
    )?;
    let (bytes, _) = file.read(4096, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(folder: &Descriptor, path: &str, bytes: &[u8]) -> Result<String, ErrorCode> {
    let flags = DescriptorFlags::WRITE;
    let file = folder.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::CREATE, flags)?;
    file.write(bytes, 0).map(|n| format!("{n} written"))
}

fn done(result: Result<(), ErrorCode>, what: &str) -> Outcome {
    result.map(|()| what.to_owned()).map_err(stopped)
}

fn flood(make: impl Fn(&Descriptor, u32) -> Result<(), ErrorCode>) -> Outcome {
    let work = folder("work")?;
    for n in 0..100_000 {
        make(&work, n).map_err(|error| format!("refused after {n}: {error:?}"))?;
    }
    Ok("100,000 made".to_owned())
}
