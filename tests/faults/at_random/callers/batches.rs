//! Many wishes in one call, each for itself or all or nothing.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_tests::history::{Answer, Answered, Asked, Call, INSUFFICIENT_BALANCE, Moment};
use fealty_tests::shop::request_id;
use rand::RngExt;
use tonic::Code;

use super::{Caller, Wish, is_final, name_of};
use crate::at_random::line::{Command, shown};

/// Wishes of a call.
const WISHES: std::ops::Range<usize> = 2..7;

/// A call of many wishes.
struct Batch {
    wishes: Vec<Wish>,
    calls: Vec<Call>,
    all_or_nothing: bool,
    /// Whether an attempt may still be under way.
    is_uncertain: bool,
}

/// What came of one of them in an attempt.
enum Said {
    Known(Answer),
    Unknown,
}

impl Caller {
    pub(super) async fn post_batch(&mut self) {
        let mut batch = self.batch();
        while !self.world.is_over() && !batch.is_known() {
            if !self.try_batch(&mut batch).await {
                self.pause().await;
                batch.is_uncertain = true;
                if self.world.forgets_ids {
                    batch.rename();
                }
            }
        }
        batch
            .calls
            .into_iter()
            .for_each(|call| self.world.recorder.call(call));
    }

    fn batch(&mut self) -> Batch {
        let count = self.random.random_range(WISHES);
        let all_or_nothing = self.random.random_bool(0.3);
        let wishes: Vec<Wish> = (0..count)
            .map(|_| match self.random.random_range(0..10) {
                0..5 => self.credit(),
                // For what one of them is refused, all are: that is told of lacking points only.
                5 if !all_or_nothing => self.paid_credit(),
                5..9 => self.spend(),
                _ => self.adjust(),
            })
            .collect();
        let group = all_or_nothing.then(|| self.world.number().unsigned_abs());
        let invoked = self.world.recorder.now();
        let calls = wishes.iter().map(|wish| Call {
            group,
            ..wish.call(invoked)
        });
        Batch {
            calls: calls.collect(),
            wishes,
            all_or_nothing,
            is_uncertain: false,
        }
    }

    /// Whether everything is known after this attempt.
    async fn try_batch(&mut self, batch: &mut Batch) -> bool {
        let request = pb::BatchPostPointsRequest {
            postings: batch.wishes.iter().map(posting).collect(),
            all_or_nothing: batch.all_or_nothing,
        };
        let bound = self.attempt_bound();
        let invoked = self.world.recorder.now();
        self.world.count(0);
        let outcomes = match self.line().send_batch(request, bound).await {
            Ok(outcomes) => outcomes,
            Err(status) => {
                let refused = self.outcome_of(&status);
                assert!(refused.is_none(), "a batch is well formed: {status}");
                return false;
            }
        };
        assert_eq!(outcomes.len(), batch.wishes.len(), "an outcome for each");
        let said: Vec<Said> = batch
            .wishes
            .iter()
            .zip(outcomes)
            .map(|(wish, outcome)| self.read_outcome(&wish.owner_id, invoked, outcome))
            .collect();
        let took = |said: &Said| matches!(said, Said::Known(Answer::Took(_)));
        if batch.all_or_nothing && !said.iter().all(took) {
            return batch.end_refused(&said, self.world.recorder.now());
        }
        let at = self.world.recorder.now();
        for (call, said) in batch.calls.iter_mut().zip(said) {
            if let Said::Known(answer) = said {
                call.answers.push(Answered { at, answer });
            }
        }
        batch.is_known()
    }

    fn read_outcome(&self, owner_id: &str, invoked: Moment, outcome: pb::PointsOutcome) -> Said {
        if outcome.replayed {
            self.world.count(1);
        }
        let (transaction, balance) = match outcome.outcome {
            Some(Outcome::Credit(credit)) => (credit.transaction, credit.balance),
            Some(Outcome::Spend(spend)) => (spend.transaction, spend.balance),
            Some(Outcome::Adjust(adjusted)) => (adjusted.transaction, adjusted.balance),
            Some(Outcome::Error(error)) if is_final(Code::from_i32(error.code)) => {
                return Said::Known(Answer::Refused(name_of(error.reason())));
            }
            Some(Outcome::Error(_)) | None => return Said::Unknown,
        };
        self.note(owner_id, (invoked, Asked::Nothing), shown(balance.as_ref()));
        Said::Known(Answer::Took(transaction.map(|transaction| transaction.version)))
    }
}

impl Batch {
    fn is_known(&self) -> bool {
        self.calls.iter().all(|call| !call.answers.is_empty())
    }

    /// Nothing of it took effect, which nobody remembers. Whether it ended: not if it failed instead of being refused.
    fn end_refused(&mut self, said: &[Said], at: Moment) -> bool {
        let refused = said.iter().find_map(|said| match said {
            Said::Known(Answer::Refused(reason)) => Some(reason.clone()),
            _ => None,
        });
        let Some(reason) = refused else { return false };
        for call in &mut self.calls {
            let answer = if self.is_uncertain {
                Answer::Unsettled
            } else {
                Answer::Refused(reason.clone())
            };
            // What would have been taken alone is refused for the sake of the others.
            call.refusable = &[INSUFFICIENT_BALANCE];
            call.answers.push(Answered { at, answer });
        }
        true
    }

    fn rename(&mut self) {
        for (wish, call) in self.wishes.iter_mut().zip(&mut self.calls) {
            wish.rename(request_id());
            wish.request_id().clone_into(&mut call.request_id);
        }
    }
}

fn posting(wish: &Wish) -> pb::PointsPosting {
    let posting = match wish.command.clone() {
        Command::Credit(message) => Posting::Credit(message),
        Command::Spend(message) => Posting::Spend(message),
        Command::Adjust(message) => Posting::Adjust(message),
        other => unreachable!("a batch has credits, spends and corrections: {other:?}"),
    };
    pb::PointsPosting {
        posting: Some(posting),
    }
}
