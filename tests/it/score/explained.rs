//! Files that tell something else than the truth about their source, and why.

use dropout_onnx::dropout::Kind;

/// What a file holds in spite of its row.
pub struct Explained {
    pub files: &'static [&'static str],
    /// Random masks.
    pub masks: usize,
    /// What acts as a mask.
    pub acting: &'static [(Kind, f64)],
    pub why: &'static str,
}

pub const EXPLAINED: &[Explained] = &[
    Explained {
        files: &["keras2_tf28/mc_kinds_func_infer_op13.onnx"],
        masks: 3,
        acting: &[
            (Kind::AlphaDropout, 0.25),
            (Kind::GaussianDropout, 0.3),
            (Kind::GaussianNoise, 0.1),
        ],
        why: "tf2onnx lost the spatial dropout's ratio and flag: a Dropout that is inert",
    },
    Explained {
        files: &[
            "keras3_tf/augment_func_train_op13.onnx",
            "keras3_augment_op13.onnx",
        ],
        masks: 1,
        acting: &[(Kind::Dropout, 0.2)],
        why: "two of three draws are a random flip and a random contrast",
    },
    Explained {
        files: &["keras3_tf/augment_kexport.onnx"],
        masks: 0,
        acting: &[],
        why: "both draws are augmentation, a random flip and a random contrast",
    },
];

pub fn of(file: &str) -> Option<&'static Explained> {
    EXPLAINED.iter().find(|e| e.files.contains(&file))
}
