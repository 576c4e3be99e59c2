//! A process with a service in it, seen from outside: over sockets and by signals.

mod admin;
mod client;
mod drain;
mod signals;
