//! Free loopback ports that stay free while a server is down for a moment.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

const LOWEST: u16 = 10_000;
const TRIES_MAX: usize = 100;

/// A loopback port that nobody listens on now. Somebody may take it before the caller does, who then
/// chooses again.
///
/// It lies below the range that the system gives to outgoing connections. From within that range, a
/// client that redials a server which is down would sooner or later be given the server's own port as
/// its source port, connect to itself, and keep the server from coming back.
pub(super) fn choose() -> io::Result<u16> {
    let highest = ephemeral_lowest().unwrap_or(32_768);
    for _ in 0..TRIES_MAX {
        // A system configured to give out almost all ports leaves no such room; take any then.
        let wanted = if highest > LOWEST + 1_000 { rand::random_range(LOWEST..highest) } else { 0 };
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
            return Ok(listener.local_addr()?.port());
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free loopback port found"))
}

/// Whether nobody listens on the port.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn ephemeral_lowest() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_port_is_free_and_below_the_ephemeral_range() {
        let port = choose().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
        drop(listener);
        if let Some(lowest) = ephemeral_lowest().filter(|lowest| *lowest > LOWEST + 1_000) {
            assert!(port < lowest);
        }
    }
}
