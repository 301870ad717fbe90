//! Large tensors, handed to tract one at a time.
//!
//! tract copies every initializer out of the decoded model, so all weights would be in memory twice
//! by the end. Here their bytes are separated from the model before it is parsed, and tract asks for
//! them as it does for external data: each is freed once it was copied.

use std::path::Path;
use std::sync::Mutex;

use tract_onnx::data_resolver::{FopenDataResolver, ModelDataResolver};
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::prelude::{TractError, TractResult};

use crate::onnx::DataType;

/// Smaller tensors stay where they are.
const LARGE: usize = 1 << 16;

/// The location of a tensor that is here: the model's folder itself, which no file can be.
const HERE: &str = ".";

/// Bytes separated from a model, by number. A main graph's initializers are loaded once each.
#[derive(Debug)]
pub(super) struct Weights(Mutex<Vec<Vec<u8>>>);

impl Weights {
    /// Takes the bytes of the graph's large initializers.
    pub(super) fn take(graph: &mut pb::GraphProto) -> Weights {
        let mut taken = Vec::new();
        for tensor in &mut graph.initializer {
            give_length(tensor);
            if tensor.raw_data.len() >= LARGE && tensor.data_location.unwrap_or(0) == 0 {
                let entry = |key: &str, value: String| pb::StringStringEntryProto {
                    key: key.into(),
                    value,
                };
                tensor.external_data = vec![
                    entry("location", HERE.into()),
                    entry("offset", taken.len().to_string()),
                ];
                tensor.data_location = Some(DataLocation::External as i32);
                taken.push(std::mem::take(&mut tensor.raw_data));
            }
        }
        Weights(Mutex::new(taken))
    }
}

/// Sets the length of external data where the model has none: tract would take the rest of the file.
fn give_length(tensor: &mut pb::TensorProto) {
    let external = tensor.data_location == Some(DataLocation::External as i32);
    let given = tensor
        .external_data
        .iter()
        .any(|entry| entry.key == "length");
    if !external || given {
        return;
    }
    let elements = tensor.dims.iter().try_fold(1u64, |product, &dim| {
        product.checked_mul(u64::try_from(dim).ok()?)
    });
    let bits = DataType(tensor.data_type).bits();
    if let (Some(elements), Some(bits)) = (elements, bits) {
        tensor.external_data.push(pb::StringStringEntryProto {
            key: "length".into(),
            value: (elements.saturating_mul(bits).div_ceil(8)).to_string(),
        });
    }
}

impl ModelDataResolver for Weights {
    fn read_bytes_from_path(
        &self,
        buffer: &mut Vec<u8>,
        path: &Path,
        offset: usize,
        length: Option<usize>,
    ) -> TractResult<()> {
        if !path.is_dir() {
            return FopenDataResolver.read_bytes_from_path(buffer, path, offset, length);
        }
        let mut taken = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match taken.get_mut(offset).map(std::mem::take) {
            Some(bytes) if !bytes.is_empty() => {
                *buffer = bytes;
                Ok(())
            }
            _ => Err(TractError::msg(
                "external data lies in a folder, not a file",
            )),
        }
    }
}
