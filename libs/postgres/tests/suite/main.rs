//! The crate against a real Postgres. The modules are marked as tests, so that their helpers may unwrap as tests do.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod events;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod fences;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod provision;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod transact;
