//! What waits for a lane: bounded, and fair to programs and to lone calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fealty_types::ProgramId;
use tokio::sync::Notify;

/// The part of a batch that what comes in bulk has for sure, where lone calls would fill all of it: a quarter.
const BULK_SHARE: usize = 4;

/// Whether something comes alone, with somebody waiting for just this, or as one of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::posting) enum Haste {
    /// Taken first.
    Lone,
    /// Fills the room that is left, and has a little for sure.
    Bulk,
}

/// Waiting items, by program. Any number of tasks push, one takes.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
    count_max: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    by_program: HashMap<ProgramId, Items<T>>,
    /// Those that have something waiting, the next one first.
    turns: VecDeque<ProgramId>,
    count: usize,
}

/// What a program has waiting.
#[derive(Debug)]
struct Items<T> {
    lone: VecDeque<T>,
    bulk: VecDeque<T>,
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
    pub(super) fn try_push(&self, program: ProgramId, haste: Haste, item: T) -> Result<(), T> {
        {
            let mut waiting = self.lock();
            if waiting.count >= self.count_max {
                return Err(item);
            }
            waiting.push(program, haste, item);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// Some of what one program has waiting, the oldest first, and at least one. Programs take turns, so that one with
    /// many calls does not keep the others waiting; what comes in bulk does not keep lone calls waiting either.
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
    fn push(&mut self, program: ProgramId, haste: Haste, item: T) {
        let items = self.by_program.entry(program).or_default();
        if items.is_empty() {
            self.turns.push_back(program);
        }
        match haste {
            Haste::Lone => items.lone.push_back(item),
            Haste::Bulk => items.bulk.push_back(item),
        }
        self.count += 1;
    }

    fn take(&mut self, count_max: usize) -> Option<(ProgramId, Vec<T>)> {
        let program = self.turns.pop_front()?;
        let items = self.by_program.get_mut(&program)?;
        let taken = items.take(count_max.max(1));
        if items.is_empty() {
            self.by_program.remove(&program);
        } else {
            self.turns.push_back(program);
        }
        self.count -= taken.len();
        Some((program, taken))
    }
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self {
            lone: VecDeque::new(),
            bulk: VecDeque::new(),
        }
    }
}

impl<T> Items<T> {
    fn is_empty(&self) -> bool {
        self.lone.is_empty() && self.bulk.is_empty()
    }

    fn take(&mut self, count_max: usize) -> Vec<T> {
        let bulk_sure = self.bulk.len().min(count_max / BULK_SHARE);
        let lone_count = self.lone.len().min(count_max - bulk_sure);
        let bulk_count = self.bulk.len().min(count_max - lone_count);
        let lone = self.lone.drain(..lone_count);
        lone.chain(self.bulk.drain(..bulk_count)).collect()
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
            queue.try_push(busy, Haste::Lone, item).unwrap();
        }
        queue.try_push(quiet, Haste::Lone, 9).unwrap();
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
        assert_eq!(queue.try_push(program, Haste::Lone, 1), Ok(()));
        assert_eq!(queue.try_push(program, Haste::Lone, 2), Ok(()));
        assert_eq!(queue.try_push(program, Haste::Lone, 3), Err(3));
        assert_eq!(queue.take(1).await, (program, vec![1]));
        assert_eq!(queue.try_push(program, Haste::Lone, 3), Ok(()));
    }

    #[tokio::test]
    async fn who_takes_waits_until_something_comes() {
        let queue = Queue::new(2);
        let program = program();
        assert_eq!(queue.take(1).now_or_never(), None);
        queue.try_push(program, Haste::Lone, 1).unwrap();
        assert_eq!(queue.take(1).now_or_never(), Some((program, vec![1])));
        assert_eq!(queue.take(1).now_or_never(), None);
    }

    #[tokio::test]
    async fn lone_calls_go_before_bulk_which_has_a_little_for_sure() {
        let queue = Queue::new(100);
        let program = program();
        for item in 0..6 {
            queue.try_push(program, Haste::Bulk, 100 + item).unwrap();
        }
        for item in 0..6 {
            queue.try_push(program, Haste::Lone, item).unwrap();
        }
        let mut turns = Vec::new();
        while queue.count() > 0 {
            turns.push(queue.take(4).await.1);
        }
        assert_eq!(
            turns,
            [vec![0, 1, 2, 100], vec![3, 4, 5, 101], vec![102, 103, 104, 105]]
        );
    }
}
