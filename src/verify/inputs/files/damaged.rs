//! Files of arrays with damage at random: an array or an error, in the memory that the file's size allows.

use std::fs;
use std::io::Write;
use std::path::Path;

use ndarray::Array2;
use ndarray_npy::WriteNpyExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{DEFLATE, array};

/// Whole files, by extension.
fn whole() -> Vec<(&'static str, Vec<u8>)> {
    let mut npy = Vec::new();
    let values = Array2::from_shape_fn((3, 40), |(i, j)| (i + j % 2) as f32);
    values.write_npy(&mut npy).unwrap();
    let npz = [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ]
    .map(|method| {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for name in ["x.npy", "other.npy"] {
            archive.start_file(name, options).unwrap();
            archive.write_all(&npy).unwrap();
        }
        ("npz", archive.finish().unwrap().into_inner())
    });
    // dims 2 and 3, float, raw_data
    let mut pb = vec![0x08, 2, 0x08, 3, 0x10, 1, 0x4a, 24];
    pb.extend([0; 24]);
    let mut files = vec![("npy", npy), ("pb", pb)];
    files.extend(npz);
    files
}

/// Some bytes changed, cut off, repeated or removed.
fn damage(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..bytes.len().max(1));
        let end = (at + random.random_range(0..20)).min(bytes.len());
        match random.random_range(0..8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at.min(end)..end)),
            2 => bytes.extend_from_within(at.min(end)..end),
            3 => bytes[at.min(end)..end].fill(0xff),
            _ if at < bytes.len() => bytes[at] = random.random(),
            _ => {}
        }
    }
    bytes
}

/// True if there is an array, of no more than the file can contain.
fn reads(path: &Path, bytes: &[u8]) -> bool {
    fs::write(path, bytes).unwrap();
    let read = array(path, "x");
    if let Ok(tensor) = &read {
        let most = (bytes.len() as u64).saturating_mul(DEFLATE);
        assert!(tensor.len() as u64 <= most, "{} elements", tensor.len());
    }
    read.is_ok()
}

#[test]
fn damaged_arrays_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    for (extension, bytes) in whole() {
        let path = folder.path().join(format!("x.{extension}"));
        assert!(reads(&path, &bytes), "the twin: {extension}");
        let damaged = (0..400).map(|_| damage(&bytes, &mut random));
        let read = damaged.filter(|bytes| reads(&path, bytes)).count();
        assert!(read > 0 && read < 400, "{extension}: {read}");
    }
}
