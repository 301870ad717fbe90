//! Models of Keras as they are saved (`.keras`): which layers drop, at which rate, and what they drop.
//!
//! An archive is a zip file with the layers and their connections as JSON. Nothing in it is executed, and its
//! weights are not read. What a layer of an unknown class does is not guessed.
//!
//! ```no_run
//! use dropout_onnx::keras::Archive;
//!
//! # fn main() -> dropout_onnx::Result<()> {
//! let source = Archive::open("model.keras".as_ref())?;
//! for dropout in source.dropouts() {
//!     println!("{} ({}): {} = {}", dropout.layer, dropout.class, dropout.argument, dropout.rate);
//! }
//! # Ok(())
//! # }
//! ```

mod archive;
mod class;
mod config;

use std::path::Path;

use serde_json::Value;

use crate::error::Result;

#[doc(hidden)]
pub use class::{Drops, What};

/// The layers of a saved model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Archive {
    /// The name of the model.
    pub name: String,
    /// Its layers, those of nested models in the place of these.
    pub layers: Vec<Layer>,
    /// The layers of its results, by number.
    pub outputs: Vec<usize>,
}

/// A layer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Layer {
    /// Its name, after those of the nested models that it is in: `encoder/dense_1`.
    pub path: String,
    /// Its class: `Dense`.
    pub class: String,
    /// The layers whose results it reads, by number.
    pub inputs: Vec<usize>,
    /// How often it is called.
    pub calls: usize,
    /// Its arguments that drop.
    pub drops: Vec<Drops>,
}

/// A dropout of the model: an argument of a layer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[doc(hidden)]
pub struct Dropout<'a> {
    /// The layer.
    pub layer: &'a str,
    /// Its class.
    pub class: &'a str,
    /// The argument: `rate`, `dropout`, `recurrent_dropout`.
    pub argument: &'a str,
    /// The rate; of Gaussian noise the standard deviation.
    pub rate: f64,
}

impl Archive {
    /// Reads an archive.
    ///
    /// # Errors
    /// It cannot be read, is of another format, or is larger than a limit.
    pub fn open(path: &Path) -> Result<Archive> {
        let config = archive::config(path)?;
        Archive::of(&config).map_err(|e| e.in_file(path))
    }

    /// From the configuration of a model, `config.json`.
    ///
    /// # Errors
    /// It is not one of a model with layers.
    pub fn of(config: &Value) -> Result<Archive> {
        config::read(config)
    }

    /// Every dropout, in the order of the layers.
    pub fn dropouts(&self) -> impl Iterator<Item = Dropout<'_>> {
        let layers = self.layers.iter();
        layers.flat_map(|layer| {
            layer.drops.iter().map(|drops| Dropout {
                layer: &layer.path,
                class: &layer.class,
                argument: &drops.argument,
                rate: drops.rate,
            })
        })
    }

    /// The layer that an exporter names so: of the same path, or the one around it.
    pub(crate) fn layer_of(&self, exported: &str) -> Option<usize> {
        let parts: Vec<&str> = exported.split(['/', '.']).collect();
        let own = match parts.split_first() {
            Some((first, rest)) if *first == self.name && !rest.is_empty() => rest,
            _ => &parts[..],
        };
        let of = |parts: &[&str]| {
            let inside = |layer: &Layer| {
                let path = layer.path.split('/');
                let mut parts = parts.iter();
                path.map(Some).all(|name| parts.next().copied() == name)
            };
            let found = self
                .layers
                .iter()
                .enumerate()
                .filter(|(_, layer)| inside(layer));
            let found = found.max_by_key(|(_, layer)| layer.path.len());
            found.map(|(index, _)| index)
        };
        of(own).or_else(|| of(&parts))
    }
}
