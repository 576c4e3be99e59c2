//! Whether somebody has accepted what has to be accepted. Pure.

use chrono::{DateTime, Utc};
use fealty_types::PolicyId;

use crate::policies::domain::{PolicyHead, PolicyVersion, TextHash};
use crate::refusal::Refusal;

/// What the caller says of a person's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAcceptance {
    /// The version that was accepted.
    pub version: PolicyVersion,
    /// Where and how.
    pub channel: String,
    /// When; at the time of the call if the caller does not say.
    pub accept_time: Option<DateTime<Utc>>,
}

/// The proof that somebody accepted a policy version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The version's id.
    pub policy_id: PolicyId,
    /// The version.
    pub version: PolicyVersion,
    /// Of the text that was accepted.
    pub text_hash: TextHash,
    /// Where and how.
    pub channel: String,
    /// When.
    pub accept_time: DateTime<Utc>,
}

/// Takes a consent to the policy in force, and nothing less: who does not agree is not enrolled.
pub fn accept(
    given: Option<&GivenAcceptance>,
    in_force: Option<&PolicyHead>,
    now: DateTime<Utc>,
) -> Result<Acceptance, Refusal> {
    let in_force = in_force.ok_or(Refusal::PolicyMissing)?;
    let Some(given) = given else {
        return Err(Refusal::ConsentRequired {
            policy_id: in_force.policy_id,
            policy_version: in_force.version,
        });
    };
    if given.version != in_force.version {
        return Err(Refusal::PolicyVersionOutdated {
            policy_id: in_force.policy_id,
            policy_version: in_force.version,
        });
    }
    Ok(Acceptance {
        policy_id: in_force.policy_id,
        version: in_force.version,
        text_hash: in_force.text_hash,
        channel: given.channel.clone(),
        // A till's clock may be a little ahead of ours; nobody accepts in the future.
        accept_time: given.accept_time.unwrap_or(now).min(now),
    })
}
