//! Operators: who may stop things, bound to the root key of this home.
//!
//! `trust/operators.toml` lists them with their quorum. It counts only with the root's signature beside
//! it, and the root's public key is pinned in `trust/root.pub`, which no feed can change. What the list says is
//! soma-capsule's; here is where it lies.

use std::path::Path;

use soma_capsule::key::{KeyPair, PublicKey};
use soma_capsule::operators::{
    LIST_BYTES_MAX, OperatorFileError, SIGNATURE_BYTES_MAX, check_signature,
};
pub use soma_capsule::operators::{OperatorEntry, OperatorFile, encoded};

use super::{HomeError, Layout, file};

/// Name of the root's key file under `keys/`.
pub const ROOT_KEY: &str = "root";
/// Name of the first operator's key file under `keys/`.
pub const OPERATOR_KEY: &str = "operator";

/// The list of operators as it lies in a home.
pub trait OperatorsOnDisk: Sized {
    /// Reads the operators of a home; a list without the root's signature is refused.
    ///
    /// # Errors
    /// [`HomeError`]: each one names the file.
    fn load(layout: &Layout) -> Result<Self, HomeError>;

    /// Writes the list with the root's signature. Whenever it is read, the old list or the new one
    /// bears a signature that fits.
    ///
    /// # Errors
    /// When the list breaks a rule, or a file cannot be written.
    fn write(&self, layout: &Layout, root: &KeyPair) -> Result<(), HomeError>;

    /// Refuses another root than the one that this home is bound to.
    ///
    /// # Errors
    /// When it is another, or the pinned one cannot be read.
    fn must_be_root(layout: &Layout, root: &KeyPair) -> Result<(), HomeError> {
        if root_of(layout)?.fingerprint() == root.public().fingerprint() {
            return Ok(());
        }
        let what = "the key is not the root key of this home".to_owned();
        Err(HomeError::Untrusted { path: layout.root_public(), what })
    }
}

impl OperatorsOnDisk for OperatorFile {
    fn load(layout: &Layout) -> Result<Self, HomeError> {
        let path = layout.operators();
        let bytes = file::read_bounded(&path, LIST_BYTES_MAX)?;
        let root = root_of(layout)?;
        let signature_path = layout.operators_signature();
        let signature = file::read_bounded(&signature_path, SIGNATURE_BYTES_MAX)?;
        if let Err(what) = check_signature(&bytes, &signature, &root) {
            // A list is written after its signature and before that takes its place.
            let next =
                file::read_if_there(&layout.operators_next_signature(), SIGNATURE_BYTES_MAX)?;
            if next.is_none_or(|next| check_signature(&bytes, &next, &root).is_err()) {
                let what = what.to_string();
                return Err(HomeError::Untrusted { path: signature_path, what });
            }
        }
        Self::parse(&bytes).map_err(|error| malformed(&path, &bytes, &error))
    }

    fn write(&self, layout: &Layout, root: &KeyPair) -> Result<(), HomeError> {
        let path = layout.operators();
        let (text, bundle) = self.sign(root).map_err(|error| malformed(&path, b"", &error))?;
        let next = layout.operators_next_signature();
        file::write_private(&next, &bundle)?;
        file::write_private(&path, text.as_bytes())?;
        file::write_private(&layout.operators_signature(), &bundle)?;
        file::remove(&next).map(drop)
    }
}

fn malformed(path: &Path, bytes: &[u8], error: &OperatorFileError) -> HomeError {
    let what = match (error, std::str::from_utf8(bytes)) {
        (OperatorFileError::Toml(error), Ok(text)) => {
            crate::installations::explain_toml(text, error)
        }
        _ => error.to_string(),
    };
    HomeError::Malformed { path: path.to_owned(), what }
}

pub(crate) fn root_of(layout: &Layout) -> Result<PublicKey, HomeError> {
    let path = layout.root_public();
    PublicKey::from_pem(&file::read_bounded(&path, 16 * 1024)?)
        .map_err(|e| super::keys::key_error(&path, &e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> (Layout, KeyPair, OperatorFile) {
        let layout = Layout::new(folder);
        file::make_folder(&layout.trust()).unwrap();
        let (root, operator) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        file::write_private(&layout.root_public(), root.public().to_pem().as_bytes()).unwrap();
        let operators = OperatorFile {
            schema: 1,
            quorum: 1,
            operators: vec![OperatorEntry {
                name: "operator".to_owned(),
                person: "ada \"x\"\n".to_owned(),
                key: encoded(operator.public()),
            }],
        };
        operators.write(&layout, &root).unwrap();
        (layout, root, operators)
    }

    #[test]
    fn a_signed_list_reads_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, _, operators) = written(folder.path());
        assert_eq!(OperatorFile::load(&layout).unwrap(), operators);
        assert!(operators.is_single_operator());
    }

    #[test]
    fn an_edited_list_and_another_root_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, _, operators) = written(folder.path());
        let text = operators.text().replace("name = \"operator\"", "name = \"mallory\"");
        file::write_private(&layout.operators(), text.as_bytes()).unwrap();
        assert!(matches!(OperatorFile::load(&layout), Err(HomeError::Untrusted { .. })));
        operators.write(&layout, &KeyPair::generate().unwrap()).unwrap();
        assert!(matches!(OperatorFile::load(&layout), Err(HomeError::Untrusted { .. })));
    }

    #[test]
    fn a_crash_between_any_two_writes_leaves_a_list_that_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, root, old) = written(folder.path());
        let text = old.text();
        let signature = std::fs::read(layout.operators_signature()).unwrap();
        let mut new = old.clone();
        new.operators[0].name = "ada".to_owned();
        new.write(&layout, &root).unwrap();
        let next = std::fs::read(layout.operators_signature()).unwrap();
        assert!(!layout.operators_next_signature().exists());
        // The list and its signature are the old ones again, step by step as `write` goes.
        file::write_private(&layout.operators(), text.as_bytes()).unwrap();
        file::write_private(&layout.operators_signature(), &signature).unwrap();
        file::write_private(&layout.operators_next_signature(), &next).unwrap();
        assert_eq!(OperatorFile::load(&layout).unwrap(), old);
        file::write_private(&layout.operators(), new.text().as_bytes()).unwrap();
        assert_eq!(OperatorFile::load(&layout).unwrap(), new);
        file::write_private(&layout.operators_signature(), &next).unwrap();
        assert_eq!(OperatorFile::load(&layout).unwrap(), new);
    }

    #[test]
    fn a_quorum_counts_persons_and_is_never_zero() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, root, mut operators) = written(folder.path());
        operators.operators.push(operators.operators[0].clone());
        for quorum in [0, 2] {
            operators.quorum = quorum;
            assert!(operators.write(&layout, &root).is_err(), "{quorum}");
        }
    }
}
