//! The command in a little memory.

use std::process::{Command, Output};

/// Less than the weights of any test that asks, in KiB.
pub const LITTLE: u32 = 150_000;

/// Runs the command with so much memory of its own, in KiB: a limit on the process itself, because
/// what the kernel counts of a child (`ru_maxrss`) begins with what its parent had.
pub fn within(kilobytes: u32, arguments: &[&str]) -> Output {
    let binary = assert_cmd::cargo::cargo_bin!("dropout-onnx");
    Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -c 0 && ulimit -d {kilobytes} && exec \"$@\""),
            "sh",
        ])
        .arg(binary)
        .args(arguments)
        .output()
        .unwrap()
}
