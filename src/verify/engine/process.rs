//! A model in a process of its own: this is the side that asks.

mod child;
mod ended;
mod protocol;

use std::borrow::Cow;
use std::io::{BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rmp_serde::encode;

use super::backend::{About, Engine, Read, Ready, Values};
use super::isolation::{self, Isolation, Limits};
use super::{Meaning, Mode, Shapes, Stop, Subject, Unrunnable, Value};
use crate::error::{Error, ErrorKind};
use crate::interrupt;
use crate::verify::engine::watch::Seen;
pub use child::serve;
use protocol::{Reply, Request};

/// The one argument with which the command becomes a process that runs models.
pub const ENGINE_ARGUMENT: &str = "__engine";

/// How often is looked at a process that works: is it to stop, does it need too much memory?
const GLANCE: Duration = Duration::from_millis(50);

/// The amount of standard error of a process that is kept.
const WORDS: u64 = 1 << 16;

/// A model in a process of its own, which ends with this.
pub(super) struct Process(Mutex<Talk>);

struct Talk {
    program: PathBuf,
    engine: &'static str,
    limits: Limits,
    child: Child,
    requests: BufWriter<ChildStdin>,
    replies: Receiver<Reply>,
    /// Its standard error, once it has ended.
    words: Option<JoinHandle<String>>,
}

/// An engine in a process of its own, with the library of ONNX Runtime for models that need it.
pub(super) struct Isolated<'a> {
    pub(super) isolation: &'a Isolation,
    pub(super) library: Option<&'a Path>,
}

impl Engine for Isolated<'_> {
    /// Starts a process and has it read a model.
    fn read(
        &self,
        subject: &Subject,
        meaning: Meaning,
        mode: Mode,
    ) -> Result<(About, Box<dyn Read>), Stop> {
        let limits = self
            .isolation
            .limits(subject.source.len().saturating_add(subject.external));
        let request = Request::Read {
            version: env!("CARGO_PKG_VERSION").to_string(),
            memory: limits.memory,
            label: subject.label.to_string(),
            model: subject.source.parts()?,
            folder: subject.folder.map(PathBuf::from),
            meaning,
            mode,
            library: self.library.map(PathBuf::from),
        };
        let mut talk = Talk::start(&self.isolation.program, limits, mode.engine())?;
        match talk.ask(&request)? {
            Reply::Read(about) => Ok((about, Box::new(Process(Mutex::new(talk))))),
            _ => Err(talk.confused()),
        }
    }
}

impl Process {
    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Process {
    fn ready(self: Box<Self>, shapes: &Shapes) -> Result<Box<dyn Ready>, Stop> {
        let shapes = shapes.clone();
        let reply = self.talk().ask(&Request::Ready { shapes })?;
        match reply {
            Reply::Ready => Ok(self),
            _ => Err(self.talk().confused()),
        }
    }
}

impl Ready for Process {
    fn run(&self, inputs: &Values, run: u64) -> Result<(Vec<Value>, Vec<Seen>), Stop> {
        let inputs = Cow::Borrowed(inputs);
        let mut talk = self.talk();
        match talk.ask(&Request::Run { inputs, run })? {
            Reply::Ran(outputs, seen) => Ok((outputs, seen)),
            _ => Err(talk.confused()),
        }
    }
}

impl Talk {
    fn start(program: &Path, limits: Limits, engine: &'static str) -> Result<Talk, Stop> {
        let cannot = |e| Error::io("cannot start the engine process", e).in_file(program);
        let mut child = Command::new(program)
            .arg(ENGINE_ARGUMENT)
            // otherwise the allocator takes more than is asked for, and all of it counts
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            let why = "the engine process has no standard streams";
            return Err(Error::new(ErrorKind::Io, why).in_file(program).into());
        };
        let (send, replies) = channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Ok(reply) = rmp_serde::from_read(&mut stdout) {
                if send.send(reply).is_err() {
                    break;
                }
            }
        });
        let words = thread::spawn(move || {
            let mut words = Vec::new();
            let mut stderr = stderr;
            let kept = stderr.by_ref().take(WORDS).read_to_end(&mut words);
            // what is not kept must not block the process either
            let _ = kept.and_then(|_| std::io::copy(&mut stderr, &mut std::io::sink()));
            String::from_utf8_lossy(&words).into_owned()
        });
        Ok(Talk {
            program: program.to_path_buf(),
            engine,
            limits,
            child,
            requests: BufWriter::new(stdin),
            replies,
            words: Some(words),
        })
    }

    /// Asks, and waits for the reply until the time limit or an interrupt.
    fn ask(&mut self, request: &Request<'_>) -> Result<Reply, Stop> {
        // a process that answers quickly is never waited for
        interrupt::check()?;
        let began = Instant::now();
        match rmp_serde::encode::write(&mut self.requests, request) {
            Ok(()) => {}
            Err(encode::Error::InvalidValueWrite(_)) => return Err(self.ended()),
            Err(why) => {
                let why = format!("the engine process cannot be asked to run it: {why}");
                return Err(Unrunnable::ended(why).into());
            }
        }
        if self.requests.flush().is_err() {
            return Err(self.ended());
        }
        loop {
            match self.replies.recv_timeout(GLANCE) {
                Ok(Reply::Stopped(stop)) => return Err(stop),
                Ok(reply) => return Ok(reply),
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            interrupt::check()?;
            let Limits { timeout, memory } = self.limits;
            if began.elapsed() >= timeout {
                return Err(Unrunnable::ended(ended::timed_out(self.engine, timeout)).into());
            }
            if ended::resident_memory(&self.child).is_some_and(|bytes| bytes > memory) {
                return Err(
                    Unrunnable::ended(isolation::out_of_memory(self.engine, memory)).into(),
                );
            }
        }
    }

    /// Why the process has ended.
    fn ended(&mut self) -> Stop {
        // one that cannot be understood may go on; the status of one that has ended stays
        let _ = self.child.kill();
        let status = self.child.wait();
        let words = self.words.take().and_then(|words| words.join().ok());
        let words = words.unwrap_or_default();
        match status {
            Ok(status) => {
                let why = ended::why(self.engine, status, &words, self.limits.memory);
                Unrunnable::ended(why).into()
            }
            Err(e) => Error::io("cannot wait for the engine process", e).into(),
        }
    }

    fn confused(&self) -> Stop {
        let why = "the engine process answered out of turn";
        let error = Error::new(ErrorKind::Io, why);
        error.in_file(&self.program).into()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
