//! The OpenAPI document: its operations, and whether an answer is one that it promises.

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

/// The methods that a path item may have.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// Where a schema is said to lie while it is asked: nothing is fetched from there.
const PLACE: &str = "https://soma.invalid/answer.json";

/// One path and method.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    /// The statuses that it may answer with.
    pub(super) statuses: Vec<String>,
}

/// The document.
pub(super) struct Document(Value);

impl Document {
    /// What the repository holds.
    pub(super) fn committed() -> Self {
        let text = include_str!("../../../../docs/reference/openapi.json");
        Self(serde_json::from_str(text).unwrap())
    }

    pub(super) fn json(&self) -> &Value {
        &self.0
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.0["paths"].as_object().unwrap().keys().cloned().collect()
    }

    pub(super) fn methods(&self, path: &str) -> Vec<String> {
        let item = self.0["paths"][path].as_object().unwrap();
        item.keys().filter(|key| METHODS.contains(&key.as_str())).cloned().collect()
    }

    pub(super) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for path in self.paths() {
            for method in self.methods(&path) {
                let responses = self.0["paths"][&path][&method]["responses"].as_object().unwrap();
                let statuses = responses.keys().cloned().collect();
                operations.push(Operation { method, path: path.clone(), statuses });
            }
        }
        operations
    }

    /// Whether an answer's status, content type and body are what the document says.
    pub(super) fn check(
        &self,
        method: &str,
        path: &str,
        status: u16,
        kind: &str,
        body: &[u8],
    ) -> anyhow::Result<()> {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let response = operation["responses"].get(status.to_string());
        let content = &response.context("the status is not documented")?["content"];
        let Some(media) = content.get(kind) else {
            bail!("content type `{kind}` is not documented, only {content}");
        };
        if kind.ends_with("json") {
            return self.check_value(&media["schema"], body);
        }
        ensure!(media["schema"]["type"] == "string", "{kind} is documented as {media}");
        Ok(std::str::from_utf8(body).map(drop)?)
    }

    /// Whether a body is an instance of a named schema.
    pub(super) fn check_schema(&self, name: &str, body: &[u8]) -> anyhow::Result<()> {
        self.check_value(&json!({ "$ref": format!("#/components/schemas/{name}") }), body)
    }

    fn check_value(&self, schema: &Value, body: &[u8]) -> anyhow::Result<()> {
        // The schema stands in a document of its own that brings the named ones along.
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.0["components"],
        });
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        let failed = |error: &dyn std::fmt::Display| anyhow::anyhow!("{error:#}");
        compiler.add_resource(PLACE, whole).map_err(|error| failed(&error))?;
        let compiled = compiler.compile(PLACE, &mut schemas).map_err(|error| failed(&error))?;
        let instance = serde_json::from_slice(body)?;
        schemas.validate(&instance, compiled).map_err(|error| failed(&error))
    }
}

#[test]
fn an_answer_that_is_not_as_documented_is_noticed() {
    let document = Document::committed();
    let good = br#"{"status":"alive"}"#;
    let ask = |status, kind, body: &[u8]| document.check("GET", "/health", status, kind, body);
    ask(200, "application/json", good).unwrap();
    assert!(ask(201, "application/json", good).is_err());
    assert!(ask(200, "text/plain", good).is_err());
    for bad in [&br#"{"status":1}"#[..], br#"{}"#, br#"{"status":"alive","more":1}"#, b"no"] {
        assert!(ask(200, "application/json", bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}
