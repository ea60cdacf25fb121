//! The catalogue: a folder of signed capsules (`NAME.wasm`, `NAME.sigstore.json`, `NAME.cdx.json`), with the keys of
//! their publishers under `trust/PUBLISHER/`. Whoever can write there could replace the program itself.

use std::path::{Path, PathBuf};

use soma_capsule::TrustStore;
use soma_host::home::names_in;
use soma_policy::Code;

use super::publish::{Landed, Parcel, waits};
use super::{Arrivals, name};
use crate::failure::Failure;
use crate::project::sbom;
use crate::reference::Found;

/// Most capsules of one catalogue.
const CAPSULES_MAX: usize = 256;
const PAPER_BYTES_MAX: u64 = 2 * 1024 * 1024;

impl Arrivals {
    /// Publishes what is not there yet.
    pub(super) async fn catalogue(&self, login: &str, folder: &Path) -> Result<(), Failure> {
        let trust = TrustStore::load(&folder.join("trust"))
            .map_err(|error| Failure::new(error.code(), Failure::chain(&error)))?;
        let (mut new, mut known) = (Vec::new(), 0_usize);
        for path in capsules(folder)? {
            match self.one(login, &path, &trust).await {
                Ok((parcel, Landed::Now)) => new.push(parcel.name.to_string()),
                Ok((_, Landed::Before)) => known += 1,
                Ok((parcel, Landed::Other)) => {
                    let (name, version) = (&parcel.name, &parcel.version);
                    self.told(
                        &path,
                        &format!("{name}@{version} is published with other content: it stays"),
                    );
                }
                Ok((_, Landed::Waits { state, submission })) => {
                    self.told(&path, &waits(&state, &submission).line());
                }
                Err(failure) => self.told(&path, &failure.line()),
            }
        }
        match (new.len(), known) {
            (0, _) => {}
            (count, _) => {
                let names = new.join(", ");
                let line = format!("  catalogue: {count} published ({names}) · next: soma search");
                self.context.out.note(line);
            }
        }
        Ok(())
    }

    async fn one(
        &self,
        login: &str,
        path: &Path,
        trust: &TrustStore,
    ) -> Result<(Parcel, Landed), Failure> {
        let package = Found::open(&self.context, &path.to_string_lossy())?.into_package()?;
        let bill = Some(sbom::path_beside(path)).filter(|path| path.exists());
        let bill = bill.map(|path| self.context.read(&path, PAPER_BYTES_MAX)).transpose()?;
        let parcel = Parcel::verified(package, bill, trust)?;
        let landed = self.publish(login, &parcel, trust).await?;
        Ok((parcel, landed))
    }

    fn told(&self, path: &Path, why: &str) {
        self.context.out.warn(format!("not in the catalogue: {}: {why}", name(path)));
    }
}

/// The component files of a folder, sorted.
fn capsules(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.is_dir() {
        let what = format!("there is no folder `{}`", folder.display());
        return Err(Failure::new(Code::FileNotFound, what)
            .fix("give the folder of a catalogue, or --no-catalogue"));
    }
    let names = names_in(folder)?.into_iter().filter(|name| name.ends_with(".wasm"));
    Ok(names.take(CAPSULES_MAX).map(|name| folder.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_said_and_other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.wasm", "a.wasm", "a.cdx.json", "a.sigstore.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = capsules(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| name(path)).collect();
        assert_eq!(names, ["a.wasm", "b.wasm"]);
        let missing = capsules(&folder.path().join("no")).unwrap_err();
        assert_eq!(missing.code(), Some(Code::FileNotFound));
    }
}
