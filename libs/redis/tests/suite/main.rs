//! The crate against a real Redis. The modules are marked as tests, so that their helpers may unwrap as tests do.

#[cfg(test)]
mod outages;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod time;
#[cfg(test)]
mod versions;
