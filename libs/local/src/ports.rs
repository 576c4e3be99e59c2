//! Free ports.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A loopback port that is free now: the preferred one, or one of the kernel's choice. Somebody may take it
/// before our server does; whoever starts the server tries again then.
pub(crate) fn pick(preferred: Option<u16>) -> io::Result<u16> {
    if let Some(port) = preferred.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
        return Ok(port);
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_port_is_taken_only_when_free() -> io::Result<()> {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let held = holder.local_addr()?.port();
        assert_ne!(pick(Some(held))?, held);
        drop(holder);
        assert_eq!(pick(Some(held))?, held);
        Ok(())
    }
}
