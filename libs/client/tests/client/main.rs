//! The client against servers that fail in all the ways real ones do.

mod balance;
mod events;
mod replica;
mod wire;
