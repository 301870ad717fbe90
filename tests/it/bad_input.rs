//! Bad input: a clear error with file and place, exit status 2, nothing written, the original
//! untouched; never a panic.

mod build;
mod damaged;
mod external;
mod places;
mod unsound;
