//! Which certificates an outbound connection accepts.
//!
//! Two kinds: the public roots for every origin, and for an origin that the operator mapped exactly the anchor that the
//! map names. Sessions are never resumed, so no ticket links two installations. No client certificate, no key log.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The anchor file is not PEM, or holds no certificate.
    #[error("the trust anchor holds no certificate in PEM form")]
    NoCertificate,
    /// rustls refused the certificate or the protocol versions.
    #[error("the trust anchor cannot be used")]
    Refused(#[from] rustls::Error),
}

/// Trust in the public web, as the Mozilla root programme keeps it.
///
/// # Errors
/// When the crypto provider supports none of the protocol versions.
pub(crate) fn public() -> Result<Arc<ClientConfig>, TrustError> {
    with_roots(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// Trust in the certificates of one PEM file and in nothing else.
///
/// # Errors
/// When the file holds no usable certificate.
pub(crate) fn anchored(pem: &[u8]) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| TrustError::NoCertificate)?)?;
    }
    if roots.is_empty() {
        return Err(TrustError::NoCertificate);
    }
    with_roots(roots)
}

fn with_roots(roots: RootCertStore) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_roots_load() {
        assert!(public().is_ok());
    }

    #[test]
    fn an_anchor_file_without_a_certificate_is_refused() {
        assert!(matches!(anchored(b""), Err(TrustError::NoCertificate)));
        assert!(matches!(anchored(b"no pem"), Err(TrustError::NoCertificate)));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(anchored(broken).is_err());
    }
}
