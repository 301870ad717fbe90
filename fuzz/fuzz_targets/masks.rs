//! Models that draw at random, from the choices of a generator: dropout here and there, in graphs,
//! branches, loops and functions.
#![no_main]

#[path = "../../tests/it/common/mask_gen.rs"]
mod mask_gen;
#[path = "../../tests/it/common/promises.rs"]
#[allow(dead_code)]
mod promises;

libfuzzer_sys::fuzz_target!(|choices: &[u8]| {
    let model = mask_gen::model(&choices[..choices.len().min(4000)]);
    assert!(promises::parse(&model) > promises::Reached::Nothing);
    promises::stripping(&model);
});
