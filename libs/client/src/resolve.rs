//! Which addresses a name stands for.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// What a [`Resolve`] is about to find out.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of a service's replicas. Asked again and again, so that its answers may change.
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses that a host stands for now. An address without a name stands for itself.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// As the system does it: its hosts file, then DNS. On Kubernetes a headless Service answers with all ready pods.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}
