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
    lone_count: usize,
    is_closed: bool,
}

/// Why nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::posting) enum Refused {
    /// There is no room.
    Full,
    /// Nobody would take it out.
    Closed,
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
            waiting: Mutex::new(Waiting::new()),
            arrived: Notify::new(),
            count_max,
        }
    }

    /// Lets things wait, in their order, or none of them where there is no room for all. What comes in bulk has half of
    /// the room, so that it refuses no lone call. Nobody waits in a queue that is closed.
    pub(super) fn try_push(&self, program: ProgramId, haste: Haste, items: Vec<T>) -> Result<(), Refused> {
        {
            let mut waiting = self.lock();
            if waiting.is_closed {
                return Err(Refused::Closed);
            }
            let bulk_count = waiting.count - waiting.lone_count;
            let is_full = match haste {
                Haste::Lone => waiting.count + items.len() > self.count_max,
                Haste::Bulk => bulk_count + items.len() > self.count_max / 2,
            };
            if is_full {
                return Err(Refused::Full);
            }
            waiting.push(program, haste, items);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// Lets go of all that waits, and takes nothing any more: there is nobody to take it out.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        *waiting = Waiting {
            is_closed: true,
            ..Waiting::new()
        };
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
    fn new() -> Self {
        Self {
            by_program: HashMap::new(),
            turns: VecDeque::new(),
            count: 0,
            lone_count: 0,
            is_closed: false,
        }
    }

    fn push(&mut self, program: ProgramId, haste: Haste, new: Vec<T>) {
        if new.is_empty() {
            return;
        }
        let items = self.by_program.entry(program).or_default();
        if items.is_empty() {
            self.turns.push_back(program);
        }
        self.count += new.len();
        match haste {
            Haste::Lone => {
                self.lone_count += new.len();
                items.lone.extend(new);
            }
            Haste::Bulk => items.bulk.extend(new),
        }
    }

    fn take(&mut self, count_max: usize) -> Option<(ProgramId, Vec<T>)> {
        let program = self.turns.pop_front()?;
        let items = self.by_program.get_mut(&program)?;
        let lone_before = items.lone.len();
        let taken = items.take(count_max.max(1));
        self.lone_count -= lone_before - items.lone.len();
        self.count -= taken.len();
        if items.is_empty() {
            self.by_program.remove(&program);
        } else {
            self.turns.push_back(program);
        }
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
        // At least one, where there is room for two: else bulk would wait for ever.
        let share = (count_max / BULK_SHARE).max(usize::from(count_max > 1));
        let bulk_sure = self.bulk.len().min(share);
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
            queue.try_push(busy, Haste::Lone, vec![item]).unwrap();
        }
        queue.try_push(quiet, Haste::Lone, vec![9]).unwrap();
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
        assert_eq!(queue.try_push(program, Haste::Lone, vec![1]), Ok(()));
        assert_eq!(queue.try_push(program, Haste::Lone, vec![2]), Ok(()));
        assert_eq!(queue.try_push(program, Haste::Lone, vec![3]), Err(Refused::Full));
        assert_eq!(queue.take(1).await, (program, vec![1]));
        assert_eq!(queue.try_push(program, Haste::Lone, vec![3]), Ok(()));
    }

    #[tokio::test]
    async fn who_takes_waits_until_something_comes() {
        let queue = Queue::new(2);
        let program = program();
        assert_eq!(queue.take(1).now_or_never(), None);
        queue.try_push(program, Haste::Lone, vec![1]).unwrap();
        assert_eq!(queue.take(1).now_or_never(), Some((program, vec![1])));
        assert_eq!(queue.take(1).now_or_never(), None);
    }

    #[tokio::test]
    async fn lone_calls_go_before_bulk_which_has_a_little_for_sure() {
        let queue = Queue::new(100);
        let program = program();
        for item in 0..6 {
            queue.try_push(program, Haste::Bulk, vec![100 + item]).unwrap();
        }
        for item in 0..6 {
            queue.try_push(program, Haste::Lone, vec![item]).unwrap();
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

    #[tokio::test]
    async fn bulk_fills_half_of_the_room_and_comes_whole_or_not_at_all() {
        let queue = Queue::new(8);
        let program = program();
        let full = Err(Refused::Full);
        assert_eq!(queue.try_push(program, Haste::Bulk, vec![1, 2, 3, 4, 5]), full);
        assert_eq!(queue.count(), 0, "none of them waits");
        assert_eq!(queue.try_push(program, Haste::Bulk, vec![1, 2, 3, 4]), Ok(()));
        assert_eq!(queue.try_push(program, Haste::Bulk, vec![5]), full);
        for item in 10..14 {
            assert_eq!(queue.try_push(program, Haste::Lone, vec![item]), Ok(()));
        }
        assert_eq!(queue.try_push(program, Haste::Lone, vec![14]), full);
        // Batches of two have one of each, so that bulk does not wait for ever.
        assert_eq!(queue.take(2).await.1, [10, 1]);
        assert_eq!(queue.try_push(program, Haste::Bulk, vec![5]), Ok(()));
        assert_eq!(queue.count(), 7);
    }

    #[tokio::test]
    async fn a_closed_queue_lets_go_of_all_and_takes_nothing() {
        let queue = Queue::new(8);
        let program = program();
        queue.try_push(program, Haste::Lone, vec![1]).unwrap();
        queue.close();
        assert_eq!(queue.count(), 0);
        assert_eq!(
            queue.try_push(program, Haste::Lone, vec![2]),
            Err(Refused::Closed)
        );
    }
}
