//! The members service as its callers see it: each test runs the whole service on a port of its own, over a database of
//! its own.

mod access;
mod access_feed;
mod api_keys;
mod fences;
mod harness;
mod operator;
mod outages;
mod programs;
mod staff;
