//! What is read once for all who ask, and kept as long as somebody holds it.
//!
//! Who asks for something that is being read waits for that and for nothing else: others may be read meanwhile. What
//! could not be read is not tried again.

use crate::{Error, Result};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// So many are known before those are forgotten that nobody holds, and what is known of failures.
const MOST: usize = 4096;

/// What is known by key.
pub struct Shared<K, T> {
    known: Mutex<Entries<K, T>>,
}

struct Entries<K, T> {
    by_key: HashMap<K, Arc<Mutex<Known<T>>>>,
    /// How many there may be before some are forgotten.
    most: usize,
}

/// What is known of one.
enum Known<T> {
    /// Nothing yet, or there is none.
    Nothing,
    /// It was read, and may have been let go since.
    Read(Weak<T>),
    /// It cannot be read.
    Failed(Error),
}

impl<K, T> Default for Shared<K, T> {
    fn default() -> Shared<K, T> {
        Shared { known: Mutex::new(Entries { by_key: HashMap::new(), most: MOST }) }
    }
}

impl<K: Hash + Eq, T> Shared<K, T> {
    /// What has this key: what somebody holds, else what `read` gives.
    pub fn get(&self, key: K, read: impl FnOnce(&K) -> Result<Option<T>>) -> Result<Option<Arc<T>>>
    where
        K: Clone,
    {
        let entry = self.entry(key.clone());
        let mut known = locked(&entry);
        match &*known {
            Known::Failed(error) => return Err(error.clone()),
            Known::Read(held) => {
                if let Some(held) = held.upgrade() {
                    return Ok(Some(held));
                }
            }
            Known::Nothing => {}
        }
        let found = read(&key).map(|found| found.map(Arc::new));
        *known = match &found {
            Ok(Some(found)) => Known::Read(Arc::downgrade(found)),
            Ok(None) => Known::Nothing,
            Err(error) => Known::Failed(error.clone()),
        };
        found
    }

    fn entry(&self, key: K) -> Arc<Mutex<Known<T>>> {
        let mut entries = locked(&self.known);
        if entries.by_key.len() >= entries.most && !entries.by_key.contains_key(&key) {
            // Who reads one has its entry, and is not waited for here.
            entries.by_key.retain(|_, entry| {
                let held = |known: &Known<T>| matches!(known, Known::Read(held) if held.strong_count() > 0);
                Arc::strong_count(entry) > 1 || entry.try_lock().is_ok_and(|known| held(&known))
            });
            entries.most = MOST.max(2 * entries.by_key.len());
        }
        Arc::clone(entries.by_key.entry(key).or_insert_with(|| Arc::new(Mutex::new(Known::Nothing))))
    }
}

/// What a reader left that panicked is as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Barrier,
            atomic::{AtomicU32, Ordering},
            mpsc::channel,
        },
        thread,
        time::Duration,
    };

    #[test]
    fn each_is_read_once_however_many_ask() {
        let (shared, reads, together) = (Shared::default(), AtomicU32::new(0), Barrier::new(8));
        let ask = || {
            together.wait();
            let read = |_: &u32| {
                reads.fetch_add(1, Ordering::Relaxed);
                Ok(Some("frames"))
            };
            let held = shared.get(1, read).unwrap().unwrap();
            together.wait(); // until all hold it
            held
        };
        thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(ask)));
        });
        assert_eq!(reads.into_inner(), 1);
        // Nobody holds it any more, so it is read anew.
        assert_eq!(shared.get(1, |_| Ok(Some("again"))).unwrap().as_deref(), Some(&"again"));
    }

    #[test]
    fn failures_are_remembered() {
        let shared: Shared<u32, ()> = Shared::default();
        let error = Error::new("damaged");
        assert_eq!(shared.get(1, |_| Err(error.clone())), Err(error.clone()));
        assert_eq!(shared.get(1, |_| panic!("it is not read again")), Err(error));
        assert_eq!(shared.get(2, |_| Ok(None)), Ok(None));
    }

    #[test]
    fn reading_one_does_not_wait_for_another() {
        let shared: Shared<u32, u32> = Shared::default();
        let ((start, started), (done, wait)) = (channel(), channel());
        let soon = Duration::from_secs(120);
        thread::scope(|scope| {
            let shared = &shared;
            let first = scope.spawn(move || {
                // Goes on when the other one was read while this one is.
                let read = |_: &u32| {
                    start.send(()).unwrap();
                    wait.recv_timeout(soon).map(Some).map_err(|e| Error::new(e.to_string()))
                };
                shared.get(1, read)
            });
            started.recv().unwrap();
            scope.spawn(move || {
                let second = shared.get(2, |_| Ok(Some(2))).unwrap();
                let _ = done.send(*second.unwrap());
            });
            assert_eq!(first.join().unwrap().unwrap().as_deref(), Some(&2));
        });
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let shared: Shared<usize, usize> = Shared::default();
        let held = shared.get(0, |_| Ok(Some(0))).unwrap();
        (1..3 * MOST).for_each(|key| drop(shared.get(key, |_| Ok(Some(key)))));
        assert!(locked(&shared.known).by_key.len() <= MOST + 1);
        assert_eq!(shared.get(0, |_| panic!("somebody holds it")), Ok(held));
    }
}
