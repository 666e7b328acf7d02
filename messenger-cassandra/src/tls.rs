//! Connections over TLS (feature `tls`), through rustls.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use messenger_core::{Error, ErrorKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use scylla::client::session::TlsContext;

use crate::CassandraConfig;

/// The TLS configuration of the connections.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl CassandraConfig {
    /// Connects over TLS. Each node must present a certificate for its IP address that is signed by
    /// an authority in this PEM file. In a URL: the option `ca_file`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the file cannot be read or contains no certificate.
    pub fn with_ca_file(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let roots = read_authorities(path)?;
        // Chosen explicitly: with two providers enabled, rustls has no process default.
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "TLS could not be set up").with_source(error)
            })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(self.with_tls(Arc::new(config)))
    }

    /// Connects over TLS with this configuration, for example with client certificates.
    pub fn with_tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(Tls(config));
        self
    }
}

fn read_authorities(path: &Path) -> Result<RootCertStore, Error> {
    let wrong = |what: String| {
        Error::new(
            ErrorKind::Invalid,
            format!("{what} in the CA file {}", path.display()),
        )
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| wrong(format!("no certificate can be read ({error})")))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(format!("bad PEM ({error})")))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("bad certificate ({error})")))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate".to_owned()));
    }
    Ok(roots)
}

impl Tls {
    pub(crate) fn context(&self) -> TlsContext {
        TlsContext::from(Arc::clone(&self.0))
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let refused = |path: &str| {
            let config = CassandraConfig::new(["a"]).with_ca_file(path);
            config.unwrap_err().message().to_owned()
        };
        assert!(refused("/nowhere/ca.pem").contains("/nowhere/ca.pem"));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(refused(manifest).contains("there is no certificate"));
    }
}
