//! Real Postgres and Redis on one's own machine, for `fealty up` and for the tests alike.
//!
//! [`start`] takes [`Options`] and answers [`LocalServers`]. What happens in between, in this order:
//!
//! 1. `folder`: the data folder is made or opened, locked (one owner at a time; a second start answers
//!    [`Error::AlreadyRunning`]), and, as root, given to an unprivileged user, because Postgres refuses root.
//! 2. `leftovers`: processes that a killed owner left in this folder are stopped.
//! 3. `given`: servers named by URL are asked whether they answer.
//! 4. `find`, `install`: the programs that are still needed are looked for, and installed where there is
//!    leave to.
//! 5. `watchdog`: a small shell process begins to watch us; when we end in whatever way, it stops the servers.
//! 6. `postgres`, `redis_server`: the servers are started on free loopback ports with random passwords, and
//!    waited for until they answer.
//!
//! A server that ends by itself is found by [`LocalServers::find_ended`] and started again, at the same address, by
//! [`LocalServers::start_again`].
//!
//! Nothing outlives its owner: [`LocalServers::stop`], a drop, a panic, Ctrl-C and `kill -9` all end with no
//! process left and the folder ready for the next start.

mod error;
mod find;
mod folder;
mod given;
mod install;
mod job;
mod leftovers;
mod options;
mod places;
mod ports;
mod postgres;
mod process;
mod redis_server;
mod servers;
mod state;
mod watchdog;

pub use error::{Error, Running};
pub use find::Program;
pub use options::{DataDir, Durability, Install, Options, Report};
pub use places::default_data_dir;
pub use servers::{Ended, LocalServers, start};
