//! What serde cannot say: lengths of texts, and entries that refer to each other.

use serde_json::Value;
use soma_policy::{CapabilityKind, Code};

use super::{Manifest, ManifestError};

const SUMMARY_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 1_000;
const FUNCTIONS_MAX: usize = 256;
const INPUTS_MAX: usize = 64;
const ENTRIES_MAX: usize = 64;

/// A rule that a manifest breaks, and where.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) path: Vec<String>,
    pub(super) code: Code,
    pub(super) message: String,
}

impl Broken {
    fn new(code: Code, path: &[&str], message: impl Into<String>) -> Self {
        let path = path.iter().map(|part| (*part).to_string()).collect();
        Self { path, code, message: message.into() }
    }

    /// The same without a file to point into.
    pub(super) fn without_file(self) -> ManifestError {
        let place = self.path.join(".");
        ManifestError::new(self.code, None, format!("{place}: {}", self.message))
    }
}

/// Checks a manifest by itself.
pub(super) fn check(manifest: &Manifest) -> Result<(), Broken> {
    line(&["summary"], &manifest.summary, SUMMARY_CHARS_MAX)?;
    licence(&manifest.licence)?;
    functions(manifest)?;
    capabilities(manifest)?;
    secrets(manifest)?;
    dates(manifest)?;
    price(manifest)
}

/// One line of text for people: not empty, not endless, nothing that moves a cursor.
fn line(path: &[&str], text: &str, chars_max: usize) -> Result<(), Broken> {
    let rule = if text.trim().is_empty() {
        "it is empty".to_string()
    } else if text.chars().count() > chars_max {
        format!("it is longer than {chars_max} characters")
    } else if text.chars().any(char::is_control) {
        "it holds a control character".to_string()
    } else {
        return Ok(());
    };
    Err(Broken::new(Code::ManifestBadValue, path, rule))
}

fn licence(text: &str) -> Result<(), Broken> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | ' ' | '(' | ')');
    line(&["licence"], text, SUMMARY_CHARS_MAX)?;
    if text.chars().all(plain) {
        return Ok(());
    }
    let rule = "it is not an SPDX expression such as \"Apache-2.0\" or \"MIT OR Apache-2.0\"";
    Err(Broken::new(Code::ManifestBadValue, &["licence"], rule))
}

fn functions(manifest: &Manifest) -> Result<(), Broken> {
    if manifest.functions.len() > FUNCTIONS_MAX {
        let rule = format!("more than {FUNCTIONS_MAX} functions are described");
        return Err(Broken::new(Code::ManifestTooLarge, &["functions"], rule));
    }
    for (name, words) in &manifest.functions {
        let path = |key| ["functions", name.as_str(), key];
        line(&path("summary"), &words.summary, TEXT_CHARS_MAX)?;
        if let Some(output) = &words.output {
            line(&path("output"), output, TEXT_CHARS_MAX)?;
        }
        if words.inputs.len() > INPUTS_MAX {
            let rule = format!("more than {INPUTS_MAX} inputs are described");
            return Err(Broken::new(Code::ManifestTooLarge, &path("inputs"), rule));
        }
        for (input, text) in &words.inputs {
            line(&["functions", name.as_str(), "inputs", input], text, TEXT_CHARS_MAX)?;
        }
    }
    Ok(())
}

/// Bounded in number, with reasons that fit on a grant sheet.
fn capabilities(manifest: &Manifest) -> Result<(), Broken> {
    for kind in CapabilityKind::ALL {
        let declared = manifest.capabilities.list();
        if declared.iter().filter(|(found, _)| found.kind == *kind).count() > ENTRIES_MAX {
            let rule = format!("more than {ENTRIES_MAX} of one kind are declared");
            let path = ["capabilities", kind.as_str()];
            return Err(Broken::new(Code::ManifestTooLarge, &path, rule));
        }
    }
    let tables = serde_json::to_value(&manifest.capabilities).unwrap_or_default();
    reasons(&mut vec!["capabilities".to_string()], &tables)
}

/// Checks each `why`, wherever it stands.
fn reasons(path: &mut Vec<String>, table: &Value) -> Result<(), Broken> {
    let Some(table) = table.as_object() else { return Ok(()) };
    for (key, value) in table {
        path.push(key.clone());
        match value.as_str() {
            Some(text) if key == "why" => {
                let parts: Vec<&str> = path.iter().map(String::as_str).collect();
                line(&parts, text, TEXT_CHARS_MAX)?;
            }
            _ => reasons(path, value)?,
        }
        path.pop();
    }
    Ok(())
}

/// A secret goes into requests of one declared http entry, and of none that can be widened.
fn secrets(manifest: &Manifest) -> Result<(), Broken> {
    let http = &manifest.capabilities.http;
    for (name, secret) in &manifest.capabilities.secret {
        let path = ["capabilities", "secret", name.as_str(), "place"];
        let wanted = secret.place.http.as_str();
        let rule = match http.get(wanted) {
            Some(entry) if entry.origin.is_exact_https() => continue,
            Some(_) => {
                format!("the origin of [capabilities.http.{wanted}] is not one exact https host")
            }
            None => {
                let known: Vec<&str> = http.keys().map(AsRef::as_ref).collect();
                let hint = soma_policy::did_you_mean(wanted, &known);
                format!("there is no [capabilities.http.{wanted}]{hint}")
            }
        };
        return Err(Broken::new(Code::ManifestSecretPlace, &path, rule));
    }
    Ok(())
}

/// TOML has dates, JSON and WIT have none: the reader hands them on as a table of its own making.
fn dates(manifest: &Manifest) -> Result<(), Broken> {
    const MADE_BY_THE_READER: &str = "$__toml_private_datetime";
    let Some(health) = &manifest.health else { return Ok(()) };
    let holds = |value: &Value| value.to_string().contains(MADE_BY_THE_READER);
    if health.args.values().any(holds) || health.expect.as_ref().is_some_and(holds) {
        let rule = "a date has no WIT type; write it as a string";
        return Err(Broken::new(Code::ManifestBadValue, &["health"], rule));
    }
    Ok(())
}

fn price(manifest: &Manifest) -> Result<(), Broken> {
    match &manifest.price {
        Some(price) if price.per_call.micros < 0 => {
            let rule = "a price is not negative";
            Err(Broken::new(Code::ManifestPrice, &["price", "per_call"], rule))
        }
        _ => Ok(()),
    }
}
