//! The arguments of a call: `JSON | -a name=text | -a name=@file | -a name:=json | -`.
//!
//! They become one JSON object. What it must hold is known to the host alone.

use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value};
use soma_policy::Code;

use crate::failure::Failure;

/// Longest text that is taken from a file, standard input or the command line.
const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What is typed after the function's name.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct CallArguments {
    /// All arguments as one JSON object, or `-` to read it from standard input
    #[arg(value_name = "JSON")]
    json: Option<String>,
    /// One argument: `name=text`, `name=@file` (`name=@base64:file` for bytes) or `name:=json`
    #[arg(short = 'a', long = "arg", value_name = "NAME=VALUE")]
    named: Vec<String>,
}

impl CallArguments {
    /// The JSON object that is sent.
    pub(crate) fn read(&self) -> Result<Value, Failure> {
        let mut object = match self.json.as_deref() {
            None => Map::new(),
            Some("-") => parse_object(&read_stdin()?, "standard input")?,
            Some(text) => parse_object(text, "the arguments")?,
        };
        for argument in &self.named {
            let (name, value) = parse_named(argument)?;
            if object.insert(name.clone(), value).is_some() {
                return Err(refused(format!("argument `{name}` is given twice")));
            }
        }
        Ok(Value::Object(object))
    }
}

fn parse_object(text: &str, from: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => {
            Err(refused(format!("{from} must be a JSON object, such as {{\"text\": \"a,b\"}}")))
        }
        Err(e) => Err(refused(format!("{from} are not JSON: {e}"))),
    }
}

fn parse_named(argument: &str) -> Result<(String, Value), Failure> {
    let form = || {
        let short: String = argument.chars().take(60).collect();
        refused(format!("`{short}` is not an argument; write name=text, name=@file or name:=json"))
    };
    let (name, value) = argument.split_once('=').ok_or_else(form)?;
    if let Some(name) = name.strip_suffix(':') {
        let value = serde_json::from_str(value)
            .map_err(|e| refused(format!("argument `{name}` is not JSON: {e}")))?;
        return named(name, value).ok_or_else(form);
    }
    let value = match value.strip_prefix('@') {
        None => Value::String(value.to_owned()),
        Some(source) => Value::String(read_source(name, source)?),
    };
    named(name, value).ok_or_else(form)
}

fn named(name: &str, value: Value) -> Option<(String, Value)> {
    (!name.is_empty()).then(|| (name.to_owned(), value))
}

fn read_source(name: &str, source: &str) -> Result<String, Failure> {
    if let Some(file) = source.strip_prefix("base64:") {
        let bytes = read_file(Path::new(file))?;
        return Ok(base64::engine::general_purpose::STANDARD.encode(bytes));
    }
    String::from_utf8(read_file(Path::new(source))?).map_err(|_| {
        refused(format!("`{source}` is not text; for bytes write -a {name}=@base64:{source}"))
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    soma_host::home::read_bounded(path, BYTES_MAX)
        .map_err(|e| Failure::new(Code::FileNotFound, Failure::chain(&e)))
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| refused(format!("standard input cannot be read: {e}")))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(refused("standard input is longer than 32 MiB".to_owned()));
    }
    Ok(text)
}

fn refused(message: String) -> Failure {
    Failure::new(Code::Usage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Option<&str>, named: &[&str]) -> Result<Value, Failure> {
        let named = named.iter().map(|n| (*n).to_owned()).collect();
        CallArguments { json: json.map(str::to_owned), named }.read()
    }

    #[test]
    fn text_json_and_files_become_one_object() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.csv");
        std::fs::write(&file, "a,b\n1,2\n").unwrap();
        let from_file = format!("text=@{}", file.display());
        let bytes = format!("raw=@base64:{}", file.display());
        let value =
            read(Some(r#"{"x": 1}"#), &["head:=true", "sep==", &from_file, &bytes]).unwrap();
        assert_eq!(
            value,
            serde_json::json!({ "x": 1, "head": true, "sep": "=", "text": "a,b\n1,2\n", "raw": "YSxiCjEsMgo=" })
        );
    }

    #[test]
    fn no_arguments_are_an_empty_object() {
        assert_eq!(read(None, &[]).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn bad_arguments_name_what_is_wrong() {
        for (json, named, says) in [
            (Some("[1]"), &[][..], "JSON object"),
            (Some("{"), &[], "not JSON"),
            (None, &["x"], "name=text"),
            (None, &["=x"], "name=text"),
            (None, &["x:=}"], "`x` is not JSON"),
            (None, &["x=1", "x=2"], "twice"),
            (None, &["x=@/no/such/file"], "/no/such/file"),
        ] {
            let refused = read(json, named).unwrap_err().to_string();
            assert!(refused.contains(says), "{json:?} {named:?}: {refused}");
        }
    }

    #[test]
    fn a_file_of_bytes_says_how_to_send_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.bin");
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        let refused = read(None, &[&format!("x=@{}", file.display())]).unwrap_err();
        assert!(refused.to_string().contains("@base64:"), "{refused}");
    }
}
