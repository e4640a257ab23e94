//! A mailbox in which the latest wish wins: whoever puts never waits, whoever takes sleeps until there is
//! something, and a wish that a newer one makes needless is gone before it is taken.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// The mailbox.
#[derive(Debug)]
pub struct Mailbox<T> {
    inside: Mutex<(VecDeque<T>, bool)>,
    arrived: Condvar,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { inside: Mutex::new((VecDeque::new(), false)), arrived: Condvar::new() }
    }
}

/// What a look into the mailbox finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Mail<T> {
    /// A wish.
    One(T),
    /// Nothing came in time.
    Quiet,
    /// It is closed and empty.
    Closed,
}

impl<T> Mailbox<T> {
    /// Put a wish; older ones that it replaces are dropped.
    pub fn put(&self, new: T, replaces: impl Fn(&T, &T) -> bool) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.0.retain(|old| !replaces(old, &new));
        inside.0.push_back(new);
        self.arrived.notify_one();
    }

    /// The next wish; waits for it, no longer than `patience` where there is one.
    pub fn take(&self, patience: Option<Duration>) -> Mail<T> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(one) = inside.0.pop_front() {
                return Mail::One(one);
            }
            if inside.1 {
                return Mail::Closed;
            }
            inside = match patience {
                None => self.arrived.wait(inside).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let (inside, waited) =
                        self.arrived.wait_timeout(inside, patience).unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() && inside.0.is_empty() && !inside.1 {
                        return Mail::Quiet;
                    }
                    inside
                }
            };
        }
    }

    /// Whether nothing more will come.
    pub fn is_closed(&self) -> bool {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_kind_wins() {
        let mail = Mailbox::default();
        let same = |a: &(char, u32), b: &(char, u32)| a.0 == b.0;
        for wish in [('a', 1), ('b', 1), ('a', 2), ('a', 3)] {
            mail.put(wish, same);
        }
        mail.close();
        assert_eq!(mail.take(None), Mail::One(('b', 1)));
        assert_eq!(mail.take(None), Mail::One(('a', 3)));
        assert_eq!(mail.take(None), Mail::Closed);
    }
}
