//! Which way a key may be sent.

use std::net::IpAddr;

use axum::http::Uri;

use super::Profile;
use crate::error::{CommandError, Exit};

/// Says that a key may be sent where others could read it, as the profile does.
const VARIABLE: &str = "KTK_PLAINTEXT";

impl Profile {
    /// Refuses to send a key to `url` where others could read it on its way, unless the profile or the
    /// environment says that they may not listen.
    pub(crate) fn check_way(&self, url: &str) -> Result<(), CommandError> {
        let of_environment = std::env::var(VARIABLE).is_ok_and(|text| text == "true");
        if is_private(url) || of_environment || self.plaintext == Some(true) {
            return Ok(());
        }
        let message = format!(
            "the key is not sent to {}: anybody on the way could read it; ask for https://, or say \
             that nobody is there with `ktk config set NAME plaintext=true` or {VARIABLE}=true",
            crate::error::without_password(url)
        );
        Err(CommandError::new(Exit::NotAllowed, message))
    }
}

/// Whether what goes there is read by nobody else: it is encrypted, or stays on this machine.
fn is_private(url: &str) -> bool {
    // What cannot be read leads nowhere.
    let Ok(uri) = url.parse::<Uri>() else { return true };
    if matches!(uri.scheme_str(), Some("https" | "wss")) {
        return true;
    }
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_where_nobody_else_reads_it() {
        let ways = [
            ("http://127.0.0.1:7300", true),
            ("http://localhost:7300", true),
            ("http://[::1]:7300", true),
            ("https://ktk.example.org", true),
            ("HTTPS://ktk.example.org", true),
            ("http://ktk.example.org", false),
            ("ws://ktk.example.org", false),
            ("http://10.0.0.7:7300", false),
            ("http://localhost.example.org", false),
            ("http://127.0.0.1@example.org", false),
        ];
        for (url, is_fine) in ways {
            let refused = Profile::default().check_way(url).err();
            assert_eq!(refused.is_none(), is_fine, "{url}: {refused:?}");
        }
        let said = Profile { plaintext: Some(true), ..Profile::default() };
        assert!(said.check_way("http://ktk.example.org").is_ok());
    }
}
