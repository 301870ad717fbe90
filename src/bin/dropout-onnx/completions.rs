//! `dropout-onnx completions`: what a shell needs to complete the command line.

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::builder::{PossibleValue, TypedValueParser};
use clap_complete::Shell;

use crate::io;
use crate::{Cli, Status};

/// Print what a shell needs to complete subcommands, options and their values
///
/// Formats, rules, kinds, modes and the like are completed as well as files.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  dropout-onnx completions bash > ~/.local/share/bash-completion/completions/dropout-onnx
  dropout-onnx completions zsh > ~/.zfunc/_dropout-onnx      with ~/.zfunc in $fpath
  dropout-onnx completions fish > ~/.config/fish/completions/dropout-onnx.fish

Exit status: 0 printed; 2 it could not do the job.";

pub fn run(args: &Args) -> Result<Status> {
    let mut command = Cli::command();
    let name = command.get_name().to_string();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, &name, &mut script);
    let mut script = String::from_utf8(script).context("completions are no text")?;
    if args.shell == Shell::Bash {
        script = with_one_label(&script, &name);
    }
    io::print(&script)?;
    Ok(Status::Done)
}

/// clap_complete 4.6 sets `cmd` to `my__app__subcmd__x` and then looks for it as
/// `my__subcmd__app__subcmd__x`, if the program's name has a hyphen: past a subcommand it completes
/// nothing (clap-rs/clap#6421). A script without the second label stays as it is.
fn with_one_label(script: &str, name: &str) -> String {
    let label = |hyphen: &str| format!("{}__subcmd__", name.replace('-', hyphen));
    script.replace(&label("__subcmd__"), &label("__"))
}

/// Values that completions offer for an argument which `inner` parses: it may take others, and says
/// itself what is wrong with one.
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
