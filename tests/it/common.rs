//! What the tests share.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

pub mod build;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "tract")]
pub mod everything;
pub mod mask_gen;
pub mod masks;
#[cfg(all(feature = "cli", target_os = "linux"))]
pub mod memory;
#[cfg(unix)]
pub mod outside;
pub mod promises;
pub mod proto;
#[cfg(feature = "tract")]
pub mod rename;
#[cfg(feature = "tract")]
pub mod stripped;
pub mod tape;
pub mod wire_gen;
pub mod wire_tree;

use std::path::{Path, PathBuf};

use dropout_onnx::Analysis;
use dropout_onnx::dropout::{self, Site};

/// The dropouts that are recognised in a model.
pub fn sites(model: &proto::Model) -> Vec<Site> {
    dropout::find(&Analysis::of(&model.read())).expect("sites")
}

/// The models in `fixtures`, and those in the folder that DROPOUT_ONNX_MODELS names (`.ci/run` sets
/// it where a larger set is at hand).
pub fn models() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
    folders.extend(std::env::var_os("DROPOUT_ONNX_MODELS").map(PathBuf::from));
    let mut models = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "onnx") {
                models.push(path);
            }
        }
    }
    models.sort();
    assert!(models.len() >= 10, "only {} models found", models.len());
    models
}
