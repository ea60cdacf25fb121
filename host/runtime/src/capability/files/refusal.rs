//! Refusals in full: what an error code cannot tell the guest, kept for outcome, receipt and command line.

use super::fault::Fault;
use super::volume::Mount;
use soma_policy::{
    CapabilityKind, CapabilityRef, Code, Denial, FileOp, FileRequest, InstallationKey, Layer,
};
use soma_wit::standard::filesystem::types::ErrorCode;

/// The denial for a fault of which [`Fault::is_refusal`] holds.
pub(crate) fn denial(
    fault: Fault,
    op: FileOp,
    mount: &Mount,
    path: &str,
    key: &InstallationKey,
) -> Denial {
    let denial = Denial::new(code(fault), Layer::Grant, operation(op, path), fault.to_string())
        .on(capability(mount));
    match remedy(fault, mount, key) {
        Some(remedy) => denial.fix(remedy),
        None => denial,
    }
}

/// `files.N`.
pub(crate) fn capability(mount: &Mount) -> CapabilityRef {
    CapabilityRef::named(CapabilityKind::Files, mount.name.clone())
}

/// The operation in the words that every other denial of it has.
fn operation(op: FileOp, path: &str) -> String {
    FileRequest::canonical(op, path)
        .map_or_else(|denial| denial.operation, |request| request.to_string())
}

const fn code(fault: Fault) -> Code {
    match fault {
        Fault::OverBytes { .. } | Fault::OverInodes { .. } => Code::FilesQuota,
        Fault::ReadOnly | Fault::WriteOnly => Code::FilesAccess,
        Fault::Link | Fault::Symlink | Fault::Special | Fault::HardLinked | Fault::OtherDevice => {
            Code::FilesKind
        }
        _ => Code::FilesPath,
    }
}

/// The exact change that would allow it, where there is one.
fn remedy(fault: Fault, mount: &Mount, key: &InstallationKey) -> Option<String> {
    let (field, wish) = match fault {
        Fault::OverBytes { wanted, used, .. } => (
            "quota",
            format!("delete files, or raise it to {} bytes or more", used.saturating_add(wanted)),
        ),
        Fault::OverInodes { used, .. } => {
            ("inodes", format!("delete files, or raise it to {} or more", used.saturating_add(1)))
        }
        Fault::ReadOnly | Fault::WriteOnly => ("access", "set it to \"read-write\"".to_owned()),
        _ => return None,
    };
    Some(format!("grants.files.{}.{field} in {}: {wish}", mount.name, key.file()))
}

/// The code that says most of a denial by the gate.
pub(crate) fn nearest(denial: &Denial, mount: &Mount, op: FileOp) -> ErrorCode {
    match denial.code {
        Code::FilesQuota => ErrorCode::Quota,
        Code::FilesPath => ErrorCode::NotPermitted,
        Code::FilesAccess if op.changes() && !mount.writable => ErrorCode::ReadOnly,
        _ => ErrorCode::Access,
    }
}
