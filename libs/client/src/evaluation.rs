//! Tries a ladder on all members.

use fealty_proto::members::v1::{EvaluateLadderRequest, EvaluateLadderResponse};

use crate::CallError;
use crate::caller::{Caller, OpenStream};

const EVALUATE_LADDER: &str = "/fealty.members.v1.TierService/EvaluateLadder";

/// What comes of trying a ladder on all members, as far as they have been looked at. Nothing of it is kept anywhere, so a
/// stream that is lost is asked for anew, from the beginning.
#[derive(Debug)]
pub struct LadderEvaluation {
    caller: Caller,
    request: EvaluateLadderRequest,
    open: Option<OpenStream<EvaluateLadderResponse>>,
}

impl LadderEvaluation {
    pub(crate) const fn new(caller: Caller, request: EvaluateLadderRequest) -> Self {
        Self {
            caller,
            request,
            open: None,
        }
    }

    /// What has been counted by now; None after the last answer, which says that it is done.
    pub async fn next(&mut self) -> Result<Option<EvaluateLadderResponse>, CallError> {
        let failed = |status| CallError::from_status(EVALUATE_LADDER, &status, 1);
        if let Some(open) = &mut self.open {
            return open.next().await.map_err(failed);
        }
        let opened = self
            .caller
            .open(EVALUATE_LADDER, &self.request, &mut Vec::new())
            .await;
        let open = self.open.insert(opened.map_err(failed)?);
        open.next().await.map_err(failed)
    }
}
