//! What the classes of layers drop.

use serde_json::Value;

use crate::dropout::Kind;

/// An argument of a layer that drops.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Drops {
    /// Its name: `rate`, `dropout`, `recurrent_dropout`.
    pub argument: String,
    /// The rate; of Gaussian noise the standard deviation.
    pub rate: f64,
    /// What is dropped.
    pub what: What,
}

/// What an argument drops.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// The data of the layer, with a mask shared along these axes.
    Data(Kind, Vec<i64>),
    /// The weights of attention, after their softmax.
    Attention,
    /// The input of a recurrent layer, with one mask for all steps.
    Sequence,
    /// The state of a recurrent layer.
    State,
    /// The input of a recurrent layer, with a mask for each direction.
    Directions,
    /// Not known: the class is not one of Keras.
    Unknown,
}

/// What a layer of this class drops.
pub(super) fn drops(class: &str, config: &Value) -> Vec<Drops> {
    let inner = |key: &str| -> Vec<Drops> {
        let Some(layer) = config.get(key) else {
            return Vec::new();
        };
        let class = layer["class_name"].as_str().unwrap_or_default();
        drops(class, &layer["config"])
    };
    match class {
        "Dropout" => data(config, Kind::Dropout, noise_shape(config)),
        "SpatialDropout1D" => data(config, Kind::Dropout, vec![1]),
        "SpatialDropout2D" => data(config, Kind::Dropout, spatial(config, 2)),
        "SpatialDropout3D" => data(config, Kind::Dropout, spatial(config, 3)),
        "AlphaDropout" => data(config, Kind::AlphaDropout, noise_shape(config)),
        "GaussianDropout" => data(config, Kind::GaussianDropout, Vec::new()),
        "GaussianNoise" => argument(
            config,
            "stddev",
            What::Data(Kind::GaussianNoise, Vec::new()),
        ),
        "MultiHeadAttention"
        | "GroupedQueryAttention"
        | "GroupQueryAttention"
        | "Attention"
        | "AdditiveAttention" => argument(config, "dropout", What::Attention),
        "LSTM" | "GRU" | "SimpleRNN" => [
            argument(config, "dropout", What::Sequence),
            argument(config, "recurrent_dropout", What::State),
        ]
        .concat(),
        "TimeDistributed" => inner("layer").into_iter().map(per_step).collect(),
        "Bidirectional" => {
            let each = inner("layer").into_iter();
            let each = each.map(|drops| match drops.what {
                What::Sequence => Drops {
                    what: What::Directions,
                    ..drops
                },
                _ => drops,
            });
            each.collect()
        }
        _ => unknown(config),
    }
}

fn argument(config: &Value, name: &str, what: What) -> Vec<Drops> {
    let rate = config[name].as_f64().filter(|rate| *rate > 0.0);
    let drops = rate.map(|rate| Drops {
        argument: name.to_string(),
        rate,
        what,
    });
    drops.into_iter().collect()
}

fn data(config: &Value, kind: Kind, shared: Vec<i64>) -> Vec<Drops> {
    argument(config, "rate", What::Data(kind, shared))
}

/// The axes of size 1 in a mask's shape.
fn noise_shape(config: &Value) -> Vec<i64> {
    let sizes = config["noise_shape"].as_array().into_iter().flatten();
    let shared = sizes
        .enumerate()
        .filter(|(_, size)| size.as_i64() == Some(1));
    shared.map(|(axis, _)| axis as i64).collect()
}

/// The given number of axes of space.
fn spatial(config: &Value, axes: i64) -> Vec<i64> {
    match config["data_format"].as_str() {
        Some("channels_first") => (2..2 + axes).collect(),
        _ => (1..=axes).collect(),
    }
}

/// The layer is applied to each step of a sequence, along axis 1.
fn per_step(drops: Drops) -> Drops {
    let what = match drops.what {
        What::Data(kind, shared) => {
            let axis = |axis: i64| if axis > 0 { axis + 1 } else { axis };
            What::Data(kind, shared.into_iter().map(axis).collect())
        }
        _ => What::Unknown,
    };
    Drops { what, ..drops }
}

/// Arguments of other classes that are named like rates, and those of the layers inside them.
fn unknown(config: &Value) -> Vec<Drops> {
    let Some(arguments) = config.as_object() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in arguments {
        let named = name.contains("dropout") || name == "drop_rate" || name == "drop_path_rate";
        if named && value.as_f64().is_some_and(|rate| rate > 0.0 && rate < 1.0) {
            found.extend(argument(config, name, What::Unknown));
        }
        let objects = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for object in objects {
            if let (Some(class), Some(config)) =
                (object["class_name"].as_str(), object.get("config"))
            {
                let inner = drops(class, config).into_iter();
                found.extend(inner.map(|drops| Drops {
                    what: What::Unknown,
                    ..drops
                }));
            }
        }
    }
    found
}
