//! Configurations: enabled rules, accepted dropout with reasons, and the format of
//! reports. The text is TOML, in a file named `dropout-onnx.toml`, which the caller finds.
//!
//! ```
//! use dropout_onnx::audit::{Config, ModelAudit};
//!
//! # fn main() -> dropout_onnx::Result<()> {
//! let config = Config::parse(
//!     r#"
//!     [rules]
//!     allow = ["notes"]
//!
//!     [[allow]]
//!     layer = "2"
//!     reason = "Monte Carlo dropout: it drops on purpose"
//!     expires = 2030-12-31
//! "#,
//! )?;
//! let path = "fixtures/torch_course_preserve_op17.onnx";
//! let mut audit = ModelAudit::open_with(path.as_ref(), config.rules());
//! let today = dropout_onnx::audit::config::Day::from_unix(1_767_225_600); // seconds since 1970: 2026-01-01
//! config.apply(path, &mut audit, config.rules(), today);
//! assert!(audit.findings.iter().any(|finding| finding.allowed.is_some()));
//! # Ok(())
//! # }
//! ```

mod allowance;
mod day;
mod file;

use super::{ModelAudit, Remark, Selection};
use crate::error::Result;
pub use allowance::Allowance;
#[doc(hidden)]
pub use allowance::Usage;
#[doc(hidden)]
pub use day::Day;
use file::File;
#[cfg(test)]
pub(super) use file::File as Schema;
#[doc(hidden)]
pub use file::Format;

/// The name of the file.
pub const FILE_NAME: &str = "dropout-onnx.toml";

/// A configuration.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    format: Option<Format>,
    rules: Selection,
    allowances: Vec<Allowance>,
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is not TOML, or has unknown keys, unknown rules, invalid patterns or values of the wrong type;
    /// with line and column, and the closest name.
    pub fn parse(text: &str) -> Result<Config> {
        File::parse(text)?.config(text)
    }

    /// The format of reports, if set.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The enabled rules and their levels.
    pub fn rules(&self) -> &Selection {
        &self.rules
    }

    /// The accepted dropout, in the order of the file.
    pub fn allowances(&self) -> &[Allowance] {
        &self.allowances
    }

    /// Allows findings of a model. `path` leads to it from the folder of the file, with `/`; `rules`
    /// are those it was audited by. Returns what came of each allowance.
    pub fn apply(
        &self,
        path: &str,
        model: &mut ModelAudit,
        rules: &Selection,
        today: Day,
    ) -> Vec<Usage> {
        let allowances = self.allowances.iter();
        allowances
            .map(|allowance| allowance.apply(path, model, rules, today))
            .collect()
    }

    /// Remarks about the allowances, after all models of the file with this name.
    /// `usages`: what [`Config::apply`] returned for each of them.
    pub fn remarks(&self, file: &str, usages: &[Vec<Usage>], today: Day) -> Vec<Remark> {
        let allowances = self.allowances.iter().enumerate();
        allowances
            .filter_map(|(index, allowance)| {
                let of_models = usages.iter().filter_map(|usages| usages.get(index));
                allowance.remark(file, &of_models.collect::<Vec<_>>(), today)
            })
            .collect()
    }
}
