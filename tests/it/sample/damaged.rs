//! No panic, whatever a model is: bytes of fixtures are changed, and what can still be read is sampled.

use dropout_onnx::onnx::Model;
use dropout_onnx::sample::{Options, sample};
use dropout_onnx::source::Source;

use super::fixtures;

const CASES: u64 = 150;

/// xorshift: the cases are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn damaged_models_are_sampled_or_refused() {
    let stems = [
        "keras3_kinds_op15",
        "keras_kinds_op13",
        "tf1_if_op9",
        "torch24_nested_functions_random_mask_op18",
        "torch_classic_mask_op11",
        "torch_mask_output_op13",
        "torch_scripted_if_op13",
    ];
    let (mut done, mut refused) = (0, 0);
    for case in 1..=CASES {
        let mut numbers = Numbers(case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let stem = stems[numbers.below(stems.len())];
        let mut bytes = std::fs::read(fixtures().join(format!("{stem}.onnx"))).unwrap();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
        }
        let Ok(model) = Model::read(Source::from_bytes(bytes)) else {
            refused += 1;
            continue;
        };
        let rates = if numbers.below(2) == 0 {
            vec![]
        } else {
            vec![0.2, 0.6]
        };
        let options = Options::default().runs(2).rates(rates);
        match sample(&model, &options, &mut |_, _| {}) {
            Ok(report) => {
                done += 1;
                report.npz().unwrap();
                report.svg();
            }
            Err(_) => refused += 1,
        }
    }
    assert!(done > 20 && refused > 20, "{done} {refused}");
}
