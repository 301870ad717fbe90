//! The machine that ran a model: floats are the same only on a machine of the same kind.

/// The architecture, the system, and the features of the processor that tract chooses its kernels by.
pub(super) fn machine() -> String {
    let mut words = vec![std::env::consts::ARCH, std::env::consts::OS];
    words.extend(features());
    words.join(" ")
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! note {
        ($($feature:tt),*) => {
            $(if std::arch::is_x86_feature_detected!($feature) {
                found.push($feature);
            })*
        };
    }
    note!("avx", "avx2", "fma", "f16c", "avx512f", "avx512vnni");
    found
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    let mut found = Vec::new();
    if std::arch::is_aarch64_feature_detected!("fp16") {
        found.push("fp16");
    }
    found
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
