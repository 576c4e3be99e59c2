//! What a call answered.

use std::ops::Deref;

/// The response message, and whether it is the answer of an earlier attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The response.
    pub message: T,
    /// The write had taken effect before: this is its first answer again.
    pub replayed: bool,
}

impl<T> Answer<T> {
    /// The response alone.
    pub fn into_message(self) -> T {
        self.message
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.message
    }
}
