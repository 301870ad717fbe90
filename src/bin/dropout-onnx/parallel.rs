//! Work on all cores.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

/// As much as the main thread has: models nest.
const STACK: usize = 8 << 20;

/// Works on the items in `jobs` threads, by default one per core, and returns the results in the
/// order of the items, each as soon as those before it are there. The work stops when `each` asks for that,
/// or fails.
///
/// # Errors
/// What `each` returned. Or no thread can be had.
pub fn in_order<T: Sync, R: Send>(
    jobs: Option<NonZeroUsize>,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(R) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let jobs = jobs.unwrap_or_else(cores).get().min(items.len());
    let next = AtomicUsize::new(0);
    let (next, work) = (&next, &work);
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..jobs {
            let sender = sender.clone();
            let job = move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    if sender.send((index, work(item))).is_err() {
                        break; // nobody wants the rest
                    }
                }
            };
            let thread = thread::Builder::new().stack_size(STACK);
            thread
                .spawn_scoped(scope, job)
                .context("cannot start a thread")?;
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut wanted = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&wanted) {
                if each(result)?.is_break() {
                    return Ok(());
                }
                wanted += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::bail;

    use super::*;

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        for jobs in [1, 2, 7, 100] {
            let items: Vec<u64> = (0..40).collect();
            let mut results = Vec::new();
            let work = |item: &u64| {
                thread::sleep(Duration::from_micros((item * 7919) % 1000));
                *item
            };
            let each = |result| {
                results.push(result);
                Ok(ControlFlow::Continue(()))
            };
            in_order(NonZeroUsize::new(jobs), &items, work, each).unwrap();
            assert_eq!(results, items, "{jobs} jobs");
        }
    }

    #[test]
    fn the_work_stops_when_nobody_wants_the_rest() {
        let items = vec![(); 10_000];
        let done = |each: fn(usize) -> Result<ControlFlow<()>>| {
            let done = AtomicUsize::new(0);
            let work = |(): &()| {
                thread::sleep(Duration::from_micros(100));
                done.fetch_add(1, Ordering::Relaxed)
            };
            let end = in_order(NonZeroUsize::new(2), &items, work, each);
            (
                end.map_err(|e| e.to_string()),
                done.into_inner() < items.len() / 2,
            )
        };
        assert_eq!(done(|_| bail!("enough")), (Err("enough".to_string()), true));
        assert_eq!(done(|_| Ok(ControlFlow::Break(()))), (Ok(()), true));
        assert_eq!(done(|_| Ok(ControlFlow::Continue(()))), (Ok(()), false));
    }
}
