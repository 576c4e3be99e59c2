//! The members service as its callers see it: each test runs the whole service on a port of its own, over a database of
//! its own.

mod access;
mod access_feed;
mod api_keys;
mod bad_members;
mod card_ends;
mod cards;
mod companies;
mod consents;
mod contacts;
mod duplicates;
mod enrolment;
mod excluded;
mod fences;
mod guardians;
mod happened;
mod harness;
mod households;
mod identifiers;
mod ledger;
mod listing;
mod members;
mod merges;
mod operator;
mod outages;
mod parties;
mod permissions;
mod policies;
mod preferences;
mod privacy;
mod programs;
mod shop;
mod staff;
mod status;
mod tiers;
mod verified;
