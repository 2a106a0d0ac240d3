//! Whom a client believes.

use std::{error::Error as StdError, io, path::Path, sync::Arc};

use rustls::{CertificateError, ClientConfig, Error, RootCertStore};

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
                found.errors.first().map_or_else(|| "none found".into(), |e| e.to_string());
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

/// What went wrong with TLS, and what to do, if it is that what `error` comes from.
pub(crate) fn explain(error: &(dyn StdError + 'static)) -> Option<String> {
    let wrong = find(error)?;
    let Error::InvalidCertificate(wrong) = wrong else {
        return Some(format!("TLS failed: {wrong}; does the server speak https there?"));
    };
    Some(match wrong {
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
    })
}

/// The error of TLS that `error` is or comes from. Errors of IO hide what they hold from `source`.
fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    if let Some(found) = error.downcast_ref::<Error>() {
        return Some(found);
    }
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    if let Some(found) = held.and_then(|held| find(held)) {
        return Some(found);
    }
    error.source().and_then(find)
}
