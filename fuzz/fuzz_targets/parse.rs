//! Any bytes: read, written back, looked at.
#![no_main]

#[path = "../../tests/it/common/promises.rs"]
#[allow(dead_code)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    promises::parse(bytes);
});
