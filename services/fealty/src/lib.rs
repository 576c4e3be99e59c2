//! Fealty: fealty.
