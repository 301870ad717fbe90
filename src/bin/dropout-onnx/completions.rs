//! `dropout-onnx completions`: completion scripts for shells.

use std::str::FromStr;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap_complete::Shell;
use dropout_onnx::Error;

use crate::output;
use crate::{Cli, Status};

/// Print a completion script for a shell
///
/// The script completes subcommands, options, files, and values such as formats, rules, kinds and modes.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Shell to complete for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx completions bash > ~/.local/share/bash-completion/completions/dropout-onnx
  dropout-onnx completions zsh > ~/.zfunc/_dropout-onnx      with ~/.zfunc in $fpath
  dropout-onnx completions fish > ~/.config/fish/completions/dropout-onnx.fish

Exit status: 0 printed; 2 error.";

pub fn run(args: &Args) -> Result<Status> {
    let mut command = Cli::command();
    let name = command.get_name().to_string();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, &name, &mut script);
    let mut script = String::from_utf8(script).context("the completion script is not UTF-8")?;
    if args.shell == Shell::Bash {
        script = with_one_label(&script, &name);
    }
    output::print(&script)?;
    Ok(Status::Done)
}

/// clap_complete 4.6 sets `cmd` to `my__app__subcmd__x` and then looks for it as
/// `my__subcmd__app__subcmd__x`, if the program's name has a hyphen: past a subcommand it completes
/// nothing (clap-rs/clap#6421). A script without the second label stays as it is.
fn with_one_label(script: &str, name: &str) -> String {
    let label = |hyphen: &str| format!("{}__subcmd__", name.replace('-', hyphen));
    script.replace(&label("__subcmd__"), &label("__"))
}

/// Parses an enum of words of the library; `describe` has each word and its meaning.
pub fn choices<T>(
    all: &[T],
    describe: fn(T) -> (&'static str, &'static str),
) -> impl TypedValueParser<Value = T> + use<T>
where
    T: FromStr<Err = Error> + Copy + Send + Sync + 'static,
{
    let values = all.iter().map(|value| describe(*value));
    let values = values.map(|(word, about)| PossibleValue::new(word).help(about));
    PossibleValuesParser::new(values).try_map(|word| word.parse::<T>())
}

/// Values that completions offer for an argument. `inner` parses it, may accept others, and reports
/// invalid values.
#[derive(Clone)]
pub struct Offering<P> {
    inner: P,
    words: Vec<&'static str>,
}

impl<P> Offering<P> {
    pub fn new(inner: P, words: impl IntoIterator<Item = &'static str>) -> Offering<P> {
        let words = words.into_iter().collect();
        Offering { inner, words }
    }
}

impl<P: TypedValueParser> TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.inner.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().copied().map(PossibleValue::new)))
    }
}
