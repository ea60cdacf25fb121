//! `soma audit verify`: the proof itself is soma-host's; here are its places and its words.

use std::path::PathBuf;

use serde_json::json;
use soma_capsule::key::PublicKey;
use soma_host::journal::{JournalPublicKey, VerifyError, VerifyReport, verify};
use soma_policy::Code;

use super::Verify;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

impl Verify {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        if self.server {
            return super::record::verify(context);
        }
        let home = || context.home();
        let folder = match &self.journal {
            Some(folder) => folder.clone(),
            None => home()?.layout().journal(),
        };
        let head = match &self.head {
            Some(head) => head.clone(),
            None => home()?.layout().journal_head(),
        };
        let key = self.public_key(context)?;
        let progress = context.out.progress("verifying");
        let verified = verify(&folder, &head, &key);
        drop(progress);
        match verified {
            Ok(report) => Ok(context.out.report(&told(&folder, &report))?),
            Err(fault) => Err(failure(&fault)),
        }
    }

    fn public_key(&self, context: &Context) -> Result<JournalPublicKey, Failure> {
        let der = match &self.key {
            Some(path) => PublicKey::from_pem(&context.read(path, 16 * 1024)?)?.spki_der().to_vec(),
            None => context.home()?.keys()?.host.public_spki()?,
        };
        Ok(JournalPublicKey::from_der(&der))
    }
}

fn failure(fault: &VerifyError) -> Failure {
    let code = match fault {
        VerifyError::Cut { .. } => Code::JournalCut,
        VerifyError::Front { .. } => Code::JournalGap,
        VerifyError::Foreign { .. } => Code::JournalForeign,
        VerifyError::Disk(_) => Code::HomeIo,
        VerifyError::Head(_) | VerifyError::Empty(_) => Code::FileNotFound,
        _ => Code::JournalHash,
    };
    Failure::new(code, Failure::chain(fault)).fix(code.entry().remedy)
}

fn told(folder: &PathBuf, report: &VerifyReport) -> Report {
    let count = |name: &str| report.entries.get(name).copied().unwrap_or_default();
    let head: String =
        report.head.to_string().trim_start_matches("sha256:").chars().take(8).collect();
    let mut text = format!(
        "verified {} receipts, {} kill records, {} records in all · head {head}… · no gaps",
        grouped(count("receipt")),
        grouped(count("kill")),
        grouped(report.last.saturating_sub(report.first).saturating_add(1)),
    );
    if report.unsigned > 0 {
        text.push_str(&format!(" · {} of the last moments not signed yet", report.unsigned));
    }
    if let Some(tail) = &report.tail {
        text.push_str(&format!(" · above the head: {tail}"));
    }
    let value = json!({
        "journal": report.journal.to_string(),
        "host": report.host.to_string(),
        "folder": folder,
        "first": report.first.to_string(),
        "last": report.last.to_string(),
        "head": report.head.to_string(),
        "entries": report.entries,
        "signatures": report.signatures,
        "unsigned": report.unsigned,
    });
    Report::new("soma.audit.verify.v1", value, text)
}

/// `8,812`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(
            [0, 17, 812, 8812, 1_234_567].map(grouped),
            ["0", "17", "812", "8,812", "1,234,567"]
        );
    }
}
