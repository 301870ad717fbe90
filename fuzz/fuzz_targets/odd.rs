//! Sound models, written as no exporter would: the bytes are the choices of a generator, so that the
//! fuzzer reaches what a change to a length prefix would hide.
#![no_main]

#[path = "../../tests/it/common/promises.rs"]
#[allow(dead_code)]
mod promises;
#[path = "../../tests/it/common/wire_gen.rs"]
mod wire_gen;

libfuzzer_sys::fuzz_target!(|choices: &[u8]| {
    // a model of more choices is only a larger one
    let choices = &choices[..choices.len().min(4000)];
    let (tape, spelling) = choices.split_at(choices.len() / 2);
    let model = wire_gen::model(tape, spelling);
    assert!(promises::parse(&model) > promises::Reached::Nothing);
    promises::stripping(&model);
    promises::changing(&model);
});
