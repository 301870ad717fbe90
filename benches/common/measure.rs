//! Runs commands as processes of their own: how long, how much memory, how many bytes read.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use wait4::Wait4;

/// A run that takes longer is ended.
const LIMIT: Duration = Duration::from_mins(5);
/// Once its runs have taken this long together, a case is not run again.
const ENOUGH: Duration = Duration::from_mins(1);

/// A run that takes longer is counted at once, and not repeated to make it even.
const SLOW: Duration = Duration::from_secs(20);
/// An output of more bytes waits for the machine's memory to settle.
const LARGE: u64 = 64_000_000;

/// One command to measure.
#[derive(Clone)]
pub struct Case {
    pub what: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// A file, or a folder of files: read into the page cache before each run. Or, a file only,
    /// dropped from it if `cold`.
    pub input: PathBuf,
    pub cold: bool,
    /// What the command writes: removed before and after each run, and its most bytes.
    pub output: Option<(PathBuf, u64)>,
}

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub seconds: f64,
    /// In user mode and in the kernel.
    pub cpu: f64,
    /// Peak resident set. No less than this process' own when it started the command.
    pub peak: u64,
    /// Bytes asked of read and copy calls, or fetched from the disk, whichever is more.
    pub read: u64,
}

/// The runs of one case, or why there are none to show.
pub type Runs = Result<Vec<Run>, String>;

/// Runs the cases in turn, `rounds` times, each round beginning with another of them.
pub fn alternate(cases: &[Case], rounds: usize) -> io::Result<Vec<Runs>> {
    let mut results: Vec<Runs> = vec![Ok(Vec::new()); cases.len()];
    for round in 0..rounds {
        for i in 0..cases.len() {
            let i = (round + i) % cases.len();
            let Ok(runs) = &mut results[i] else { continue };
            if runs.iter().map(|r| r.seconds).sum::<f64>() > ENOUGH.as_secs_f64() {
                continue;
            }
            match cases[i].run()? {
                Ok(run) => runs.push(run),
                Err(why) => results[i] = Err(why),
            }
        }
    }
    Ok(results)
}

impl Case {
    /// Runs it twice and counts the second, so that every counted run finds the same: the file
    /// in the page cache (or not), no output, and memory that the machine has free.
    /// `Err` in `Ok` is the reason why the command failed.
    ///
    /// A virtual machine may give memory back to its host two seconds after it was freed, and
    /// pay for it when it is next used: a copy of 1.6 GB then takes 2.2 s and not 0.5 s. So let
    /// all be freed, use as much as the counted run will, and free it just before that.
    pub fn run(&self) -> io::Result<Result<Run, String>> {
        self.remove_output()?;
        rustix::fs::sync();
        read_through(&self.input)?;
        let large = self
            .output
            .as_ref()
            .is_some_and(|(_, bytes)| *bytes > LARGE);
        if large && Path::new("/sys/module/page_reporting").exists() {
            thread::sleep(Duration::from_millis(2600));
        }
        match self.once()? {
            Ok(run) if run.seconds < SLOW.as_secs_f64() => {}
            slow_or_failed => return Ok(slow_or_failed),
        }
        if self.cold {
            fadvise(File::open(&self.input)?, 0, None, Advice::DontNeed)?;
        }
        self.once()
    }

    fn once(&self) -> io::Result<Result<Run, String>> {
        let errors = self.input.with_extension("stderr");
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.stderr(File::create(&errors)?);

        let started = Instant::now();
        let mut child = command.spawn()?;
        let ended = wait_until_over(&child)?;
        let seconds = started.elapsed().as_secs_f64();
        let read = bytes_read(&child); // gone once it is reaped
        let result = child.wait4()?;
        let run = Run {
            seconds,
            cpu: (result.rusage.utime + result.rusage.stime).as_secs_f64(),
            peak: result.rusage.maxrss,
            read,
        };

        let verdict = if ended {
            Err(format!("over: ended after {} s", LIMIT.as_secs()))
        } else if !result.status.success() {
            let errors = fs::read_to_string(&errors)?;
            let first = errors.lines().find(|line| !line.is_empty()).unwrap_or("");
            Err(format!("failed: {}: {first}", result.status))
        } else {
            self.check_output().map(|()| run)
        };
        fs::remove_file(&errors)?;
        self.remove_output()?;
        Ok(verdict)
    }

    fn remove_output(&self) -> io::Result<()> {
        match &self.output {
            Some((path, _)) if path.exists() => fs::remove_file(path),
            _ => Ok(()),
        }
    }

    fn check_output(&self) -> Result<(), String> {
        let Some((path, most)) = &self.output else {
            return Ok(());
        };
        match fs::metadata(path).map(|file| file.len()) {
            Ok(len) if len <= *most => Ok(()),
            Ok(len) => Err(format!("failed: wrote {len} bytes, more than {most}")),
            Err(e) => Err(format!("failed: wrote nothing: {e}")),
        }
    }
}

/// Waits for the process to end and leaves it a zombie; true if it had to be ended.
fn wait_until_over(child: &Child) -> io::Result<bool> {
    let pid = Pid::from_child(child);
    let (over, is_over) = mpsc::channel();
    let watchdog = thread::spawn(move || {
        let late = is_over.recv_timeout(LIMIT).is_err();
        // Not reaped before this thread has ended, so the id is still its own.
        late && kill_process(pid, Signal::KILL).is_ok()
    });
    waitid(
        WaitId::Pid(pid),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    )?;
    let _ = over.send(());
    Ok(watchdog.join().unwrap_or(false))
}

/// From the kernel's account of a process that is over but not yet reaped.
fn bytes_read(child: &Child) -> u64 {
    let account = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
    let field = |name: &str| {
        let value = account
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    field("rchar").max(field("read_bytes"))
}

fn read_through(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?;
        return entries.try_for_each(|entry| read_through(&entry?.path()));
    }
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}
