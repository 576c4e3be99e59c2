//! The surveys service over gRPC, against a real Postgres: a file per room. Members and the ledger are stand-ins that do
//! what a test tells them to.

mod answers;
mod deciding;
mod events;
mod harness;
mod invitations;
mod isolation;
mod ledger;
mod members;
mod purchases;
mod scores;
mod sending;
mod surveys;
mod vault;
