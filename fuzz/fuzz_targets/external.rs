//! External data at any location, offset and length: no file outside the model's folder is read.
#![no_main]

#[path = "../../tests/it/common/outside.rs"]
mod outside;

use std::sync::LazyLock;

static FOLDER: LazyLock<outside::Folder> = LazyLock::new(outside::Folder::new);

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    outside::reading(&FOLDER, text);
});
