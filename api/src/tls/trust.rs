//! Whom a client believes.

use std::{io, path::Path, sync::Arc};

use rustls::{CertificateError, ClientConfig, Error, RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    TlsError,
    files::{certificates, read, unfit},
    provider,
};

/// The authorities whose word a client takes for who a server is. There is no way to take none.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
}

impl Trust {
    /// Those of this machine.
    ///
    /// # Errors
    /// If it has none.
    pub fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reason =
                found.errors.first().map_or_else(|| "none found".into(), ToString::to_string);
            return Err(TlsError::NoRoots { reason });
        }
        Ok(Self { roots: Arc::new(roots) })
    }

    /// Those in the file of PEM at `path`, and no others.
    ///
    /// # Errors
    /// If it cannot be read, or holds no certificate.
    pub fn only(path: &Path) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path, &read(path)?)? {
            let added = roots.add(certificate);
            added.map_err(|_| unfit(path, "holds a certificate that cannot be read"))?;
        }
        Ok(Self { roots: Arc::new(roots) })
    }

    /// Connects to whoever is at `host` and can show that it is; otherwise says why not, for people.
    pub(crate) async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> Result<TlsStream<TcpStream>, String> {
        // The brackets of an IPv6 address belong to the URL.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("{host:?} is no name of a server"))?;
        let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(self.config()));
        connector.connect(name, stream).await.map_err(|error| explain(&error))
    }

    /// For any client of TLS: 1.2 or newer.
    ///
    /// # Panics
    /// Never: the provider knows these versions.
    pub fn config(&self) -> ClientConfig {
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth()
    }
}

/// What went wrong with a connection, and what to do.
fn explain(error: &io::Error) -> String {
    let of_tls = error.get_ref().and_then(|held| held.downcast_ref::<Error>());
    let wrong = match of_tls {
        None => return error.to_string(),
        Some(Error::InvalidCertificate(wrong)) => wrong,
        Some(wrong) => return format!("TLS failed: {wrong}; does the server speak https there?"),
    };
    match wrong {
        CertificateError::UnknownIssuer => {
            "nobody whom this machine trusts has signed the server's certificate; name the authority \
             that has: --tls-ca FILE, KTK_TLS_CA, or `ktk config set NAME ca_file=FILE`"
                .into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; whoever looks after the server has to renew it, \
             unless this machine's clock is wrong"
                .into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; is this machine's clock right?".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is for another name ({wrong}); ask for it by that one")
        }
        wrong => format!("the server's certificate is no good: {wrong}"),
    }
}
