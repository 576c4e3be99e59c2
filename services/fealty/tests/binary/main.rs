//! The binary as people run it: a child process each, with real servers of its own.

mod check_config;
mod demo;
mod health;
mod keys;
mod migrate;
mod run;
mod up;
mod verify;
