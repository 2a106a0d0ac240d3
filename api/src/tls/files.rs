//! Reading PEM.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _};

use super::TlsError;

/// How long a file may be: a chain is a few thousand bytes, the roots of a system some hundred thousand.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the file at `path` holds.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        let message = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    Ok(content)
}

/// All certificates of `content`, which `path` holds: one at least.
pub(super) fn certificates(
    path: &Path,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| unfit(path, format!("is not PEM: {error}")))?;
    if found.is_empty() {
        return Err(unfit(path, "holds no certificate (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// The private key of `content`, which `path` holds.
pub(super) fn private_key(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(content).map_err(|error| match error {
        pem::Error::NoItemsFound => unfit(
            path,
            "holds no private key that can be used (-----BEGIN PRIVATE KEY-----, without a password)",
        ),
        error => unfit(path, format!("is not PEM: {error}")),
    })
}

pub(super) fn unfit(path: &Path, wrong: impl Into<String>) -> TlsError {
    TlsError::Unfit { path: path.to_owned(), wrong: wrong.into() }
}
