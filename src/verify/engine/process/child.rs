//! A process that runs one model: this is the side that answers.

use std::io::{self, BufReader, BufWriter, Write};
use std::sync::mpsc::channel;
use std::thread;

use super::protocol::{Reply, Request};
use crate::error::{Error, ErrorKind};
use crate::source::Source;
use crate::verify::engine::backend::{Read, Ready};
use crate::verify::engine::{Stop, Subject, engines, isolation};

/// Answers requests on standard input until there are no more: what the command does when it is started
/// with [`super::ENGINE_ARGUMENT`] alone. `gone` is called once the parent process has ended, even in the
/// middle of a run: it is to end this one.
///
/// # Errors
/// Standard output cannot be written.
pub fn serve(gone: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (send, requests) = channel();
    thread::spawn(move || {
        let mut stdin = BufReader::new(io::stdin());
        while let Ok(request) = rmp_serde::from_read::<_, Request<'static>>(&mut stdin) {
            if send.send(request).is_err() {
                return;
            }
        }
        gone();
    });
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut state = State::default();
    for request in requests {
        let reply = state.answer(request);
        let reply = reply.unwrap_or_else(Reply::Stopped);
        rmp_serde::encode::write(&mut stdout, &reply).map_err(io::Error::other)?;
        stdout.flush()?;
    }
    Ok(())
}

/// The model, on its way.
#[derive(Default)]
struct State {
    read: Option<Box<dyn Read>>,
    ready: Option<Box<dyn Ready>>,
}

impl State {
    fn answer(&mut self, request: Request<'_>) -> Result<Reply, Stop> {
        match request {
            Request::Read {
                version,
                memory,
                label,
                model,
                folder,
                meaning,
                mode,
                library,
            } => {
                if version != env!("CARGO_PKG_VERSION") {
                    let here = env!("CARGO_PKG_VERSION");
                    let why = format!("the engine process is version {here}, not {version}");
                    return Err(Error::new(ErrorKind::Unsupported, why).into());
                }
                let subject = Subject {
                    label: &label,
                    source: &Source::from_parts(model)?,
                    folder: folder.as_deref(),
                    external: 0,
                };
                // a library that is loaded has its memory
                let engine = engines::of(mode, library.as_deref())?;
                isolation::limit_memory(memory)?;
                let (about, model) = engine.read(&subject, meaning, mode)?;
                self.read = Some(model);
                Ok(Reply::Read(about))
            }
            Request::Ready { shapes } => {
                let read = self.read.take().ok_or_else(early)?;
                self.ready = Some(read.ready(&shapes)?);
                Ok(Reply::Ready)
            }
            Request::Run { inputs, run } => {
                let ready = self.ready.as_ref().ok_or_else(early)?;
                let (outputs, seen) = ready.run(&inputs, run)?;
                Ok(Reply::Ran(outputs, seen))
            }
        }
    }
}

fn early() -> Stop {
    Error::new(ErrorKind::Usage, "there is no model yet").into()
}
