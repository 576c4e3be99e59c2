//! Calls over a real server on loopback: what a caller gets, whatever he does.

mod access;
mod fixture;
mod limits;
mod log;
mod member_tokens;
mod reflection;
mod refusals;
mod tls;
mod web;
