//! The scaffold of the services on a real Postgres: a small service's database, made after the convention.

mod consumer;
mod consumer_traces;
mod copy;
mod events;
mod feed;
mod follower;
mod ground;
mod probe;
