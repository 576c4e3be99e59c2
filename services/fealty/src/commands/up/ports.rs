//! The ports, taken before anything else: a taken one is told before anything was started, and the services know each
//! other's addresses before the first one runs.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, anyhow};
use fealty_ledger::config::{LEDGER_ADMIN_PORT, LEDGER_PORT};
use fealty_members::config::{MEMBERS_ADMIN_PORT, MEMBERS_PORT};
use fealty_rewards::config::{REWARDS_ADMIN_PORT, REWARDS_PORT};
use fealty_runtime::{Listeners, bind};
use fealty_surveys::config::{SURVEYS_ADMIN_PORT, SURVEYS_PORT};
use tokio::net::TcpListener;

use crate::services::{PerService, ServiceName};

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
    /// Port for calls of rewards.
    #[arg(long = "rewards-port", value_name = "PORT", default_value_t = REWARDS_PORT)]
    rewards: u16,
    /// Port for health and metrics of rewards.
    #[arg(long = "rewards-admin-port", value_name = "PORT", default_value_t = REWARDS_ADMIN_PORT)]
    rewards_admin: u16,
    /// Port for calls of surveys.
    #[arg(long = "surveys-port", value_name = "PORT", default_value_t = SURVEYS_PORT)]
    surveys: u16,
    /// Port for health and metrics of surveys.
    #[arg(long = "surveys-admin-port", value_name = "PORT", default_value_t = SURVEYS_ADMIN_PORT)]
    surveys_admin: u16,
}

/// The bound sockets of one service.
pub(super) struct Bound {
    pub grpc: SocketAddr,
    pub admin: SocketAddr,
    pub listeners: Listeners,
}

impl Ports {
    pub(super) async fn bind(&self) -> anyhow::Result<PerService<Bound>> {
        let mut all = Vec::new();
        for service in ServiceName::ALL {
            all.push(bind_service(service, self.of(service)).await?);
        }
        PerService::try_from_vec(all).context("one for each service")
    }

    /// Its port for calls, and that for health and metrics.
    const fn of(&self, service: ServiceName) -> (u16, u16) {
        match service {
            ServiceName::Members => (self.members, self.members_admin),
            ServiceName::Ledger => (self.ledger, self.ledger_admin),
            ServiceName::Rewards => (self.rewards, self.rewards_admin),
            ServiceName::Surveys => (self.surveys, self.surveys_admin),
        }
    }
}

async fn bind_service(service: ServiceName, (grpc, admin): (u16, u16)) -> anyhow::Result<Bound> {
    let name = service.as_str();
    let listeners = Listeners {
        grpc: bind_flag(&format!("calls of {name}"), &format!("--{name}-port"), grpc).await?,
        admin: bind_flag(
            &format!("health and metrics of {name}"),
            &format!("--{name}-admin-port"),
            admin,
        )
        .await?,
    };
    Ok(Bound {
        grpc: listeners.grpc.local_addr()?,
        admin: listeners.admin.local_addr()?,
        listeners,
    })
}

async fn bind_flag(purpose: &str, flag: &str, port: u16) -> anyhow::Result<TcpListener> {
    bind(purpose, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .map_err(|error| anyhow!("{error}; choose another port with {flag} (0 for any free one)"))
}
