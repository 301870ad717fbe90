//! Random numbers that can be drawn again, whatever engine asks for them.
//!
//! Every drawing node has a stream, derived from its name and the seed. What it draws depends on the stream,
//! the number of the run and how often the node was evaluated in the run (a Scan body evaluates it once a
//! step), and on nothing else: not on which other nodes there are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::f64::consts::TAU;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use xxhash_rust::xxh3::xxh3_64;

use super::slot::with_slot;

/// The domain of the operators that both engines are given.
pub(super) const DOMAIN: &str = "dropout_onnx";
/// Data and a ratio of 64 bits; the kept elements, scaled, and a mask of them.
pub(super) const DROP: &str = "Drop";
/// Numbers of 64 bits of the shape of its input.
pub(super) const DRAW: &str = "Draw";
/// The attribute with the stream of a node.
pub(super) const STREAM: &str = "stream";
/// The attribute that is 1 if a node is evaluated repeatedly in each step of a loop that is written out.
pub(super) const REPEATS: &str = "repeats";
/// The attribute that holds the opset ruling a dropout.
pub(super) const VERSION: &str = "dropout_onnx.version";
/// The attribute that is 1 for numbers of a normal distribution.
pub(super) const NORMAL: &str = "normal";
/// Why no number is drawn outside of a run.
pub(super) const EARLY: &str = "random numbers are drawn in a run only";

struct Draws {
    run: u64,
    evaluations: HashMap<Stream, u64>,
}

/// The numbers of a node: its stream, and which copy of the node it is in a loop that is written out. Copies
/// are numbered in the order in which the loop would evaluate them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    pub(super) of_node: u64,
    pub(super) copy: u64,
    /// The distance between the numbers of two copies.
    stride: u64,
}

thread_local! {
    /// The run this thread is in. An operator is given no place for it that reaches into the bodies of If
    /// and Loop; the engines evaluate on the thread that called them.
    static DRAWS: RefCell<Option<Draws>> = const { RefCell::new(None) };
    /// How many copies there are of each node, by stream, while a model is made ready.
    static COPIES: RefCell<Option<HashMap<u64, u64>>> = const { RefCell::new(None) };
}

/// Evaluates a model with the draws of run number `run`.
pub(super) fn in_run<T>(run: u64, work: impl FnOnce() -> T) -> T {
    let draws = Draws {
        run,
        evaluations: HashMap::new(),
    };
    with_slot(&DRAWS, draws, work).0
}

/// Makes a model ready, and numbers the copies of its nodes meanwhile.
pub(super) fn numbering<T>(work: impl FnOnce() -> T) -> T {
    with_slot(&COPIES, HashMap::new(), work).0
}

impl Stream {
    /// The only copy, or the first one.
    pub(super) fn new(of_node: u64) -> Stream {
        Stream {
            of_node,
            copy: 0,
            stride: 1,
        }
    }

    /// Each copy is evaluated many times: none of them has the numbers of another one.
    pub(super) fn repeating(self) -> Stream {
        Stream {
            stride: 1 << 32,
            ..self
        }
    }

    /// The next copy.
    pub(super) fn next(self) -> Stream {
        let copy = COPIES.with_borrow_mut(|copies| {
            let copies = copies.as_mut()?.entry(self.of_node).or_default();
            *copies += 1;
            Some(*copies - 1)
        });
        Stream {
            copy: copy.unwrap_or_default() * self.stride,
            ..self
        }
    }
}

/// The generator for the next evaluation of the node with this stream; `None` outside of a run: an engine
/// evaluates the node while it analyses the model, and must not.
fn generator(stream: Stream) -> Option<SmallRng> {
    DRAWS.with_borrow_mut(|draws| {
        let draws = draws.as_mut()?;
        let evaluation = draws.evaluations.entry(stream).or_default();
        *evaluation += 1;
        let mut bytes = [0; 24];
        let evaluation = stream.copy + *evaluation;
        bytes[..8].copy_from_slice(&stream.of_node.to_le_bytes());
        bytes[8..16].copy_from_slice(&draws.run.to_le_bytes());
        bytes[16..].copy_from_slice(&evaluation.to_le_bytes());
        Some(SmallRng::seed_from_u64(xxh3_64(&bytes)))
    })
}

/// A number from N(0, 1), by Box and Muller's transform.
pub(in crate::verify) fn normal(generator: &mut SmallRng) -> f64 {
    let u: f64 = 1.0 - generator.random::<f64>(); // in (0, 1]: its logarithm is finite
    let v: f64 = generator.random();
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}

/// Which elements a dropout keeps; `None` outside of a run.
pub(super) fn kept(stream: Stream, ratio: f64, count: usize) -> Option<Vec<bool>> {
    let mut keep = vec![true; count];
    if ratio > 0.0 {
        let mut generator = generator(stream)?;
        keep.fill_with(|| generator.random::<f64>() >= ratio);
    }
    Some(keep)
}

/// A ratio by which elements can be dropped.
///
/// # Errors
/// It is outside of [0, 1).
pub(super) fn ratio(ratio: f64) -> Result<f64, String> {
    let why = || format!("Dropout has ratio {ratio}, which is not in [0, 1)");
    let is_ratio = (0.0..1.0).contains(&ratio);
    is_ratio.then_some(ratio).ok_or_else(why)
}

/// The distribution of a draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Law {
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, scale: f64 },
}

impl Law {
    /// By the attributes of an operator; `None` if they are not numbers.
    pub(super) fn of(is_normal: bool, number: impl Fn(&str) -> Option<f32>) -> Option<Law> {
        let number = |name, default| {
            let number = number(name).unwrap_or(default);
            number.is_finite().then_some(f64::from(number))
        };
        Some(match is_normal {
            true => Law::Normal {
                mean: number("mean", 0.0)?,
                scale: number("scale", 1.0)?,
            },
            false => Law::Uniform {
                low: number("low", 0.0)?,
                high: number("high", 1.0)?,
            },
        })
    }

    /// Numbers of this distribution; `None` outside of a run.
    pub(super) fn draw(self, stream: Stream, count: usize) -> Option<Vec<f64>> {
        let mut generator = generator(stream)?;
        let number = |_| match self {
            Law::Uniform { low, high } => low + (high - low) * generator.random::<f64>(),
            Law::Normal { mean, scale } => mean + scale * normal(&mut generator),
        };
        Some((0..count).map(number).collect())
    }
}
