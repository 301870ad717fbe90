//! Choices as they are written: `Relu=0.2`, `encoder.*.linear2`.

use super::{Choice, Rate};
use crate::error::Result;

use crate::rewrite::names::usage;

/// The kind of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum By {
    /// The operator that makes the value.
    After,
    /// A pattern of names.
    Name,
    /// A pattern of layers.
    Layer,
    /// A usual position.
    Preset,
    /// The value itself.
    At,
}

impl Choice {
    /// `SELECTOR` or `SELECTOR=RATE`; text after the last `=` that is not a number is part of the name.
    ///
    /// # Errors
    /// It is empty, no preset, or the number is no rate.
    ///
    /// # Examples
    /// ```
    /// use dropout_onnx::rewrite::insert::{By, Choice};
    /// let choice = Choice::parse(By::After, "Relu=0.2")?;
    /// assert_eq!((choice.after.as_deref(), choice.rate.unwrap().value()), (Some("Relu"), 0.2));
    /// # Ok::<(), dropout_onnx::Error>(())
    /// ```
    pub fn parse(by: By, text: &str) -> Result<Choice> {
        let split = text.rsplit_once('=');
        let split = split.filter(|(_, number)| number.parse::<f64>().is_ok());
        let (text, rate) = match split {
            Some((text, number)) => (text, Some(number.parse::<Rate>()?)),
            None => (text, None),
        };
        if text.is_empty() {
            return Err(usage("the name is empty".into()));
        }
        let mut choice = Choice {
            rate,
            ..Choice::default()
        };
        match by {
            By::After => choice.after = Some(text.to_string()),
            By::Name => choice.name = Some(text.to_string()),
            By::Layer => choice.layer = Some(text.to_string()),
            By::Preset => choice.preset = Some(text.parse()?),
            By::At => choice.at = Some(text.into()),
        }
        Ok(choice)
    }

    /// How narrow it is: where two select one value, the narrower one applies. A value is narrower than names,
    /// these than layers, these than presets, operators and graphs; all of it together than one alone.
    pub(super) fn narrowness(&self) -> u32 {
        let (at, name, layer) = (self.at.is_some(), self.name.is_some(), self.layer.is_some());
        let given = [at, name, layer, self.preset.is_some(), self.after.is_some()];
        given
            .iter()
            .fold(0, |all, &given| 2 * all + u32::from(given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_behind_the_last_equals_sign() {
        let at = |text: &str| {
            let choice = Choice::parse(By::At, text).unwrap();
            let name = choice.at.unwrap().to_string();
            (name, choice.rate.map(Rate::value))
        };
        assert_eq!(at("a=b=0.25"), ("a=b".to_string(), Some(0.25)));
        assert_eq!(at("a=b"), ("a=b".to_string(), None));
        for bad in ["", "=0.2", "x=1.5"] {
            assert!(Choice::parse(By::At, bad).is_err(), "{bad}");
        }
        assert!(Choice::parse(By::Preset, "heads").is_err());
    }
}
