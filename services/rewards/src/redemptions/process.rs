//! The process: does one piece of work after the other until a redemption has come to its end.
//!
//! Nobody owns a redemption while it is under way. Whoever works on it (the call that began it, a retry, the job of
//! another replica) reads how far it is, does what is next, and writes that down only if nobody else has meanwhile; else
//! they go on from what the other wrote. The lease only keeps the job from work that somebody is at.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{HoldId, ProgramId, RedemptionId, SharedClock, VoucherId};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::time::sleep;

use super::domain::{Failure, Hold, Redemption, Work};
use super::fault::{Act, FaultPoint, Faults};
use super::ledger::{Answer, LedgerDoor};
use super::storage;
use crate::catalogue::domain::CodeSource;
use crate::catalogue::{self, Taken};
use crate::refusal::{Refusal, Resource, RewardsError};
use crate::vouchers::domain::{GeneratedCode, Voucher, end_of_life};
use crate::{events, vouchers};

/// How long a redemption is left to whoever works on it and to their caller's retries, before the job takes it over.
/// Each step that is written down begins it anew. Longer than a step waits for the ledger, and no longer than a member
/// would wait for their points to come back.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(30);

/// Rounds of one worker: a redemption takes seven to its end. More are taken only by who meets others at the same
/// redemption or at the last code of a pool, and they are worth some patience.
const ROUNDS_MAX: u32 = 40;

/// The pause before another look at a pool whose last codes are in the hands of others: about one commit.
const IN_OTHER_HANDS_PAUSE: Duration = Duration::from_millis(10);

/// Brings redemptions to their end.
#[derive(Debug, Clone)]
pub struct Process {
    service: PgPool,
    ledger: LedgerDoor,
    clock: SharedClock,
    waker: FeedWaker,
    faults: Faults,
}

/// What is to be written down, in one transaction.
#[derive(Debug, Clone)]
enum Write {
    Held(HoldId),
    Reserve,
    Capturing,
    Captured,
    Issue(VoucherId),
    /// Give everything back that is here, because of that. The ledger holds nothing if it refused to.
    TurnBack(Failure, Hold),
    LearntHold(HoldId),
    EndUndone,
}

/// What became of it.
enum Written {
    /// How far the redemption is now, whoever brought it there.
    Now(Redemption),
    /// Nothing yet: others hold what is needed, and may let go of it.
    NotYet,
}

impl Write {
    const fn act(&self) -> Act {
        match self {
            Self::Held(_) => Act::WriteHeld,
            Self::Reserve => Act::Reserve,
            Self::Capturing => Act::WriteCapturing,
            Self::Captured => Act::WriteCaptured,
            Self::Issue(_) => Act::Issue,
            Self::TurnBack(..) => Act::TurnBack,
            Self::LearntHold(_) => Act::WriteLearntHold,
            Self::EndUndone => Act::EndUndone,
        }
    }
}

impl Process {
    /// Over the pool of the service's role. The waker is told of what has ended.
    #[must_use]
    pub const fn new(
        service: PgPool,
        ledger: LedgerDoor,
        clock: SharedClock,
        waker: FeedWaker,
        faults: Faults,
    ) -> Self {
        Self {
            service,
            ledger,
            clock,
            waker,
            faults,
        }
    }

    /// Comes past a point where a test may end the work.
    pub(super) fn pass(&self, point: FaultPoint) -> Result<(), RewardsError> {
        self.faults.pass(point)
    }

    /// Until when whoever works on a redemption from now on is left alone.
    pub(super) fn lease_time(&self) -> DateTime<Utc> {
        self.clock.now() + LEASE
    }

    /// Brings a redemption to its end.
    pub(super) async fn run(
        &self,
        program_id: ProgramId,
        mut redemption: Redemption,
    ) -> Result<Redemption, RewardsError> {
        for _ in 0..ROUNDS_MAX {
            let Some(work) = redemption.next_work() else {
                return Ok(redemption);
            };
            let write = self.work(program_id, &redemption, work).await?;
            match self.write(program_id, &redemption, &write).await? {
                Written::Now(current) => redemption = current,
                Written::NotYet => sleep(IN_OTHER_HANDS_PAUSE).await,
            }
        }
        Err(Refusal::Contended.into())
    }

    /// Brings a redemption to its end that somebody began and left. Before the point of no return nobody waits for the
    /// reward any more, so it is undone.
    pub(super) async fn take_over(
        &self,
        program_id: ProgramId,
        redemption_id: RedemptionId,
    ) -> Result<Redemption, RewardsError> {
        let mut redemption = self.get(program_id, redemption_id).await?;
        if redemption.step.is_before_capture() {
            let abandoned = Write::TurnBack(Failure::abandoned(redemption_id), redemption.hold);
            if let Written::Now(current) = self.write(program_id, &redemption, &abandoned).await? {
                redemption = current;
            }
        }
        self.run(program_id, redemption).await
    }

    async fn get(
        &self,
        program_id: ProgramId,
        redemption_id: RedemptionId,
    ) -> Result<Redemption, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "get_redemption", scope, options, |tx| {
            in_tx(get_in_tx(tx, program_id, redemption_id))
        })
        .await
    }

    /// Does what is next outside of the database, and answers what is to be written of it.
    async fn work(
        &self,
        program_id: ProgramId,
        redemption: &Redemption,
        work: Work,
    ) -> Result<Write, RewardsError> {
        match work {
            Work::Hold(price) => {
                self.pass(FaultPoint::Before(Act::CallHold))?;
                let answer = self.ledger.hold(program_id, redemption, &price).await?;
                self.pass(FaultPoint::After(Act::CallHold))?;
                Ok(match answer {
                    Answer::Done(hold_id) => Write::Held(hold_id),
                    Answer::Refused(failure) => Write::TurnBack(failure, Hold::None),
                })
            }
            Work::Reserve => Ok(Write::Reserve),
            Work::BeginCapture => Ok(Write::Capturing),
            Work::Capture(hold_id) => {
                self.pass(FaultPoint::Before(Act::CallCapture))?;
                let answer = self.ledger.capture(program_id, redemption, hold_id).await?;
                self.pass(FaultPoint::After(Act::CallCapture))?;
                Ok(match answer {
                    Answer::Done(()) => Write::Captured,
                    Answer::Refused(failure) => Write::TurnBack(failure, redemption.hold),
                })
            }
            Work::Issue => Ok(Write::Issue(VoucherId::generate(&*self.clock))),
            Work::LearnHold(price) => {
                self.pass(FaultPoint::Before(Act::CallLearnHold))?;
                let answer = self.ledger.hold(program_id, redemption, &price).await?;
                self.pass(FaultPoint::After(Act::CallLearnHold))?;
                Ok(match answer {
                    Answer::Done(hold_id) => Write::LearntHold(hold_id),
                    Answer::Refused(_) => Write::EndUndone,
                })
            }
            Work::Release(hold_id) => {
                self.pass(FaultPoint::Before(Act::CallRelease))?;
                self.ledger.release(program_id, redemption, hold_id).await?;
                self.pass(FaultPoint::After(Act::CallRelease))?;
                Ok(Write::EndUndone)
            }
            Work::EndUndone => Ok(Write::EndUndone),
        }
    }

    /// Writes down what was done, if the redemption still is where it was.
    async fn write(
        &self,
        program_id: ProgramId,
        from: &Redemption,
        write: &Write,
    ) -> Result<Written, RewardsError> {
        self.pass(FaultPoint::Before(write.act()))?;
        let (now, lease_time) = (self.clock.now(), self.lease_time());
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        let written = transact(&self.service, "write_redemption", scope, options, |tx| {
            in_tx(async move {
                let current = lock_in_tx(&mut *tx, program_id, from.redemption_id).await?;
                if (current.step, current.hold) != (from.step, from.hold) {
                    return Ok(Written::Now(current));
                }
                let Some(next) = apply_in_tx(&mut *tx, program_id, current, write, now).await? else {
                    return Ok(Written::NotYet);
                };
                storage::update_in_tx(&mut *tx, program_id, &next, lease_time).await?;
                if next.step.is_end() {
                    events::append_in_tx(tx, program_id, &events::redemption_ended(&next, now)).await?;
                }
                Ok::<_, RewardsError>(Written::Now(next))
            })
        })
        .await?;
        if matches!(&written, Written::Now(now) if now.step.is_end()) {
            self.waker.wake();
        }
        self.pass(FaultPoint::After(write.act()))?;
        Ok(written)
    }
}

/// A redemption that must exist.
pub(super) async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
) -> Result<Redemption, RewardsError> {
    let found = storage::find_in_tx(tx, program_id, redemption_id).await?;
    Ok(found.ok_or_else(|| Refusal::not_found(Resource::Redemption, redemption_id))?)
}

async fn lock_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption_id: RedemptionId,
) -> Result<Redemption, RewardsError> {
    let found = storage::lock_in_tx(tx, program_id, redemption_id).await?;
    Ok(found.ok_or_else(|| Refusal::not_found(Resource::Redemption, redemption_id))?)
}

/// Does what goes with a write, and answers how far the redemption is after it. None: not yet.
async fn apply_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    current: Redemption,
    write: &Write,
    now: DateTime<Utc>,
) -> Result<Option<Redemption>, RewardsError> {
    Ok(Some(match write {
        Write::Held(hold_id) => current.held(*hold_id),
        Write::Reserve => match take_in_tx(&mut *tx, program_id, &current).await? {
            Taken::One => current.reserved(),
            Taken::Nothing => {
                let failure = Failure::out_of_stock(current.reward_id);
                turn_back_in_tx(tx, program_id, current, failure).await?
            }
            Taken::InOtherHands => return Ok(None),
        },
        Write::Capturing => current.capturing(),
        Write::Captured => current.captured(),
        Write::Issue(voucher_id) => {
            let voucher = voucher_in_tx(&mut *tx, program_id, &current, *voucher_id, now).await?;
            vouchers::insert_in_tx(tx, program_id, &voucher).await?;
            current.redeemed(*voucher_id, now)
        }
        Write::TurnBack(failure, hold) => {
            let current = match hold {
                Hold::None => current.without_hold(),
                Hold::Unknown | Hold::Known(_) => current,
            };
            turn_back_in_tx(tx, program_id, current, failure.clone()).await?
        }
        Write::LearntHold(hold_id) => current.with_hold(*hold_id),
        Write::EndUndone => current.undone(now),
    }))
}

async fn take_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption: &Redemption,
) -> Result<Taken, RewardsError> {
    if !redemption.terms.stock_counted {
        return Ok(Taken::One);
    }
    let (reward_id, code_source) = (redemption.reward_id, redemption.terms.code_source);
    catalogue::take_in_tx(tx, program_id, reward_id, code_source, redemption.redemption_id).await
}

/// Gives back what was set aside here, and the member's count.
async fn turn_back_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    current: Redemption,
    failure: Failure,
) -> Result<Redemption, RewardsError> {
    if current.reserved && current.terms.stock_counted {
        let (reward_id, code_source) = (current.reward_id, current.terms.code_source);
        catalogue::give_back_in_tx(
            &mut *tx,
            program_id,
            reward_id,
            code_source,
            current.redemption_id,
        )
        .await?;
    }
    storage::uncount_in_tx(tx, program_id, &current).await?;
    Ok(current.turned_back(failure))
}

/// The voucher of a redemption, with the code that was set aside for it or a new one. Should a new one exist already,
/// which is less likely than a fault of the machine, the write fails whole and the next attempt draws another.
async fn voucher_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    redemption: &Redemption,
    voucher_id: VoucherId,
    now: DateTime<Utc>,
) -> Result<Voucher, RewardsError> {
    let redemption_id = redemption.redemption_id;
    let (code, code_key) = match redemption.terms.code_source {
        CodeSource::Generated => {
            let code = GeneratedCode::generate(&mut rand::rng());
            (code.to_string(), code.key())
        }
        CodeSource::Pool => {
            let code = catalogue::find_code_in_tx(tx, program_id, redemption_id).await?;
            let code = code.ok_or_else(|| StorageError::corrupt("reward_code", "a reserved code is gone"))?;
            (code.clone(), code)
        }
    };
    Ok(Voucher {
        voucher_id,
        redemption_id,
        member_id: redemption.member_id,
        reward_id: redemption.reward_id,
        code,
        code_key,
        expire_time: end_of_life(now, redemption.terms.voucher_life_days),
        used: None,
        create_time: now,
    })
}
