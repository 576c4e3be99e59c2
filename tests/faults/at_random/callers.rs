//! Callers who give, take, send, correct, set aside, let begin, take back and look, and ask again by the same id until they
//! know.

mod batches;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Consistency, ErrorReason};
use fealty_tests::history::{Answer, Answered, Asked, Read, Shown};
use fealty_tests::raw::Refusal;
use fealty_tests::shop::request_id;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;
use tonic::{Code, Status};

use super::line::Line;
use super::world::World;
pub use wishes::{BUDGET, BUDGET_MAX, WISHES};
use wishes::{Earlier, Wish};

/// How long a caller waits for an answer, at random in between: less than a commit may take, and more.
const ATTEMPT_MS: std::ops::Range<u64> = 200..2_500;
/// The same when nothing goes wrong any more.
const LAST_ATTEMPT_BOUND: Duration = Duration::from_secs(15);
/// Between two attempts.
const RETRY_MS: std::ops::Range<u64> = 10..150;
/// Between two wishes: the tests beside this one want a machine, too.
const THINK_MS: std::ops::Range<u64> = 20..100;
/// What is set aside for a second is decided about after this.
const SHORT_MS: std::ops::Range<u64> = 0..1_200;
/// How often a look is tried: nobody needs it.
const LOOKS_MAX: usize = 5;

/// Somebody with wishes.
pub struct Caller {
    world: Arc<World>,
    random: StdRng,
}

/// How a wish ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Took,
    DidNot,
}

impl Caller {
    pub fn new(world: &Arc<World>, seed: u64) -> Self {
        Self {
            world: Arc::clone(world),
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// One wish after the other, until everybody stops.
    pub async fn run(mut self) {
        while !self.world.is_stopping() {
            match self.random.random_range(0..100) {
                0..20 => {
                    let wish = self.credit();
                    self.fulfil(wish).await;
                }
                20..30 => {
                    let wish = self.spend();
                    self.fulfil(wish).await;
                }
                30..42 => Box::pin(self.hold_and_decide()).await,
                42..51 => self.post_batch().await,
                51..60 => {
                    let wish = self.transfer();
                    self.fulfil(wish).await;
                }
                60..64 => {
                    let wish = self.adjust();
                    self.fulfil(wish).await;
                }
                64..68 => {
                    let wish = self.paid_credit();
                    self.fulfil(wish).await;
                }
                68..73 => Box::pin(self.wait_and_begin()).await,
                73..81 => Box::pin(self.spend_and_take_back()).await,
                _ => self.look().await,
            }
            let pause = self.random.random_range(THINK_MS);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    fn owner(&mut self) -> String {
        let index = self.random.random_range(0..self.world.owners.len());
        self.world.owners[index].clone()
    }

    fn line(&mut self) -> Line {
        self.world.lines[self.random.random_range(0..2)].clone()
    }

    /// Asks until it is known what came of it, now and then twice at the same time, and writes it down.
    async fn fulfil(&mut self, wish: Wish) -> End {
        let invoked = self.world.recorder.now();
        let mut call = wish.call(invoked);
        let is_doubled = !self.world.forgets_ids && self.random.random_bool(0.1);
        if is_doubled {
            let mut twin = Self::new(&self.world, self.random.random());
            let mut same = wish.clone();
            let mut wish = wish;
            let (one, other) = tokio::join!(self.until_known(&mut wish), twin.until_known(&mut same));
            call.answers.extend([one, other].into_iter().flatten());
            call.ends = wish.ends.or(same.ends);
        } else {
            let mut wish = wish;
            call.answers.extend(self.until_known(&mut wish).await);
            call.request_id = wish.request_id().to_owned();
            call.ends = wish.ends;
        }
        let took = |answered: &Answered| matches!(answered.answer, Answer::Took(_));
        let end = if call.answers.iter().any(took) {
            End::Took
        } else {
            End::DidNot
        };
        self.world.recorder.call(call);
        end
    }

    async fn until_known(&mut self, wish: &mut Wish) -> Option<Answered> {
        while !self.world.is_over() {
            let invoked = self.world.recorder.now();
            let bound = self.attempt_bound();
            self.world.count(0);
            let sent = self.line().send(wish.command.clone(), bound).await;
            let at = self.world.recorder.now();
            match sent.map_err(|status| self.outcome_of(&status)) {
                Ok(done) => {
                    if done.is_replayed {
                        self.world.count(1);
                    }
                    let answer = if done.is_late() {
                        Answer::Refused(wishes::EXPIRED.to_owned())
                    } else {
                        Answer::Took(done.version)
                    };
                    wish.note_end(done.ends_micros().map(|end| self.world.recorder.moment_of(end)));
                    if let Some((owner_id, version)) = done.arrived {
                        self.world.recorder.acknowledge(&owner_id, version);
                    }
                    self.note(&wish.owner_id, (invoked, Asked::Nothing), done.shown);
                    return Some(Answered { at, answer });
                }
                Err(Some(reason)) => {
                    let answer = Answer::Refused(reason);
                    return Some(Answered { at, answer });
                }
                Err(None) => self.pause().await,
            }
            if self.world.forgets_ids {
                wish.rename(request_id());
            }
        }
        None
    }

    /// Once everything is whole there is no hurry: on a busy machine, short attempts would only be in each other's way.
    fn attempt_bound(&mut self) -> Duration {
        if self.world.is_stopping() {
            LAST_ATTEMPT_BOUND
        } else {
            Duration::from_millis(self.random.random_range(ATTEMPT_MS))
        }
    }

    /// Before it is tried again.
    async fn pause(&mut self) {
        sleep(Duration::from_millis(self.random.random_range(RETRY_MS))).await;
    }

    /// Holds, and captures all or a part of it or gives it back; now and then two want to capture it.
    async fn hold_and_decide(&mut self) {
        let (wish, mut held) = self.hold();
        if self.fulfil(wish).await == End::DidNot {
            return;
        }
        if held.is_short {
            // Around its end.
            sleep(Duration::from_millis(self.random.random_range(SHORT_MS))).await;
        }
        match self.random.random_range(0..10) {
            0..4 => {
                let part = self.random.random_range(1..=held.value);
                let capture = self.capture(&held, part);
                self.fulfil(capture).await;
            }
            4..7 => {
                let release = self.release(&held);
                self.fulfil(release).await;
            }
            7 => {
                held.has_rivals = true;
                let mut rival = Self::new(&self.world, self.random.random());
                let (one, other) = (self.capture(&held, held.value), self.capture(&held, held.value));
                tokio::join!(self.fulfil(one), rival.fulfil(other));
            }
            // It stays set aside, or comes back by itself.
            _ => {}
        }
    }

    /// Gives what waits, and lets it begin, now and then twice.
    async fn wait_and_begin(&mut self) {
        let wish = self.waiting_credit();
        let given = Earlier::of(&wish);
        if self.fulfil(wish).await == End::Took {
            let (one, other) = (self.activate(&given), self.activate(&given));
            Box::pin(self.one_or_both(one, other)).await;
        }
    }

    /// Spends, and takes back a part of it, now and then two that may be more than all of it.
    async fn spend_and_take_back(&mut self) {
        let wish = self.spend();
        let spent = Earlier::of(&wish);
        if self.fulfil(wish).await == End::Took {
            let (one, other) = (self.reverse(&spent), self.reverse(&spent));
            Box::pin(self.one_or_both(one, other)).await;
        }
    }

    async fn one_or_both(&mut self, one: Wish, other: Wish) {
        if self.random.random_bool(0.5) {
            self.fulfil(one).await;
        } else {
            let mut rival = Self::new(&self.world, self.random.random());
            tokio::join!(self.fulfil(one), rival.fulfil(other));
        }
    }

    async fn look(&mut self) {
        let owner_id = self.owner();
        let asked = match self.random.random_range(0..4) {
            0 => Asked::Eventual,
            1 | 2 => Asked::AtLeast(self.world.recorder.acknowledged(&owner_id)),
            _ => Asked::Strong,
        };
        for _ in 0..LOOKS_MAX {
            let line = self.line();
            if self.look_at(&line, &owner_id, asked).await {
                return;
            }
            self.pause().await;
        }
    }

    /// Whether there was an answer.
    pub async fn look_at(&mut self, line: &Line, owner_id: &str, asked: Asked) -> bool {
        let requirement = match asked {
            Asked::Eventual | Asked::Nothing => Requirement::Eventual(true),
            Asked::AtLeast(version) => Requirement::AtLeastVersion(version),
            Asked::Strong => Requirement::Strong(true),
        };
        let request = pb::GetBalanceRequest {
            owner_id: owner_id.to_owned(),
            consistency: Some(Consistency {
                requirement: Some(requirement),
            }),
            version_owner_id: match asked {
                Asked::AtLeast(_) => owner_id.to_owned(),
                _ => String::new(),
            },
        };
        let bound = self.attempt_bound();
        let invoked = self.world.recorder.now();
        self.world.count(0);
        match line.look(request, bound).await {
            Ok(shown) => self.note(owner_id, (invoked, asked), shown),
            Err(status) if status.code() == Code::OutOfRange => self.world.recorder.read(Read {
                owner_id: owner_id.to_owned(),
                asked,
                invoked,
                ended: self.world.recorder.now(),
                shown: None,
            }),
            Err(status) => {
                let refused = self.outcome_of(&status);
                assert!(refused.is_none(), "a look is well formed: {status}");
                return false;
            }
        }
        true
    }

    /// Why it was refused for good; `None` if nobody knows whether it took effect.
    fn outcome_of(&self, status: &Status) -> Option<String> {
        let reason = Refusal::of(status).reason;
        if is_final(status.code()) {
            return Some(reason);
        }
        self.world
            .count_unanswered(format!("{:?} {reason}", status.code()));
        None
    }

    /// Writes down what was shown, and that somebody knows it.
    fn note(&self, owner_id: &str, (invoked, asked): (fealty_tests::history::Moment, Asked), shown: Shown) {
        let recorder = &self.world.recorder;
        if asked == Asked::Nothing {
            recorder.acknowledge(owner_id, shown.version);
            self.world.note_took();
        }
        recorder.read(Read {
            owner_id: owner_id.to_owned(),
            asked,
            invoked,
            ended: recorder.now(),
            shown: Some(shown),
        });
    }
}

/// What the same request will be answered again. Everything else may be told of what took effect.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::NotFound
            | Code::InvalidArgument
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}

/// As `ErrorInfo` names it.
fn name_of(reason: ErrorReason) -> String {
    let name = reason.as_str_name();
    name.trim_start_matches("ERROR_REASON_").to_owned()
}
