//! Work that is asked to stop ends at its next step, and writes nothing.

use dropout_onnx::job::{Files, Job};
use dropout_onnx::rewrite::strip::{Options, strip};
use dropout_onnx::verify::{self, run};
use dropout_onnx::{ErrorKind, Interrupt, Result, onnx::Model};

const MODEL: &str = "fixtures/torch_course_preserve_op17.onnx";

fn job(out: &std::path::Path, runs: usize, before_writing: impl Fn()) -> Result<()> {
    let files = Files::default()
        .input(MODEL.into())
        .output(Some(out.into()));
    let settings = run::Settings::default().runs(runs);
    let how = verify::Options::asked(true, Some(settings));
    let job = Job::open(files, "stripped", Some(how), || Model::open(MODEL))?;
    let stripped = strip(job.before(), &Options::default())?;
    let verify = |how: &verify::Options| {
        let found = stripped.verify(job.before(), None, how);
        before_writing();
        found
    };
    let mut stream = Vec::new();
    job.conclude(&stripped.edited, false, verify, &mut stream)?;
    Ok(())
}

#[test]
fn a_verification_ends_between_two_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.onnx");
    let interrupt = Interrupt::default();
    let error = std::thread::scope(|scope| {
        let endless = scope.spawn(|| interrupt.heeded(|| job(&out, usize::MAX, || ())));
        std::thread::sleep(std::time::Duration::from_millis(50));
        interrupt.ask();
        endless.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupt_after_verification_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.onnx");
    let interrupt = Interrupt::default();
    let error = interrupt.heeded(|| job(&out, 1, || interrupt.ask()).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // the twin: nobody did
    Interrupt::default().heeded(|| job(&out, 1, || ())).unwrap();
    assert!(out.exists());
}
