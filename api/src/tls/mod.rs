//! TLS: the certificate that the server shows, and whom the client believes.

mod error;
mod files;
mod identity;
mod trust;

pub use error::TlsError;
pub use identity::Identity;
pub use trust::Trust;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// The one implementation of cryptography, said each time: nothing depends on what else the process
/// has installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
