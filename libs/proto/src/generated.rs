//! The generated code, in the modules that it expects around itself.
#![expect(
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "prost and tonic write this code, and its comments are those of the protos"
)]

/// What all services share: money, dates, consistency, error reasons.
pub mod r#type {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.type.v1.rs");
    }
}

/// Scopes, and the feed of access records between services.
pub mod access {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.access.v1.rs");
    }
}

/// The members service: programs, keys, staff, policies, members.
pub mod members {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.members.v1.rs");
    }
}

/// The ledger service: units, owners, balances, transactions, rules, purchases.
pub mod ledger {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.ledger.v1.rs");
    }
}

/// Events, and the stream in which each service serves its own.
pub mod events {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.events.v1.rs");
    }
}

/// The rewards service: catalogue, redemptions, vouchers.
pub mod rewards {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.rewards.v1.rs");
    }
}

/// The surveys service: surveys, invitations, answers, scores.
pub mod surveys {
    /// Version 1.
    pub mod v1 {
        include!("gen/fealty.surveys.v1.rs");
    }
}
