//! The ports, taken before anything else: a taken one is told before anything was started, and the services know each
//! other's addresses before the first one runs.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::anyhow;
use fealty_ledger::config::{LEDGER_ADMIN_PORT, LEDGER_PORT};
use fealty_members::config::{MEMBERS_ADMIN_PORT, MEMBERS_PORT};
use fealty_runtime::{Listeners, bind};
use tokio::net::TcpListener;

use crate::kept::Addresses;

/// Where to listen on this machine; 0 is any free port.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Ports {
    /// Port for calls of members; 0 for any free one, as for all ports.
    #[arg(long = "members-port", value_name = "PORT", default_value_t = MEMBERS_PORT)]
    members: u16,
    /// Port for calls of the ledger.
    #[arg(long = "ledger-port", value_name = "PORT", default_value_t = LEDGER_PORT)]
    ledger: u16,
    /// Port for health and metrics of members.
    #[arg(long = "members-admin-port", value_name = "PORT", default_value_t = MEMBERS_ADMIN_PORT)]
    members_admin: u16,
    /// Port for health and metrics of the ledger.
    #[arg(long = "ledger-admin-port", value_name = "PORT", default_value_t = LEDGER_ADMIN_PORT)]
    ledger_admin: u16,
}

/// The bound sockets of both services.
pub(super) struct Sockets {
    pub members: Bound,
    pub ledger: Bound,
}

/// The bound sockets of one service.
pub(super) struct Bound {
    pub grpc: SocketAddr,
    pub admin: SocketAddr,
    pub listeners: Listeners,
}

/// Where health and metrics of both services are.
pub(super) struct AdminAddresses {
    pub members: SocketAddr,
    pub ledger: SocketAddr,
}

impl Ports {
    pub(super) async fn bind(&self) -> anyhow::Result<Sockets> {
        let members = [
            ("--members-port", self.members),
            ("--members-admin-port", self.members_admin),
        ];
        let ledger = [
            ("--ledger-port", self.ledger),
            ("--ledger-admin-port", self.ledger_admin),
        ];
        Ok(Sockets {
            members: bind_service("members", members).await?,
            ledger: bind_service("the ledger", ledger).await?,
        })
    }
}

async fn bind_service(service: &str, [grpc, admin]: [(&str, u16); 2]) -> anyhow::Result<Bound> {
    let listeners = Listeners {
        grpc: bind_flag(&format!("calls of {service}"), grpc).await?,
        admin: bind_flag(&format!("health and metrics of {service}"), admin).await?,
    };
    Ok(Bound {
        grpc: listeners.grpc.local_addr()?,
        admin: listeners.admin.local_addr()?,
        listeners,
    })
}

async fn bind_flag(purpose: &str, (flag, port): (&str, u16)) -> anyhow::Result<TcpListener> {
    bind(purpose, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .map_err(|error| anyhow!("{error}; choose another port with {flag} (0 for any free one)"))
}

impl Sockets {
    pub(super) fn addresses(&self, members_jobs_database_url: &str) -> Addresses {
        Addresses {
            members: format!("http://{}", self.members.grpc),
            ledger: format!("http://{}", self.ledger.grpc),
            members_jobs_database_url: members_jobs_database_url.to_owned(),
        }
    }

    pub(super) const fn admin_addresses(&self) -> AdminAddresses {
        AdminAddresses {
            members: self.members.admin,
            ledger: self.ledger.admin,
        }
    }

    /// Both services with their address.
    pub(super) fn named(&self) -> [(&'static str, String); 2] {
        [
            ("members", self.members.grpc.to_string()),
            ("the ledger", self.ledger.grpc.to_string()),
        ]
    }
}
