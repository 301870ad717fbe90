//! Words that reports share: enums of words, and what the program is called.

/// The program, with its version.
pub const TOOL: &str = concat!("dropout-onnx ", env!("CARGO_PKG_VERSION"));

/// How many names a message lists.
const LISTED: usize = 24;

/// The hint after a message about an unknown name: the closest of the names that exist, or the first of them.
pub(crate) fn instead<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let most = name.len() / 3;
    let near = (names.iter())
        .filter(|other| other.len().abs_diff(name.len()) <= most)
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, _)| *distance <= most);
    match (near.min(), names.len().saturating_sub(LISTED)) {
        (Some((_, near)), _) => format!("; did you mean `{near}`?"),
        (None, _) if names.is_empty() => String::new(),
        (None, 0) => format!("; there are {}", names.join(", ")),
        (None, more) => format!("; there are {}, {more} more", names[..LISTED].join(", ")),
    }
}

/// A message of serde, in the words of TOML instead of Rust's. Of "unknown field `alow`, expected one of `allow`, …"
/// the nearest name, or all if none is near.
#[cfg(any(feature = "config", feature = "plan-files"))]
pub(crate) fn reworded(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = match message.split_once(" `") {
        Some(("unknown field", _)) => "unknown key",
        Some(("unknown variant", _)) => "unknown value",
        _ => {
            let words = [
                ("missing field", "missing key"),
                ("wanted string or table", "expected a string"),
                ("invalid type: map", "invalid type: a table"),
                ("invalid type: sequence", "invalid type: an array"),
                ("expected a sequence", "expected an array"),
                (
                    "expected a TOML datetime",
                    "expected a date without quotes, like 2026-12-31",
                ),
                (
                    "expected a nonzero usize",
                    "expected a number of at least 1",
                ),
            ];
            let message = message.to_string();
            return (words.iter()).fold(message, |text, (rust, toml)| text.replace(rust, toml));
        }
    };
    let wrong = names.next().unwrap_or_default();
    format!("{unknown} `{wrong}`{}", instead(wrong, names))
}

/// An enum whose values have a word each, which can be printed and parsed.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $about:literal])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[doc = $about])* $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word for it, on the command line and in reports.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// Its meaning, as the help of the command has it.
            #[doc(hidden)]
            pub fn about(self) -> &'static str {
                let about = match self { $($name::$variant => concat!($($about),*),)* };
                about.trim_start().trim_end_matches('.')
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<$name> {
                let found = $name::ALL.iter().find(|value| value.word() == text);
                found.copied().ok_or_else(|| {
                    let words = $name::ALL.iter().map(|value| value.word());
                    let why = format!("unknown value `{text}`{}", $crate::words::instead(text, words));
                    $crate::Error::new($crate::ErrorKind::Usage, why)
                })
            }
        }
    };
}

pub(crate) use words;
