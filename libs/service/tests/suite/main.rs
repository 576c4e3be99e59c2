//! The scaffold of the services on a real Postgres: a small service's database, made after the convention.

mod copy;
mod follower;
mod ground;
mod probe;
