//! Long calls: the work is done on a thread of its own while this one, without the GIL, waits for it,
//! passes progress on and looks for Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use dropout_onnx::{Error, Interrupt};
use pyo3::prelude::*;

use crate::error;

/// How often signals are looked for.
const BEAT: Duration = Duration::from_millis(20);
/// How long work that was asked to stop is waited for. It writes nothing any more.
const FAREWELL: Duration = Duration::from_secs(2);
/// As much as the main thread has: models nest.
const STACK: usize = 8 << 20;

/// Progress of the work: a step, the number of parts done, and the total.
type Step = (&'static str, usize, usize);

enum Event<T> {
    /// The work continues once the other half is dropped, so an exception in progress precedes the next step.
    Step(Step, Sender<()>),
    Done(thread::Result<Result<T, Error>>),
}

/// Reports the progress of the work.
pub struct Progress<'a>(&'a dyn Fn(Step));

impl Progress<'_> {
    /// `done` of `total` are done, and now comes this.
    pub fn tell(&self, step: &'static str, done: usize, total: usize) {
        (self.0)((step, done, total));
    }
}

/// Does work without the GIL. Ends it on Ctrl-C, and where `progress` raises; a panic is an error.
pub fn long<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Progress<'_>) -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let interrupt = Interrupt::default();
    let (sender, events) = channel();
    let events = Mutex::new(events);
    let heeds = interrupt.clone();
    let tells = progress.is_some();
    let thread = thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || heeds.heeded(|| report(&sender, tells, work)))
        .map_err(|e| error::raise(py, &Error::io("cannot start a thread", e)))?;
    let next = |wait| py.detach(|| receive(&events, wait));
    let outcome = loop {
        let mut goes_on = None;
        let told = match next(BEAT) {
            Ok(Event::Done(done)) => break Ok(done),
            Ok(Event::Step(step, waits)) => {
                goes_on = Some(waits);
                progress.map_or(Ok(()), |progress| {
                    py.check_signals()?;
                    progress.call1(step).map(drop)
                })
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals(),
            Err(RecvTimeoutError::Disconnected) => {
                break Err(error::internal(py, "the work ended without a result"));
            }
        };
        if let Err(raised) = told {
            interrupt.ask();
            drop(goes_on);
            while let Ok(Event::Step(..)) = next(FAREWELL) {}
            return Err(raised);
        }
    };
    let done = outcome?;
    // it has nothing left to do
    py.detach(|| drop(thread.join()));
    match done {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(why)) => Err(error::raise(py, &why)),
        Err(panic) => Err(error::internal(py, message(&*panic))),
    }
}

fn report<T>(
    sender: &Sender<Event<T>>,
    tells: bool,
    work: impl FnOnce(&Progress<'_>) -> Result<T, Error>,
) {
    // nobody listens any more: then there is nobody to tell
    let tell = |step| {
        if tells {
            let (waits, told) = channel();
            let _ = sender.send(Event::Step(step, waits));
            // an error: the other half is dropped
            let _ = told.recv();
        }
    };
    let done = catch_unwind(AssertUnwindSafe(|| work(&Progress(&tell))));
    let _ = sender.send(Event::Done(done));
}

fn receive<T>(
    events: &Mutex<Receiver<Event<T>>>,
    wait: Duration,
) -> Result<Event<T>, RecvTimeoutError> {
    let events = events.lock().unwrap_or_else(PoisonError::into_inner);
    events.recv_timeout(wait)
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}
