//! The shape of a transaction's body: a boxed future that borrows the transaction and what lies around the call.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a transaction's body answers: made by [`in_tx`].
///
/// It may borrow from the surroundings of the call (`'env`), which live longer than the transaction (`'tx`); a plain
/// boxed future cannot say so, and an async closure cannot promise that it may move between threads.
#[must_use = "a body does nothing unless it is awaited"]
pub struct Body<'env, 'tx, T, E> {
    future: Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'tx>>,
    // Says that 'env outlives 'tx, wherever the two meet.
    surroundings: PhantomData<&'tx &'env ()>,
}

/// Makes the body of a transaction: `|tx| in_tx(async move { .. })`.
pub fn in_tx<'env, 'tx, T, E, F>(future: F) -> Body<'env, 'tx, T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'tx,
{
    Body {
        future: Box::pin(future),
        surroundings: PhantomData,
    }
}

impl<T, E> Future for Body<'_, '_, T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(context)
    }
}
