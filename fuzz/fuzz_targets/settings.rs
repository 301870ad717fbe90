//! Texts that people write: configurations, baselines, plans, selectors.
#![no_main]

use dropout_onnx::audit::{Baseline, Config};
use dropout_onnx::rewrite::Filter;
use dropout_onnx::rewrite::insert::{Options, PlanFile, Preset};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Config::parse(text);
    if let Ok(plan) = PlanFile::parse(text) {
        let _ = plan.merge(&mut Options::default(), false);
    }
    // what was read is written and read again
    if let Ok(baseline) = Baseline::parse(text) {
        let written = baseline.text().expect("a baseline can be written");
        let again = Baseline::parse(&written).expect("what was written can be read");
        assert_eq!(again.text().ok(), Some(written));
    }
    if let Ok(filter) = text.parse::<Filter>() {
        assert!(filter.to_string().parse::<Filter>().is_ok(), "{filter}");
    }
    let _ = text.parse::<Preset>();
});
