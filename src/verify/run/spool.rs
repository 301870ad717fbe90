//! Outputs of many runs, in a temporary file: only one run is in memory at a time.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};

use crate::error::Error;
use crate::verify::engine::Value;

/// The outputs of a model, run by run.
pub(super) struct Spool {
    file: BufWriter<File>,
    runs: usize,
}

impl Spool {
    /// # Errors
    /// There is no room for temporary files.
    pub(super) fn new() -> Result<Spool, Error> {
        let file =
            tempfile::tempfile().map_err(|e| Error::io("cannot make a temporary file", e))?;
        Ok(Spool {
            file: BufWriter::new(file),
            runs: 0,
        })
    }

    pub(super) fn push(&mut self, outputs: &[Value]) -> Result<(), Error> {
        self.runs += 1;
        rmp_serde::encode::write(&mut self.file, outputs).map_err(cannot)
    }

    /// All runs, in order.
    pub(super) fn read(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<Vec<Value>, Error>> + use<>, Error> {
        let flushed = self.file.flush().and_then(|()| self.file.rewind());
        flushed.map_err(cannot)?;
        let file = self.file.get_ref().try_clone().map_err(cannot)?;
        let mut file = BufReader::new(file);
        Ok((0..self.runs).map(move |_| rmp_serde::from_read(&mut file).map_err(cannot)))
    }
}

fn cannot(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::io(
        "cannot keep outputs in a temporary file",
        std::io::Error::other(error),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back_in_order_and_to_the_bit() {
        let value = |elements: &[f32]| Value::from_f32(&[elements.len()], elements).unwrap();
        let runs = [
            vec![value(&[1.5, f32::NAN]), value(&[])],
            vec![value(&[-0.0, f32::INFINITY]), value(&[3.0])],
        ];
        let mut spool = Spool::new().unwrap();
        for run in &runs {
            spool.push(run).unwrap();
        }
        let bits = |run: &[Value]| -> Vec<Vec<u64>> {
            let outputs = run.iter().map(Value::to_f64);
            outputs
                .map(|output| output.into_iter().map(f64::to_bits).collect())
                .collect()
        };
        let again: Vec<_> = spool.read().unwrap().map(Result::unwrap).collect();
        assert_eq!(again.len(), runs.len());
        for (run, again) in runs.iter().zip(&again) {
            assert_eq!(bits(run), bits(again));
        }
    }
}
