//! Masks that are rescaled by their own count: DropBlock, DropHead.

use dropout_onnx::dropout::{Kind, Mode, Scaling, Site};
use dropout_onnx::onnx::DataType;

use crate::common::build::{f32s, graph, i64s, int, ints, model, op, typed};
use crate::common::masks::nodes;
use crate::common::proto::Model;
use crate::common::sites;
use crate::common::stripped::strips;

const DIMS: &[i64] = &[2, 4, 6, 6];
const ELEMENTS: f32 = 288.0;

/// A mask `m` of single elements, and one of blocks.
const PLAIN: &str = "u = RandomUniformLike(h)\nb = Less(u, keep)\nm = Cast(b)";
const BLOCKS: &str = "u = RandomUniformLike(h)\nb = Less(u, gamma)\ns = Cast(b)\n\
                      pool = MaxPool(s)\nm = Sub(one, pool)";

/// Nodes from `h`, after a Relu, to `out`, before a Tanh, with a first axis of unknown size if `n` is.
fn made(opset: i64, n: i64, text: &str) -> Model {
    let mut all = vec![op("h = Relu(x)")];
    all.extend(nodes(text).into_iter().map(|node| {
        match node.op_type() {
            "MaxPool" => node
                .with(ints("kernel_shape", &[3, 3]))
                .with(ints("strides", &[1, 1]))
                .with(ints("pads", &[1, 1, 1, 1])),
            "ReduceSum" | "ReduceMean" | "ReduceProd" if node.input.len() == 1 => {
                node.with(int("keepdims", 0))
            }
            "Transpose" => node.with(ints("perm", &[0, 2, 3, 1])),
            _ => node,
        }
    }));
    all.push(op("y = Tanh(out)"));
    let mut dims = DIMS.to_vec();
    dims[0] = n;
    let region: Vec<f32> = (0..36).map(|i| f32::from(i % 6 > 0 && i % 6 < 5)).collect();
    let single = |name, number| (name, f32s(&[], &[number]));
    let constants = [
        single("keep", 0.75),
        single("gamma", 0.02),
        single("one", 1.0),
        single("two", 2.0),
        single("n", ELEMENTS),
        single("eps", 1e-6),
        single("four", 4.0),
        single("half", 0.5),
        single("limit", 1.98),
        ("region", f32s(&[1, 1, 6, 6], &region)),
        ("w", f32s(&[1, 1, 1, 6], &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5])),
        ("kernel", f32s(&[4, 1, 3, 3], &[1.0; 36])),
        ("bias", f32s(&[4], &[0.0, 0.0, 0.0, 0.1])),
        ("heads", i64s(&[1])),
        ("zero", i64s(&[0])),
        ("each", i64s(&[144])),
        ("fewer", i64s(&[143])),
    ];
    let mut body = graph(all);
    body.input.push(typed("x", DataType::FLOAT, &dims));
    body = body.output_of("y", DataType::FLOAT, &dims);
    for (name, tensor) in constants {
        let used = body
            .node
            .iter()
            .any(|node| node.input.iter().any(|input| input == name));
        if used {
            body = body.init(name, tensor);
        }
    }
    model(opset, body)
}

fn found(text: &str) -> Vec<Site> {
    sites(&made(17, 2, text))
}

/// That a model has one mask, which is rescaled by its count, and leaves nothing.
#[track_caller]
fn is_counted(model: &Model, rate: Option<f64>, leaves: &[&str]) {
    let all = sites(model);
    let [site] = &all[..] else {
        panic!("{} sites", all.len());
    };
    assert_eq!((site.kind, site.mode), (Kind::Dropout, Mode::Active));
    assert_eq!((site.scaling, site.rate), (Scaling::Count, rate));
    assert_eq!(site.inference_scale, 1.0);
    strips(model).draws_nothing().leaves(leaves);
}

const NOTHING: &[&str] = &["h = Relu(x)", "y = Tanh(h)"];

#[test]
fn a_mask_times_its_elements_over_its_sum() {
    for product in [
        "sum = ReduceSum(m)\nd = Mul(h, m)\nup = Mul(d, n)\nout = Div(up, sum)",
        "sum = ReduceSum(m)\nc = Div(n, sum)\nd = Mul(m, h)\nout = Mul(c, d)",
        "sum = ReduceSum(m)\nr = Reciprocal(sum)\nc = Mul(r, n)\nmc = Mul(m, c)\nout = Mul(h, mc)",
        "sum = ReduceSum(m)\nsafe = Add(sum, eps)\nc = Div(n, safe)\nmc = Mul(m, c)\nout = Mul(h, mc)",
        "sum = ReduceSum(m)\nsafe = Max(one, sum)\nc = Div(n, safe)\nd = Mul(h, c)\nout = Mul(d, m)",
        "t = Transpose(m)\nsum = ReduceSum(t)\nc = Div(n, sum)\nd = Mul(h, m)\nout = Mul(d, c)",
        "mean = ReduceMean(m)\nd = Mul(h, m)\nout = Div(d, mean)",
        "mean = ReduceMean(m)\nmm = Div(m, mean)\nout = Mul(mm, h)",
    ] {
        is_counted(
            &made(17, 2, &format!("{PLAIN}\n{product}")),
            Some(0.25),
            NOTHING,
        );
        is_counted(&made(17, 2, &format!("{BLOCKS}\n{product}")), None, NOTHING);
    }
}

#[test]
fn a_product_with_a_transpose_in_between() {
    let text =
        "sum = ReduceSum(m)\nd = Mul(h, m)\nt = Transpose(d)\nup = Mul(t, n)\nout = Div(up, sum)";
    let leaves = ["h = Relu(x)", "t/kept = Transpose(h)", "y = Tanh(t/kept)"];
    is_counted(&made(17, 2, &format!("{BLOCKS}\n{text}")), None, &leaves);
}

#[test]
fn a_count_of_each_row() {
    // DropHead: heads are the second axis
    let text = "sum = ReduceSum(m, heads)\nc = Div(four, sum)\nd = Mul(h, m)\nout = Mul(d, c)";
    is_counted(
        &made(17, 2, &format!("{PLAIN}\n{text}")),
        Some(0.25),
        NOTHING,
    );
    is_counted(
        &made(17, -1, &format!("{PLAIN}\n{text}")),
        Some(0.25),
        NOTHING,
    );
}

#[test]
fn a_count_that_is_computed_from_the_shape() {
    for size in ["size = Size(t)", "s0 = Shape(m)\nsize = ReduceProd(s0)"] {
        let text = format!(
            "t = Transpose(m)\n{size}\nf = Cast(size)\nsum = ReduceSum(m)\nd = Mul(h, m)\n\
             up = Mul(d, f)\nout = Div(up, sum)"
        );
        is_counted(&made(17, -1, &format!("{BLOCKS}\n{text}")), None, NOTHING);
    }
}

/// Dynamo multiplies the size of the batch by what it knows of the other sizes.
#[test]
fn a_count_of_sizes_that_a_run_decides() {
    let text = |each: &str| {
        format!(
            "{BLOCKS}\nshape = Shape(x)\nbatch = Gather(shape, zero)\nsize = Mul({each}, batch)\n\
             f = Cast(size)\nsum = ReduceSum(m)\nd = Mul(h, m)\nup = Mul(d, f)\nout = Div(up, sum)"
        )
    };
    is_counted(&made(17, -1, &text("each")), None, NOTHING);
    assert!(sites(&made(17, -1, &text("fewer"))).is_empty());
}

/// The share of blocks that torchvision draws depends on how large the image is.
#[test]
fn a_threshold_that_depends_on_sizes() {
    let text = |threshold: &str| {
        format!(
            "{threshold}\n{}\nmean = ReduceMean(m)\nd = Mul(h, m)\nout = Div(d, mean)",
            BLOCKS.replace("gamma", "threshold")
        )
    };
    let sizes =
        "shape = Shape(x)\nbatch = Gather(shape, zero)\nf = Cast(batch)\nthreshold = Div(gamma, f)";
    is_counted(&made(17, -1, &text(sizes)), None, NOTHING);
    let data = "average = ReduceMean(h)\nthreshold = Mul(gamma, average)";
    assert!(sites(&made(17, -1, &text(data))).is_empty());
}

#[test]
fn blocks_that_are_filled_with_noise() {
    let text = "noise = RandomNormalLike(h)\nk = Sub(one, m)\na = Mul(h, m)\nb = Mul(noise, k)\nout = Add(a, b)";
    assert!(found(&format!("{BLOCKS}\n{text}")).is_empty());
}

#[test]
fn the_region_that_blocks_are_drawn_in() {
    let seed = BLOCKS.replace("pool = MaxPool(s)", "r = Mul(s, region)\npool = MaxPool(r)");
    let text = "mean = ReduceMean(m)\nd = Mul(h, m)\nout = Div(d, mean)";
    is_counted(&made(17, 2, &format!("{seed}\n{text}")), None, NOTHING);
}

/// timm's DropBlock has the region in the threshold, and spreads zeros by the pool of what is negative.
#[test]
fn a_region_in_the_threshold_and_a_pool_of_zeros() {
    let region = "inside = Greater(region, half)\nf = Cast(inside)\n";
    let threshold = "t = Sub(limit, f)\nu = RandomUniformLike(h)\na = Add(t, u)\n\
                     b = GreaterOrEqual(a, one)\ns = Cast(b)\nminus = Neg(s)\n\
                     pool = MaxPool(minus)\n";
    let count = "mean = ReduceMean(m)\nd = Mul(h, m)\nout = Div(d, mean)";
    for region in ["f = Identity(region)\n", region] {
        let text = format!("{region}{threshold}m = Neg(pool)\n{count}");
        is_counted(&made(17, 2, &text), None, NOTHING);
    }
    // zeros and minus ones, and a region of many numbers
    assert!(found(&format!("{region}{threshold}m = Identity(pool)\n{count}")).is_empty());
    let varied = threshold.replace("Sub(limit, f)", "Sub(limit, w)");
    assert!(found(&format!("{varied}m = Neg(pool)\n{count}")).is_empty());
}

#[test]
fn blocks_that_a_convolution_makes() {
    let seed = "u = RandomUniformLike(h)\nb = Less(u, gamma)\ns = Cast(b)\n";
    let count = "m = Cast(free)\nmean = ReduceMean(m)\nd = Mul(h, m)\nout = Div(d, mean)";
    let blocks = |conv: &str| {
        let text = format!("{seed}c = {conv}\nfree = Less(c, half)\n{count}");
        let mut model = made(17, 2, &text);
        for node in &mut model.main_mut().node {
            if node.op_type() == "Conv" {
                *node = node
                    .clone()
                    .with(int("group", 4))
                    .with(ints("pads", &[1; 4]));
            }
        }
        model
    };
    is_counted(&blocks("Conv(s, kernel)"), None, NOTHING);
    // with a bias it is not known that anything is kept
    assert!(sites(&blocks("Conv(s, kernel, bias)")).is_empty());
}

#[test]
fn blocks_that_nothing_rescales() {
    let model = made(17, 2, &format!("{BLOCKS}\nout = Mul(h, m)"));
    let [site] = &sites(&model)[..] else {
        panic!("one site");
    };
    assert_eq!((site.scaling, site.inference_scale), (Scaling::Other, 1.0));
    strips(&model).draws_nothing().leaves(NOTHING);
}

#[test]
fn one_mask_of_two_inputs() {
    let text = "mean = ReduceMean(m)\nd = Mul(h, m)\na = Div(d, mean)\ng = Sigmoid(h)\n\
                e = Mul(g, m)\nc = Div(e, mean)\nout = Add(a, c)";
    let leaves = [
        "h = Relu(x)",
        "g = Sigmoid(h)",
        "out = Add(h, g)",
        "y = Tanh(out)",
    ];
    is_counted(
        &made(17, 2, &format!("{PLAIN}\n{text}")),
        Some(0.25),
        &leaves,
    );
}

#[test]
fn other_uses_of_a_count_are_no_dropout() {
    for text in [
        // not the number of elements
        "sum = ReduceSum(m)\nd = Mul(h, m)\nup = Mul(d, four)\nout = Div(up, sum)",
        "d = Mul(h, m)\nsum = ReduceSum(m)\nout = Div(d, sum)",
        // the mean of something else
        "mean = ReduceMean(u)\nd = Mul(h, m)\nout = Div(d, mean)",
        // the wrong way round
        "mean = ReduceMean(m)\nd = Mul(h, m)\nout = Mul(d, mean)",
        // the count is an output of its own
        "mean = ReduceMean(m)\nd = Mul(h, m)\na = Div(d, mean)\nout = Add(a, mean)",
        // rows of another order
        "t = Transpose(m)\nsum = ReduceSum(t, heads)\nc = Div(four, sum)\nd = Mul(h, m)\nout = Mul(d, c)",
        // kept numbers vary
        "v = Mul(m, u)\nmean = ReduceMean(v)\nd = Mul(h, v)\nout = Div(d, mean)",
        // only the seed
        "mean = ReduceMean(u)\nout = Mul(h, mean)",
    ] {
        let blocks = found(&format!("{BLOCKS}\n{text}"));
        assert!(blocks.is_empty(), "{text}");
        let plain = found(&format!("{PLAIN}\n{text}"));
        assert!(
            plain.iter().all(|site| site.scaling != Scaling::Count),
            "{text}"
        );
    }
}

#[test]
fn the_seed_of_blocks_is_no_dropout() {
    let seed = "u = RandomUniformLike(h)\nb = Less(u, gamma)\ns = Cast(b)\nr = Mul(s, region)\n\
                pool = MaxPool(r)";
    // noise, whose blocks nothing takes away
    assert!(found(&format!("{seed}\nm = Mul(pool, two)\nout = Mul(h, m)")).is_empty());
    assert!(found(&format!("{seed}\nout = Add(h, pool)")).is_empty());
}
