//! Where an erasure can be cut off. In production nothing happens at these points; a test makes one of them a crash, and
//! shows that the erasure comes to its end all the same.

use std::fmt;
use std::sync::Arc;

use crate::refusal::MembersError;

/// Something that has happened and lasts, and that nobody was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum After {
    /// The erasure was stored.
    Begin,
    /// The ledger was told to close the account, and the member is closed here.
    Close,
    /// The member left their household.
    Leave,
    /// The key and all else was destroyed.
    Destroy,
}

impl After {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Begin, Self::Close, Self::Leave, Self::Destroy];
}

/// What happens at each point. The default is nothing.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<dyn Fn(After) -> bool + Send + Sync>>);

impl Faults {
    /// What a test wants: whether the work ends at a point, as if the process were gone.
    #[must_use]
    pub fn new(crashes: impl Fn(After) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(crashes)))
    }

    /// Comes past a point.
    pub(super) fn pass(&self, point: After) -> Result<(), MembersError> {
        match &self.0 {
            Some(crashes) if crashes(point) => Err(MembersError::Crashed),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_some() { "of a test" } else { "none" };
        write!(f, "Faults({kind})")
    }
}
