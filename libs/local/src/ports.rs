//! Free ports.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Which ports will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortChoice {
    /// The preferred one where it is free, else any.
    Any,
    /// The preferred one alone: somebody holds on to the address.
    Same,
}

impl PortChoice {
    pub(crate) fn pick(self, preferred: Option<u16>) -> io::Result<u16> {
        match (self, preferred) {
            (Self::Same, Some(port)) => Ok(port),
            _ => pick(preferred),
        }
    }
}

/// A loopback port that is free now: the preferred one, or one of the kernel's choice. Somebody may take it
/// before our server does; whoever starts the server tries again then.
fn pick(preferred: Option<u16>) -> io::Result<u16> {
    if let Some(port) = preferred.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
        return Ok(port);
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Others of this machine may take a port in the moment between its release and its choice.
    const TRIES_COUNT: usize = 20;

    #[test]
    fn a_preferred_port_is_taken_only_when_free() -> io::Result<()> {
        let mut taken_count = 0;
        for _ in 0..TRIES_COUNT {
            let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let held = holder.local_addr()?.port();
            assert_ne!(pick(Some(held))?, held);
            drop(holder);
            taken_count += usize::from(pick(Some(held))? == held);
        }
        assert!(taken_count > TRIES_COUNT / 2, "{taken_count} of {TRIES_COUNT}");
        Ok(())
    }
}
