//! What waits for a lane: bounded, and fair to programs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fealty_types::ProgramId;
use tokio::sync::Notify;

/// Waiting items, by program. Any number of tasks push, one takes.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
    count_max: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    by_program: HashMap<ProgramId, VecDeque<T>>,
    /// Those that have something waiting, the next one first.
    turns: VecDeque<ProgramId>,
    count: usize,
}

impl<T> Queue<T> {
    /// Has room for so many.
    pub(super) fn new(count_max: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                by_program: HashMap::new(),
                turns: VecDeque::new(),
                count: 0,
            }),
            arrived: Notify::new(),
            count_max,
        }
    }

    /// Lets something wait, or gives it back when there is no room.
    pub(super) fn try_push(&self, program: ProgramId, item: T) -> Result<(), T> {
        {
            let mut waiting = self.lock();
            if waiting.count >= self.count_max {
                return Err(item);
            }
            waiting.push(program, item);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// Some of what one program has waiting, the oldest first, and at least one. Programs take turns, so that one with
    /// many calls does not keep the others waiting.
    pub(super) async fn take(&self, count_max: usize) -> (ProgramId, Vec<T>) {
        loop {
            if let Some(taken) = self.lock().take(count_max) {
                return taken;
            }
            self.arrived.notified().await;
        }
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nobody panics while holding it; should it happen, what waits is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn push(&mut self, program: ProgramId, item: T) {
        let items = self.by_program.entry(program).or_default();
        if items.is_empty() {
            self.turns.push_back(program);
        }
        items.push_back(item);
        self.count += 1;
    }

    fn take(&mut self, count_max: usize) -> Option<(ProgramId, Vec<T>)> {
        let program = self.turns.pop_front()?;
        let items = self.by_program.get_mut(&program)?;
        let taken: Vec<T> = items.drain(..count_max.clamp(1, items.len())).collect();
        if items.is_empty() {
            self.by_program.remove(&program);
        } else {
            self.turns.push_back(program);
        }
        self.count -= taken.len();
        Some((program, taken))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use futures::FutureExt as _;

    use super::*;

    fn program() -> ProgramId {
        ProgramId::generate_at(DateTime::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn programs_take_turns_and_each_keeps_its_order() {
        let queue = Queue::new(100);
        let (busy, quiet) = (program(), program());
        for item in 0..5 {
            queue.try_push(busy, item).unwrap();
        }
        queue.try_push(quiet, 9).unwrap();
        let mut turns = Vec::new();
        while queue.count() > 0 {
            turns.push(queue.take(2).await);
        }
        assert_eq!(
            turns,
            [
                (busy, vec![0, 1]),
                (quiet, vec![9]),
                (busy, vec![2, 3]),
                (busy, vec![4])
            ]
        );
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_no_more() {
        let queue = Queue::new(2);
        let program = program();
        assert_eq!(queue.try_push(program, 1), Ok(()));
        assert_eq!(queue.try_push(program, 2), Ok(()));
        assert_eq!(queue.try_push(program, 3), Err(3));
        assert_eq!(queue.take(1).await, (program, vec![1]));
        assert_eq!(queue.try_push(program, 3), Ok(()));
    }

    #[tokio::test]
    async fn who_takes_waits_until_something_comes() {
        let queue = Queue::new(2);
        let program = program();
        assert_eq!(queue.take(1).now_or_never(), None);
        queue.try_push(program, 1).unwrap();
        assert_eq!(queue.take(1).now_or_never(), Some((program, vec![1])));
        assert_eq!(queue.take(1).now_or_never(), None);
    }
}
