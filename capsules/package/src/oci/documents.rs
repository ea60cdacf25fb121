//! The JSON documents of an image layout. Fields that we do not use are passed over, as the
//! specification asks of readers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soma_policy::Digest;

use super::Artifact;
use crate::bundle::BUNDLE_MEDIA_TYPE;

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(super) const WASM: &str = "application/wasm";
pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(super) const EMPTY_BODY: &[u8] = b"{}";
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
const TITLE: &str = "org.opencontainers.image.title";
const BUNDLE_CONTENT: &str = "dev.sigstore.bundle.content";

pub(super) type Annotations = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layout {
    pub(super) image_layout_version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub(super) annotations: Annotations,
}

impl Descriptor {
    pub(super) fn of(media_type: &str, content: &[u8]) -> Self {
        Self {
            media_type: media_type.to_string(),
            digest: Digest::of(content).to_string(),
            size: content.len() as u64,
            artifact_type: None,
            annotations: Annotations::new(),
        }
    }

    pub(super) fn annotated(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_string(), value.to_string());
        self
    }

    pub(super) fn tag(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    pub(super) fn empty() -> Self {
        Self { schema_version: 2, media_type: INDEX.to_string(), manifests: Vec::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub(super) annotations: Annotations,
}

impl Manifest {
    pub(super) fn of_component(artifact: &Artifact<'_>, config: &[u8]) -> Self {
        let layer = Descriptor::of(WASM, artifact.component).annotated(TITLE, artifact.title);
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_string(),
            artifact_type: None,
            config: Descriptor::of(WASM_CONFIG, config),
            layers: vec![layer],
            subject: None,
            annotations: Annotations::new(),
        }
    }

    pub(super) fn of_bundle(bundle: &[u8], subject: Descriptor) -> Self {
        let content = (BUNDLE_CONTENT.to_string(), "message-signature".to_string());
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_string(),
            artifact_type: Some(BUNDLE_MEDIA_TYPE.to_string()),
            config: Descriptor::of(EMPTY, EMPTY_BODY),
            layers: vec![Descriptor::of(BUNDLE_MEDIA_TYPE, bundle)],
            subject: Some(subject),
            annotations: std::iter::once(content).collect(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WasmConfig {
    pub(super) created: String,
    pub(super) architecture: String,
    pub(super) os: String,
    pub(super) layer_digests: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<WasmComponent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WasmComponent {
    pub(super) exports: Vec<String>,
    pub(super) imports: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
}

impl WasmConfig {
    pub(super) fn of(artifact: &Artifact<'_>) -> Self {
        Self {
            created: artifact.created.to_string(),
            architecture: "wasm".to_string(),
            os: "wasip2".to_string(),
            layer_digests: vec![Digest::of(artifact.component).to_string()],
            component: Some(WasmComponent {
                exports: artifact.analysis.exports.iter().map(|e| e.name.clone()).collect(),
                imports: artifact.analysis.imports.iter().map(|i| i.name.clone()).collect(),
                target: None,
            }),
        }
    }
}
