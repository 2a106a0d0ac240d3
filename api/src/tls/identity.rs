//! The certificate that a server shows, and its key. Both may be exchanged while it runs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    CertificateError, Error, RootCertStore, ServerConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    TlsError, files,
    files::{certificates, private_key, unfit},
    provider,
};

/// How often it is looked whether the files are others.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What the server speaks once TLS is there.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate with its chain and its key, read from two files of PEM and read again when they
/// change. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Identity {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    /// What the files held when they were last looked at, fit or not.
    seen: Mutex<(Vec<u8>, Vec<u8>)>,
    /// What new connections get.
    current: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// Reads `certificate` (the server's first, then those that lead to a root) and its `key`.
    ///
    /// # Errors
    /// If a file cannot be read or does not hold what it should, if the key is that of another
    /// certificate, or if the certificate does not hold now.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let seen = (files::read(certificate)?, files::read(key)?);
        let current = certified(certificate, key, &seen)?;
        let shown = Arc::new(Shown {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            seen: Mutex::new(seen),
            current: RwLock::new(Arc::new(current)),
        });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&shown);
        // TLS 1.2 and 1.3: there is nothing older in the library.
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unfit(certificate, format!("cannot be served: {error}")))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self { shown, config: Arc::new(config) })
    }

    /// Reads the files again, and shows what they hold to new connections from now on. Whether they
    /// hold something else than at the last look.
    ///
    /// # Errors
    /// Those of [`Self::read`], once for each content of the files; what was shown goes on being shown.
    pub fn look(&self) -> Result<bool, TlsError> {
        let Shown { certificate, key, seen, current } = &*self.shown;
        let found = (files::read(certificate)?, files::read(key)?);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return Ok(false);
        }
        let made = certified(certificate, key, &found);
        *seen = found;
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made?);
        Ok(true)
    }

    /// Looks now and then until `stop` is cancelled. New files that are no good are told of, and the
    /// old ones go on being shown.
    pub async fn keep(self, stop: CancellationToken) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let path = self.shown.certificate.display().to_string();
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            match self.look() {
                Ok(true) => tracing::info!(path, "the certificate was exchanged"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "the new certificate is no good; the old one is kept");
                }
            }
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What the two files come to, if they fit each other and hold now.
fn certified(
    certificate: &Path,
    key: &Path,
    content: &(Vec<u8>, Vec<u8>),
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate, &content.0)?;
    let private = private_key(key, &content.1)?;
    check(&chain).map_err(|wrong| unfit(certificate, wrong))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            unfit(key, format!("is not the key of the certificate in {}", certificate.display()))
        }
        error => unfit(key, format!("cannot be used: {error}")),
    })
}

/// Whether the first of `chain` is a certificate, and holds now. Who signed it, and for which names,
/// is for clients to judge.
fn check(chain: &[CertificateDer<'static>]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).map_err(|_| "holds no certificate that can be read")?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = verifier.build().map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
    // The times are looked at first.
    match verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()) {
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Err("holds a certificate that has expired; renew it".into()),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => {
            Err("holds a certificate that is not valid yet; is this machine's clock right?".into())
        }
        Err(Error::InvalidCertificate(CertificateError::BadEncoding)) => {
            Err("holds no certificate that can be read".into())
        }
        _ => Ok(()),
    }
}
