//! Any bytes: stripped, compared, stripped again; dropout inserted and changed.
#![no_main]

#[path = "../../tests/it/common/promises.rs"]
#[allow(dead_code)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    promises::stripping(bytes);
    promises::changing(bytes);
});
