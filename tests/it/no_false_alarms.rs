//! Randomness that is no dropout: such a model is `random`, whatever its layers are called.

use dropout_onnx::audit::{ModelAudit, Verdict};

use crate::common::build::{f32s, i64s, int, model, x_to_y};
use crate::common::masks::{nodes, spelt};
use crate::common::proto::Model;

/// Nodes from x to y with names of dropout, and what they are.
const OTHER: &[(&str, &str)] = &[
    (
        "diffusion",
        "n = RandomNormalLike(x)\nm = Mul(n, c)\ny = Add(x, m)",
    ),
    (
        "diffusion with a level of noise",
        "n = RandomNormalLike(x)\na = Mul(x, p)\nm = Mul(n, c)\ny = Add(a, m)",
    ),
    (
        "StyleGAN",
        "n = RandomNormal()\nm = Mul(n, w)\ny = Add(x, m)",
    ),
    (
        "a VAE",
        "mu = Mul(x, w)\nv = Mul(x, c)\nsigma = Exp(v)\nn = RandomNormalLike(x)\n\
         e = Mul(n, sigma)\ny = Add(mu, e)",
    ),
    (
        "Gumbel softmax",
        "u = RandomUniformLike(x)\nl = Log(u)\nk = Neg(l)\nm = Log(k)\nz = Sub(x, m)\ny = Softmax(z)",
    ),
    (
        "Concrete",
        "u = RandomUniformLike(x)\nl = Log(u)\no = Sub(one, u)\nk = Log(o)\nz = Sub(l, k)\n\
         t = Mul(z, c)\ng = Sigmoid(t)\ny = Mul(x, g)",
    ),
    (
        "RReLU",
        "u = RandomUniformLike(x)\ns = Mul(u, c)\nm = Mul(x, s)\npos = Greater(x, zero)\n\
         y = Where(pos, x, m)",
    ),
    (
        "swap noise",
        "other = Gather(x, order)\nu = RandomUniformLike(x)\nb = Less(u, p)\ny = Where(b, other, x)",
    ),
    (
        "mixup",
        "u = RandomUniform()\no = Sub(one, u)\nother = Gather(x, order)\na = Mul(x, u)\n\
         b = Mul(other, o)\ny = Add(a, b)",
    ),
    (
        "cutmix",
        "u = RandomUniformLike(x)\nb = Less(u, p)\nk = Cast(b)\no = Sub(one, k)\n\
         other = Gather(x, order)\na = Mul(x, k)\nc2 = Mul(other, o)\ny = Add(a, c2)",
    ),
    (
        "MAE: a learned token in the place of patches",
        "u = RandomUniformLike(x)\nb = Less(u, p)\ny = Where(b, w, x)",
    ),
    (
        "MAE: a random order",
        "u = RandomUniform()\nrow = Gather(u, first)\nv, kept = TopK(row, two)\ny = Gather(x, kept)",
    ),
    (
        "a noisy mixture of experts",
        "s = Mul(x, w)\nsigma = Softplus(s)\nn = RandomNormalLike(x)\ne = Mul(n, sigma)\n\
         z = Add(x, e)\ny = Softmax(z)",
    ),
    (
        "brightness",
        "u = RandomUniform()\nm = Mul(u, c)\ny = Add(x, m)",
    ),
    (
        "contrast",
        "u = RandomUniform()\nm = Add(u, p)\ny = Mul(x, m)",
    ),
    (
        "a random flip",
        "u = RandomUniform()\nb = Less(u, p)\nback = Gather(x, order)\ny = Where(b, back, x)",
    ),
    (
        "random signs",
        "u = RandomUniformLike(x)\nh = Sub(u, half)\ns = Sign(h)\ny = Mul(x, s)",
    ),
    (
        "noise on some elements",
        "u = RandomUniformLike(x)\nb = Less(u, p)\nk = Cast(b)\nn = RandomNormalLike(x)\nn2 = Mul(n, c)\n\
         e = Mul(n2, k)\ny = Add(x, e)",
    ),
    (
        "salt and pepper",
        "u = RandomUniformLike(x)\nb = Less(u, p)\nt = Less(u, half)\ns = Where(t, x, one)\n\
         y = Where(b, zero, s)",
    ),
    (
        "two random scales",
        "u = RandomUniformLike(x)\nb = Less(u, p)\ns = Where(b, half, c)\ny = Mul(x, s)",
    ),
    (
        "jitter",
        "u = RandomUniformLike(x)\nj = Mul(u, c)\nk = Add(j, one)\ny = Mul(x, k)",
    ),
    (
        "dither before rounding",
        "u = RandomUniformLike(x)\nv = Sub(u, half)\nz = Add(x, v)\ny = Round(z)",
    ),
    (
        "random erasing with the mean",
        "u = RandomUniformLike(x)\nb = Less(u, p)\nmu = ReduceMean(x)\ny = Where(b, mu, x)",
    ),
    (
        "random erasing with a number",
        "u = RandomUniformLike(x)\nb = Less(u, p)\ny = Where(b, c, x)",
    ),
    (
        "a gate that learns its probability",
        "g = Sigmoid(x)\nu = RandomUniformLike(x)\nb = Less(u, g)\nk = Cast(b)\nd = Mul(x, k)\n\
         y = Div(d, g)",
    ),
    ("binary units", "g = Sigmoid(x)\ny = Bernoulli(g)"),
    (
        "mixed statistics",
        "u = RandomUniform()\no = Sub(one, u)\nmu = ReduceMean(x)\na = Mul(mu, u)\nb = Mul(x, o)\n\
         y = Add(a, b)",
    ),
    (
        "a random projection",
        "n = RandomNormal()\nt = Transpose(n)\ny = MatMul(x, t)",
    ),
    (
        "a random threshold of the data",
        "u = RandomUniformLike(x)\nd = Sub(x, u)\ny = Relu(d)",
    ),
    (
        "a mask and its complement on two tensors",
        "u = RandomUniformLike(x)\nb = Less(u, p)\nk = Cast(b)\no = Sub(one, k)\nh = Tanh(x)\n\
         a = Mul(x, k)\nc2 = Mul(h, o)\ny = Sub(a, c2)",
    ),
    (
        "a mask as a result",
        "u = RandomUniformLike(x)\nb = Less(u, p)\ny = Cast(b)",
    ),
    (
        "Gumbel top-k",
        "u = RandomUniformLike(x)\nl = Log(u)\nn = Neg(l)\ng = Log(n)\nz = Sub(x, g)\n\
         v, kept = TopK(z, two)\ny = GatherElements(x, kept)",
    ),
    (
        "stochastic rounding",
        "u = RandomUniformLike(x)\nz = Add(x, u)\ny = Floor(z)",
    ),
    (
        "a random threshold",
        "u = RandomUniformLike(x)\nb = Less(u, x)\ny = Cast(b)",
    ),
    (
        "noise whose strength is not trained yet",
        "n = RandomNormalLike(x)\ns = Mul(n, zero)\ny = Add(x, s)",
    ),
    (
        "zoneout: a choice between two states",
        "h = Tanh(x)\nu = RandomUniformLike(x)\nb = Less(u, p)\ny = Where(b, x, h)",
    ),
];

fn made(text: &str) -> Model {
    let constants = [
        ("p", 0.2),
        ("c", 0.3),
        ("one", 1.0),
        ("half", 0.5),
        ("zero", 0.0),
    ];
    let mut body = spelt("", &constants);
    body.node = x_to_y(nodes(text)).node;
    for node in &mut body.node {
        node.name = Some(format!("net/dropout/{}", node.op_type()));
        let kind = node.op_type().to_string();
        if kind == "TopK" {
            *node = node.clone().with(int("axis", 0));
        }
    }
    let body = body
        .init("w", f32s(&[2, 3], &[0.5, -0.25, 1.5, 0.75, -1.0, 0.1]))
        .init("order", i64s(&[1, 0]))
        .init("first", i64s(&[0]))
        .init("two", i64s(&[1]));
    model(17, body)
}

fn audit(text: &str) -> ModelAudit {
    ModelAudit::new("model.onnx", &made(text).read()).expect("an audit")
}

#[test]
fn they_are_random_and_not_dropout() {
    for (what, text) in OTHER {
        let audit = audit(text);
        assert!(audit.sites.is_empty(), "{what}: {:?}", audit.sites);
        assert_eq!(audit.verdict, Some(Verdict::Random), "{what}");
        let rules: Vec<&str> = audit.findings.iter().map(|found| found.rule).collect();
        assert!(
            rules.contains(&"random-outside-dropout"),
            "{what}: {rules:?}"
        );
    }
}

#[test]
fn their_twins_that_drop_are_found() {
    for text in [
        "u = RandomUniformLike(x)\nb = Less(u, p)\ny = Where(b, zero, x)",
        "u = RandomUniformLike(x)\nb = GreaterOrEqual(u, p)\nk = Cast(b)\ny = Mul(x, k)",
        "u = RandomUniformLike(x)\nh = Sub(u, half)\ns = Sign(h)\nr = Relu(s)\ny = Mul(x, r)",
        // noise on some elements; salt; two scales, one of them 0
        "u = RandomUniformLike(x)\nb = Less(u, p)\nk = Cast(b)\nh = Tanh(x)\nn2 = Mul(h, c)\ne = Mul(n2, k)\n\
         y = Add(x, e)",
        "u = RandomUniformLike(x)\nb = Less(u, p)\nt = Less(u, half)\ns = Where(t, zero, x)\n\
         y = Where(b, zero, s)",
        "u = RandomUniformLike(x)\nb = Less(u, p)\ns = Where(b, half, zero)\ny = Mul(x, s)",
        // jitter as Gaussian dropout has it; a gate with a constant probability
        "n = RandomNormalLike(x)\nj = Mul(n, c)\nk = Add(j, one)\ny = Mul(x, k)",
        "g = Sigmoid(c)\nu = RandomUniformLike(x)\nb = Less(u, g)\nk = Cast(b)\nd = Mul(x, k)\ny = Div(d, g)",
        // a mask and its complement on one tensor, of which one part goes
        "u = RandomUniformLike(x)\nb = Less(u, p)\nk = Cast(b)\na = Mul(x, k)\ny = Sub(x, a)",
        // a mask of weights
        "u = RandomUniformLike(w)\nb = Less(u, p)\nk = Cast(b)\nd = Mul(w, k)\nt = Transpose(d)\n\
         y = MatMul(x, t)",
    ] {
        let audit = audit(text);
        assert_eq!(audit.sites.len(), 1, "{text}");
        assert_eq!(audit.verdict, Some(Verdict::Active), "{text}");
    }
}
