//! Fealty: members.
