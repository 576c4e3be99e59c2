//! Where a redemption can be cut off. In production nothing happens at these points; a test makes one of them a crash,
//! and shows that the redemption comes to its end all the same.

use std::fmt;
use std::sync::Arc;

use crate::refusal::RewardsError;

/// Something that a redemption does and that lasts: a commit here, or a call to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Writes the redemption down.
    Begin,
    /// Calls the ledger to set points aside.
    CallHold,
    /// Writes that they are.
    WriteHeld,
    /// Sets stock and code aside.
    Reserve,
    /// Writes that the points are about to be spent.
    WriteCapturing,
    /// Calls the ledger to spend them.
    CallCapture,
    /// Writes that they are spent.
    WriteCaptured,
    /// Issues the voucher.
    Issue,
    /// Gives back stock, code and count.
    TurnBack,
    /// Calls the ledger to learn what is set aside.
    CallLearnHold,
    /// Writes what it is.
    WriteLearntHold,
    /// Calls the ledger to give the points back.
    CallRelease,
    /// Writes that everything was given back.
    EndUndone,
}

/// Just before something that lasts, or just after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// Nothing of it has happened.
    Before(Act),
    /// It has happened, and nobody was told.
    After(Act),
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The work ends here, as if the process were gone.
    Crash,
}

impl Act {
    /// All there are.
    pub const ALL: [Self; 13] = [
        Self::Begin,
        Self::CallHold,
        Self::WriteHeld,
        Self::Reserve,
        Self::WriteCapturing,
        Self::CallCapture,
        Self::WriteCaptured,
        Self::Issue,
        Self::TurnBack,
        Self::CallLearnHold,
        Self::WriteLearntHold,
        Self::CallRelease,
        Self::EndUndone,
    ];
}

/// What happens at each point. The default is nothing.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<dyn Fn(FaultPoint) -> Fault + Send + Sync>>);

impl Faults {
    /// What a test wants.
    #[must_use]
    pub fn new(decide: impl Fn(FaultPoint) -> Fault + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(decide)))
    }

    /// Comes past a point.
    pub(super) fn pass(&self, point: FaultPoint) -> Result<(), RewardsError> {
        let fault = self.0.as_ref().map_or(Fault::None, |decide| decide(point));
        match fault {
            Fault::None => Ok(()),
            Fault::Crash => Err(RewardsError::Crashed),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_some() { "of a test" } else { "none" };
        write!(f, "Faults({kind})")
    }
}
