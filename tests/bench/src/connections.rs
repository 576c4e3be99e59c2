//! The connections by which callers reach a server: raw stubs over several HTTP/2 connections, since a server takes a
//! hundred calls at a time on one. The typed client's retries, balancing and version memory are left out on both sides of
//! each comparison: what is measured is the service.

use std::time::Duration;

use anyhow::Context as _;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

/// Calls at a time on one connection: some below the hundred that a server takes.
const CALLS_PER_CONNECTION: usize = 64;
/// As many connections at the least: one connection is one task on either side, and would keep one core busy.
const CONNECTIONS_MIN: usize = 4;
/// What a call may take: more means that something hangs. A client's usual deadline.
const DEADLINE: Duration = Duration::from_secs(10);

/// Connections to one server.
#[derive(Debug, Clone)]
pub struct Connections(Vec<Connection>);

/// One of them, and the key that is shown on it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// For a stub.
    pub channel: Channel,
    bearer: MetadataValue<Ascii>,
}

impl Connections {
    /// Enough for so many calls at a time. They connect with their first call.
    pub fn to(url: &str, key: &str, in_flight: usize) -> anyhow::Result<Self> {
        let bearer: MetadataValue<Ascii> = format!("Bearer {key}").parse().context("the key is no header")?;
        let endpoint = Endpoint::from_shared(url.to_owned()).context("not a URL")?;
        let count = in_flight.div_ceil(CALLS_PER_CONNECTION).max(CONNECTIONS_MIN);
        let connection = |_| Connection {
            channel: endpoint.connect_lazy(),
            bearer: bearer.clone(),
        };
        Ok(Self((0..count).map(connection).collect()))
    }

    /// The one that a caller of this number uses.
    #[must_use]
    pub fn of(&self, caller: usize) -> Connection {
        self.0[caller % self.0.len()].clone()
    }
}

impl Connection {
    /// A call with the key and a deadline.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(DEADLINE);
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        request
    }
}
