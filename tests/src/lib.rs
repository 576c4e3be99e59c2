//! What the tests across services share.
