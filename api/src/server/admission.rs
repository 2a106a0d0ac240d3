//! Who may speak to the server at all: the name that it is asked for by, the page that asks, and
//! how many at once.

use axum::http::{HeaderMap, Uri, header};

use super::ApiConfig;

/// Stands for any name in an allow-list.
const ANY: &str = "*";

/// Why a request is refused, for people.
pub(super) struct Refused {
    /// For metrics.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) message: String,
}

/// Checks the headers `Host` and `Origin`. Both stop pages of others in a browser on this machine:
/// a name that was bent to point here, and a page from elsewhere. Programs send what they like.
pub(super) fn check(config: &ApiConfig, headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let is_known = |list: &[String], name: &str| {
        list.iter().any(|known| known == ANY || known.eq_ignore_ascii_case(name))
    };
    let (name, _) = split_port(host);
    if !is_loopback(name) && !is_known(&config.hosts, name) {
        let message =
            format!("this server is not asked for as {name:?}; add it to the allowed hosts");
        return Err(Refused { reason: "host", message });
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let of = origin.parse::<Uri>().ok();
    let authority = of.as_ref().and_then(|uri| uri.authority()).map_or("", |a| a.as_str());
    let is_own = !authority.is_empty() && authority.eq_ignore_ascii_case(host);
    if is_own || is_loopback(split_port(authority).0) || is_known(&config.origins, origin) {
        return Ok(());
    }
    let message = format!("pages of {origin:?} may not ask; add it to the allowed origins");
    Err(Refused { reason: "origin", message })
}

/// Host and port; the brackets of an IPv6 address are kept.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_loopback(host: &str) -> bool {
    let v4 = || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    host.eq_ignore_ascii_case("localhost") || host == "[::1]" || v4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn only_the_loopback_interface_is_trusted_unless_told_otherwise() {
        let config = ApiConfig::new("test");
        for (host, origin) in [
            ("localhost:7300", None),
            ("127.0.0.1", None),
            ("[::1]:7300", None),
            ("127.0.0.1:7300", Some("http://localhost:5173")),
        ] {
            assert!(check(&config, &headers(host, origin)).is_ok(), "{host} {origin:?}");
        }
        for (host, origin, reason) in [
            ("evil.example", None, "host"),
            ("localhost.evil.example:7300", None, "host"),
            ("localhost:7300", Some("https://evil.example"), "origin"),
            ("localhost:7300", Some("null"), "origin"),
        ] {
            let refused =
                check(&config, &headers(host, origin)).err().map(|refused| refused.reason);
            assert_eq!(refused, Some(reason), "{host} {origin:?}");
        }
        assert!(check(&config, &HeaderMap::new()).is_err(), "no host at all");
    }

    #[test]
    fn names_and_pages_can_be_allowed() {
        let mut config = ApiConfig::new("test");
        config.hosts = vec!["kantoku.example".into()];
        config.origins = vec!["https://board.example".into()];
        let own = Some("https://kantoku.example:8443");
        assert!(check(&config, &headers("kantoku.example:8443", own)).is_ok());
        let allowed = Some("https://board.example");
        assert!(check(&config, &headers("kantoku.example", allowed)).is_ok());
        assert!(check(&config, &headers("kantoku.example", Some("https://x.example"))).is_err());
    }
}
