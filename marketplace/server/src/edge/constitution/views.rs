//! Constitutions as clients see them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use soma_capsule::constitution::{Constitution, Difference};
use soma_policy::{Code, Digest, Timestamp};
use utoipa::{IntoParams, ToSchema};

use crate::constitution::Standing;
use crate::store::ConstitutionRow;

/// A constitution, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct ConstitutionView {
    /// The digest of what was signed: what tokens, events and audits name.
    pub(super) digest: String,
    /// Its number.
    pub(super) version: String,
    /// Since when it holds, or held (milliseconds); none while it is proposed.
    pub(super) activated: Option<String>,
    /// When it came (milliseconds).
    pub(super) created: String,
    /// Who brought it.
    pub(super) put_by: String,
    /// Fingerprints of the keys that signed it.
    pub(super) keys: Vec<String>,
    /// How many of the present operators, as persons, signed it.
    pub(super) signed: usize,
    /// How many must.
    pub(super) needed: usize,
    /// The document: principles, policies, limits.
    #[schema(value_type = Object)]
    pub(super) document: Constitution,
    /// The same, signed: a DSSE envelope.
    pub(super) envelope: String,
}

/// A constitution in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct ConstitutionLine {
    /// The digest of what was signed.
    pub(super) digest: String,
    /// Its number.
    pub(super) version: String,
    /// Since when it holds, or held (milliseconds).
    pub(super) activated: Option<String>,
    /// When it came (milliseconds).
    pub(super) created: String,
    /// Who brought it.
    pub(super) put_by: String,
}

/// What holds now.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Current {
    /// The deployment that a constitution must name.
    pub(super) deployment: String,
    /// How many operators, as persons, must sign one.
    pub(super) needed: usize,
    /// The hash of the whole policy by which this server judges.
    #[schema(value_type = String)]
    pub(super) policy: Digest,
    /// The constitution that holds; none while each machine's own policy folder does.
    pub(super) constitution: Option<ConstitutionView>,
}

/// What is different between two.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Changes {
    /// The older one's digest; none is before the first.
    #[schema(value_type = Option<String>)]
    pub(super) from: Option<Digest>,
    /// The newer one's digest.
    #[schema(value_type = String)]
    pub(super) to: Digest,
    /// Files with the lines that only one of the two has.
    #[schema(value_type = Vec<Object>)]
    pub(super) files: Value,
}

/// Which two.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct Between {
    /// The older one: a number or a digest. What the newer one follows, if left out.
    pub(super) from: Option<String>,
    /// The newer one: a number or a digest.
    pub(super) to: String,
}

/// Whether a text could hold.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Validity {
    /// Whether it could.
    pub(super) ok: bool,
    /// The digest that operators would sign.
    #[schema(value_type = String)]
    pub(super) digest: Digest,
    /// Everything that is wrong.
    pub(super) faults: Vec<Fault>,
    /// What would be different, by files.
    #[schema(value_type = Vec<Object>)]
    pub(super) files: Value,
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Fault {
    /// Its code.
    #[schema(value_type = String)]
    pub(super) code: Code,
    /// The file, if it is in one.
    pub(super) file: Option<String>,
    /// The line, if it is known.
    pub(super) line: Option<usize>,
    /// What is wrong.
    pub(super) message: String,
}

/// The files of a difference.
pub(super) fn files(difference: &Difference) -> Value {
    serde_json::to_value(&difference.files).unwrap_or_default()
}

impl Fault {
    pub(super) fn new(code: Code, what: &dyn fmt::Display) -> Self {
        Self { code, file: None, line: None, message: what.to_string() }
    }
}

impl From<soma_policy::PolicyError> for Fault {
    fn from(it: soma_policy::PolicyError) -> Self {
        let file = Some(it.file).filter(|file| !file.is_empty());
        Self { code: it.code, file, line: it.line, message: it.message }
    }
}

fn time(at: Timestamp) -> String {
    at.0.to_string()
}

impl From<ConstitutionRow> for ConstitutionLine {
    fn from(row: ConstitutionRow) -> Self {
        Self {
            digest: row.digest.to_string(),
            version: row.version.to_string(),
            activated: row.activated.map(time),
            created: time(row.created),
            put_by: row.put_by,
        }
    }
}

impl From<Standing> for ConstitutionView {
    fn from(it: Standing) -> Self {
        let Standing { row, document, keys, signed, needed } = it;
        let envelope = row.envelope.clone();
        let ConstitutionLine { digest, version, activated, created, put_by } = row.into();
        Self {
            digest,
            version,
            activated,
            created,
            put_by,
            keys,
            signed,
            needed,
            document,
            envelope,
        }
    }
}
