//! Those who wait for an answer of a lane.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fealty_postgres::StorageError;
use fealty_types::OwnerId;
use tokio::sync::oneshot;

use crate::posting::call::Answer;
use crate::posting::commit::POSTING;
use crate::refusal::Refusal;

/// What a call's caller is told.
pub(in crate::posting) type Outcome = Result<Result<Answer, Refusal>, Arc<StorageError>>;

/// Where the answer goes.
#[derive(Debug)]
pub(super) struct CallersEnd {
    /// Whom the call names.
    pub(super) owner_ids: Vec<OwnerId>,
    pub(super) answer: oneshot::Sender<Outcome>,
    pub(super) companions: Option<Arc<Companions>>,
}

/// Calls that came together, and of which those of one owner are decided in their order: where one fails and is not
/// decided, those after it are not either. Else a spend would be refused for ever because the credit before it has to be
/// sent again.
#[derive(Debug, Default)]
pub(in crate::posting) struct Companions {
    failed: Mutex<HashSet<OwnerId>>,
}

impl Companions {
    fn failed(&self) -> MutexGuard<'_, HashSet<OwnerId>> {
        // Nobody panics while holding it; should it happen, the set is still whole.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallersEnd {
    pub(super) fn is_gone(&self) -> bool {
        self.answer.is_closed()
    }

    /// Whether a call before it failed, which it was to come after.
    pub(super) fn is_left_behind(&self) -> bool {
        let companions = self.companions.as_ref();
        companions.is_some_and(|companions| {
            let failed = companions.failed();
            self.owner_ids.iter().any(|owner_id| failed.contains(owner_id))
        })
    }

    /// Whoever has gone away asks again by the same id.
    pub(super) fn tell(self, answer: Result<Answer, Refusal>) {
        let _ = self.answer.send(Ok(answer));
    }

    pub(super) fn fail(self, error: &Arc<StorageError>) {
        if let Some(companions) = &self.companions {
            companions.failed().extend(self.owner_ids.iter().copied());
        }
        let _ = self.answer.send(Err(Arc::clone(error)));
    }
}

/// What is told where nothing was done for reasons that pass: it can be sent again.
pub(super) fn try_again() -> Arc<StorageError> {
    Arc::new(StorageError::LimitExceeded { transaction: POSTING })
}
