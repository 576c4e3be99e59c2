//! The request ids of a redemption's calls to the ledger: the same call has the same id, whoever makes it.

use fealty_types::{RedemptionId, RequestId};
use sha2::{Digest, Sha256};
use uuid::Builder;

/// Keeps these ids apart from whatever else is derived from a redemption's id. It never changes: a redemption that was
/// begun by one build is finished by the next.
const NAMESPACE: &[u8] = b"fealty.rewards.redemption.ledger.v1\0";

/// A call of a redemption to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerCall {
    /// Sets the points aside.
    Hold,
    /// Spends them.
    Capture,
    /// Gives them back.
    Release,
}

impl LedgerCall {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Hold => b"hold",
            Self::Capture => b"capture",
            Self::Release => b"release",
        }
    }
}

/// The request id of a call: a UUID of version 8 out of SHA-256 over the namespace, the redemption and the call.
#[must_use]
pub fn ledger_request_id(redemption_id: RedemptionId, call: LedgerCall) -> RequestId {
    let mut hash = Sha256::new_with_prefix(NAMESPACE);
    hash.update(redemption_id.as_uuid().as_bytes());
    hash.update(call.name());
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let id = Builder::from_custom_bytes(bytes).into_uuid();
    RequestId::try_from(id).expect("the version's bits are never all zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_for_ever_the_same() {
        let redemption_id: RedemptionId = "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978".parse().unwrap();
        let ids = [LedgerCall::Hold, LedgerCall::Capture, LedgerCall::Release]
            .map(|call| ledger_request_id(redemption_id, call).to_string());
        assert_eq!(ids, EXPECTED);
    }

    /// Written down when the first redemption was: a change here would make one of a former build spend twice.
    const EXPECTED: [&str; 3] = [
        "afa40e45-55b2-8dcc-ae92-556e2e3d17d0",
        "3223996f-4912-8d9a-9e2c-67664bcd8de5",
        "1f7669fd-f118-8e91-ac51-96986278fa9e",
    ];
}
