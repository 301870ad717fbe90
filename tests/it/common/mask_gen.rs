//! Models of random draws: what may become dropout of it, by chance, and what may not.
//!
//! Every name is defined once and before use. All choices come from a tape of bytes; where it ends
//! the plainest choice is made: a shorter tape is a simpler model.

use dropout_onnx::wire::{bytes_field, varint_field};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Data,
    /// A draw, or what was made of one.
    Noise,
    /// A scalar.
    Number,
    /// In the shape of data.
    Bool,
    /// A boolean scalar.
    Flag,
    Shape,
}
use Role::{Bool, Data, Flag, Noise, Number, Shape};

type Scope = Vec<(Role, String)>;

const FLOAT: u64 = 1;
const INT64: u64 = 7;
const BOOL: u64 = 9;

/// How deep graphs stand in graphs.
const DEEPEST: usize = 3;

/// The bytes of a model.
pub fn model(tape: &[u8]) -> Vec<u8> {
    let mut maker = Maker {
        tape: tape.iter(),
        names: 0,
        functions: 0,
    };
    let mut fields = vec![varint_field(1, 8)];
    for (domain, version) in [("", 15), ("local", 1)] {
        fields.push(bytes_field(8, &import(domain, version)));
    }
    for _ in 0..maker.choose(4).saturating_sub(1) {
        fields.push(bytes_field(25, &maker.function()));
    }
    fields.push(bytes_field(7, &maker.main()));
    fields.concat()
}

fn import(domain: &str, version: u64) -> Vec<u8> {
    [bytes_field(1, domain.as_bytes()), varint_field(2, version)].concat()
}

fn info(name: &str, element: u64, dims: &[u64]) -> Vec<u8> {
    let dims = dims.iter();
    let shape: Vec<u8> = dims
        .flat_map(|&dim| bytes_field(1, &varint_field(1, dim)))
        .collect();
    let tensor = [varint_field(1, element), bytes_field(2, &shape)].concat();
    let kind = bytes_field(1, &tensor);
    [bytes_field(1, name.as_bytes()), bytes_field(2, &kind)].concat()
}

/// As [`info`], of what a role says.
fn typed(role: Role, name: &str) -> Vec<u8> {
    match role {
        Data | Noise => info(name, FLOAT, &[3, 3]),
        Number => info(name, FLOAT, &[]),
        Bool => info(name, BOOL, &[3, 3]),
        Flag => info(name, BOOL, &[]),
        Shape => info(name, INT64, &[2]),
    }
}

fn tensor(name: &str, element: u64, dims: &[u64], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| varint_field(1, dim)).collect();
    let rest = [
        varint_field(2, element),
        bytes_field(8, name.as_bytes()),
        bytes_field(9, raw),
    ];
    [dims, rest.concat()].concat()
}

fn attribute(name: &str, kind: u64, value: Vec<u8>) -> Vec<u8> {
    let name = bytes_field(1, name.as_bytes());
    [name, value, varint_field(20, kind)].concat()
}

fn node(
    op: &str,
    domain: &str,
    inputs: &[String],
    outputs: &[String],
    extra: &[Vec<u8>],
) -> Vec<u8> {
    // runs know draws by the names of their nodes
    let name = outputs.first().map(|name| bytes_field(3, name.as_bytes()));
    let inputs = inputs.iter().map(|name| bytes_field(1, name.as_bytes()));
    let outputs = outputs.iter().map(|name| bytes_field(2, name.as_bytes()));
    let attributes = extra.iter().map(|attribute| bytes_field(5, attribute));
    let mut fields: Vec<Vec<u8>> = inputs
        .chain(outputs)
        .chain(attributes)
        .chain(name)
        .collect();
    fields.push(bytes_field(4, op.as_bytes()));
    fields.push(bytes_field(7, domain.as_bytes()));
    fields.concat()
}

struct Maker<'t> {
    tape: std::slice::Iter<'t, u8>,
    names: u32,
    functions: usize,
}

impl Maker<'_> {
    /// A number below `count`; 0 where the tape has ended.
    fn choose(&mut self, count: usize) -> usize {
        usize::from(self.tape.next().copied().unwrap_or(0)) % count
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    /// A value of one of these roles, the last ones sooner.
    fn pick(&mut self, scope: &Scope, roles: &[Role]) -> String {
        let all = scope.iter().filter(|(role, _)| roles.contains(role));
        let all: Vec<&String> = all.map(|(_, name)| name).collect();
        let back = self.choose(all.len().clamp(1, 8));
        all.get(all.len().wrapping_sub(1 + back))
            .map_or("x".to_string(), |name| name.to_string())
    }

    fn main(&mut self) -> Vec<u8> {
        let mut fields = vec![bytes_field(2, b"g")];
        let mut scope: Scope = vec![
            (Data, "x".into()),
            (Flag, "train".into()),
            (Number, "kp".into()),
        ];
        for (role, name) in &scope {
            fields.push(bytes_field(11, &typed(*role, name)));
        }
        let rates = [0.3f32, 0.5, 0.1, 0.25];
        let rate = rates[self.choose(4)];
        let numbers = [
            ("zero", 0.0),
            ("one", 1.0),
            ("two", 2.0),
            ("p", rate),
            ("keep", 1.0 - rate),
            ("s", 1.0 / (1.0 - rate)),
        ];
        for (name, number) in numbers {
            let raw = number.to_le_bytes();
            fields.push(bytes_field(5, &tensor(name, FLOAT, &[], &raw)));
            scope.push((Number, name.into()));
        }
        match self.choose(4) {
            1 => fields.push(bytes_field(
                5,
                &tensor("kp", FLOAT, &[], &0.7f32.to_le_bytes()),
            )),
            2 => fields.push(bytes_field(5, &tensor("train", BOOL, &[], &[0]))),
            _ => {}
        }
        fields.push(bytes_field(
            5,
            &tensor("trip", INT64, &[], &2u64.to_le_bytes()),
        ));
        fields.push(bytes_field(5, &tensor("on", BOOL, &[], &[1])));
        let first = scope.len();
        let nodes = self.nodes(&mut scope, 0);
        fields.extend(nodes.iter().map(|node| bytes_field(1, node)));
        let mut outputs: Vec<String> = Vec::new();
        for _ in 0..=self.choose(3) {
            let from = scope[first..].to_vec();
            let roles: &[Role] = match self.choose(12) {
                1 => &[Noise, Data],
                _ => &[Data],
            };
            let output = self.pick(&from, roles);
            if output != "x" && !outputs.contains(&output) {
                outputs.push(output);
            }
        }
        if outputs.is_empty() {
            let inputs = ["x".to_string()];
            fields.push(bytes_field(
                1,
                &node("Relu", "", &inputs, &["y".into()], &[]),
            ));
            outputs.push("y".into());
        }
        for output in outputs {
            fields.push(bytes_field(12, &typed(Data, &output)));
        }
        fields.concat()
    }

    fn function(&mut self) -> Vec<u8> {
        let mut scope: Scope = vec![
            (Data, "a".into()),
            (Noise, "b".into()),
            (Number, "c".into()),
        ];
        let nodes = self.nodes(&mut scope, DEEPEST);
        let output = match self.choose(2) {
            0 => self.pick(&scope, &[Data]),
            _ => self.pick(&scope, &[Noise]),
        };
        let output = match scope[3..].iter().any(|(_, name)| *name == output) {
            true => output,
            false => "a".into(),
        };
        let last = node("Identity", "", &[output], &["out".into()], &[]);
        self.functions += 1;
        let name = format!("f{}", self.functions);
        let mut fields = vec![bytes_field(1, name.as_bytes()), bytes_field(10, b"local")];
        fields.extend(["a", "b", "c"].map(|name| bytes_field(4, name.as_bytes())));
        fields.push(bytes_field(5, b"out"));
        fields.extend(nodes.iter().chain([&last]).map(|node| bytes_field(7, node)));
        fields.push(bytes_field(9, &import("", 15)));
        fields.push(bytes_field(9, &import("local", 1)));
        fields.concat()
    }

    fn nodes(&mut self, scope: &mut Scope, depth: usize) -> Vec<Vec<u8>> {
        let mut nodes = Vec::new();
        for _ in 0..2 + self.choose(12) {
            self.step(scope, depth, &mut nodes);
        }
        nodes
    }

    fn step(&mut self, scope: &mut Scope, depth: usize, nodes: &mut Vec<Vec<u8>>) {
        let out = self.name();
        let float = |to: u64| attribute("to", 2, varint_field(3, to));
        let has_bool = scope.iter().any(|(role, _)| *role == Bool);
        let has_noise = scope.iter().any(|(role, _)| *role == Noise);
        let (role, op, inputs, extra): (Role, &str, Vec<String>, Vec<Vec<u8>>) =
            match self.choose(24) {
                1 | 2 => return self.dropout(scope, nodes),
                3 => {
                    let data = self.pick(scope, &[Data]);
                    let draws = ["RandomUniformLike", "RandomUniformLike", "RandomNormalLike"];
                    (Noise, draws[self.choose(3)], vec![data], vec![])
                }
                4 if has_noise => {
                    let ops = ["Less", "GreaterOrEqual", "Greater", "LessOrEqual"];
                    let mut both = vec![self.pick(scope, &[Noise]), self.pick(scope, &[Number])];
                    if self.choose(4) == 1 {
                        both.reverse();
                    }
                    (Bool, ops[self.choose(4)], both, vec![])
                }
                5 if has_bool => (
                    Noise,
                    "Cast",
                    vec![self.pick(scope, &[Bool])],
                    vec![float(FLOAT)],
                ),
                6 if has_bool => (Bool, "Not", vec![self.pick(scope, &[Bool])], vec![]),
                7 if has_bool => {
                    let both = vec![self.pick(scope, &[Bool]), self.pick(scope, &[Bool, Flag])];
                    (Bool, ["And", "Or"][self.choose(2)], both, vec![])
                }
                8 if has_noise => {
                    let both = vec![
                        self.pick(scope, &[Noise]),
                        self.pick(scope, &[Number, Noise]),
                    ];
                    let ops = ["Mul", "Div", "Add", "Sub"];
                    (Noise, ops[self.choose(4)], both, vec![])
                }
                9 | 10 if has_noise => {
                    let both = vec![self.pick(scope, &[Data]), self.pick(scope, &[Noise])];
                    (
                        Data,
                        ["Mul", "Mul", "Mul", "Add"][self.choose(4)],
                        both,
                        vec![],
                    )
                }
                11 if has_bool => {
                    let three = vec![
                        self.pick(scope, &[Bool, Flag]),
                        self.pick(scope, &[Data, Noise]),
                        self.pick(scope, &[Data, Noise, Number]),
                    ];
                    (Data, "Where", three, vec![])
                }
                12 | 13 => {
                    let both = vec![self.pick(scope, &[Data]), self.pick(scope, &[Number, Data])];
                    (
                        Data,
                        ["Mul", "Div", "Add", "Sub"][self.choose(4)],
                        both,
                        vec![],
                    )
                }
                14 => (
                    Data,
                    "Transpose",
                    vec![self.pick(scope, &[Data, Noise])],
                    vec![],
                ),
                15 => {
                    let shape = self.name();
                    let of = self.pick(scope, &[Data, Noise]);
                    nodes.push(node("Shape", "", &[of], std::slice::from_ref(&shape), &[]));
                    scope.push((Shape, shape.clone()));
                    match self.choose(2) {
                        0 => (
                            Data,
                            "Reshape",
                            vec![self.pick(scope, &[Data]), shape],
                            vec![],
                        ),
                        _ => (
                            Data,
                            "Expand",
                            vec![self.pick(scope, &[Number]), shape],
                            vec![],
                        ),
                    }
                }
                16 if depth < DEEPEST => return self.branch(scope, depth, nodes),
                17 if depth < DEEPEST => return self.looped(scope, depth, nodes),
                18 | 19 if self.functions > 0 => {
                    let function = format!("f{}", 1 + self.choose(self.functions));
                    let inputs = [
                        self.pick(scope, &[Data]),
                        self.pick(scope, &[Noise, Data]),
                        self.pick(scope, &[Number]),
                    ];
                    nodes.push(node(
                        &function,
                        "local",
                        &inputs,
                        std::slice::from_ref(&out),
                        &[],
                    ));
                    scope.push(([Data, Noise][self.choose(2)], out));
                    return;
                }
                20 => (Data, "Dropout", vec![self.pick(scope, &[Data])], vec![]),
                21 => (
                    Noise,
                    "Identity",
                    vec![self.pick(scope, &[Noise, Data])],
                    vec![],
                ),
                22 => (
                    Number,
                    ["Neg", "Reciprocal"][self.choose(2)],
                    vec![self.pick(scope, &[Number])],
                    vec![],
                ),
                _ => (
                    Data,
                    ["Relu", "Sigmoid", "Identity"][self.choose(3)],
                    vec![self.pick(scope, &[Data])],
                    vec![],
                ),
            };
        nodes.push(node(op, "", &inputs, std::slice::from_ref(&out), &extra));
        scope.push((role, out));
    }

    /// A dropout as exporters write it, but for a part now and then.
    fn dropout(&mut self, scope: &mut Scope, nodes: &mut Vec<Vec<u8>>) {
        let data = self.pick(scope, &[Data]);
        let names = [(); 5].map(|()| self.name());
        let [r, b, k, m, y] = &names;
        let constant = |scope: &Scope, name: &str| scope.iter().any(|(_, known)| known == name);
        let number = |maker: &mut Self, name: &str| match constant(scope, name) {
            true => name.to_string(),
            false => maker.pick(scope, &[Number]),
        };
        let mut add = |op: &str, inputs: &[&String], output: &String, to: Option<u64>| {
            let inputs: Vec<String> = inputs.iter().map(|name| name.to_string()).collect();
            let to = to.map(|to| attribute("to", 2, varint_field(3, to)));
            let extra: Vec<_> = to.into_iter().collect();
            nodes.push(node(op, "", &inputs, std::slice::from_ref(output), &extra));
        };
        let (p, keep, s) = (number(self, "p"), number(self, "keep"), number(self, "s"));
        let given = "kp".to_string();
        // a rate that a run gives is one in all places
        let is_given = self.choose(8) == 1 && constant(scope, "kp");
        let keep = if is_given { given } else { keep };
        add("RandomUniformLike", &[&data], r, None);
        match self.choose(3) {
            _ if is_given => add("Less", &[r, &keep], b, None),
            0 => add("GreaterOrEqual", &[r, &p], b, None),
            1 => add("Less", &[r, &keep], b, None),
            _ => add("Greater", &[r, &p], b, None),
        }
        add("Cast", &[b], k, Some(FLOAT));
        let used = if is_given { 2 } else { self.choose(6) };
        match used {
            0 => {
                add("Mul", &[k, &s], m, None);
                add("Mul", &[&data, m], y, None);
            }
            1 => {
                add("Mul", &[&data, &s], m, None);
                add("Mul", &[m, k], y, None);
            }
            2 => {
                add("Mul", &[&data, k], m, None);
                add("Div", &[m, &keep], y, None);
            }
            3 => {
                add("Mul", &[&data, &s], m, None);
                add("Where", &[b, m, &number(self, "zero")], y, None);
            }
            4 => {
                add("Identity", &[k], m, None);
                add("Mul", &[&data, m], y, None);
            }
            _ => {
                add("Transpose", &[k], m, None);
                add("Mul", &[&data, m], y, None);
            }
        }
        // what is left of the mask may be used again
        for (role, name) in [(Noise, k), (Bool, b), (Data, y)] {
            scope.push((role, name.clone()));
        }
    }

    /// A graph around which others stand, for an attribute: inputs, outputs with their roles.
    fn inner(
        &mut self,
        outer: &Scope,
        inputs: &[(Role, String)],
        outputs: &[Role],
        depth: usize,
        condition: Option<&str>,
    ) -> Vec<u8> {
        let mut scope = outer.clone();
        scope.extend(inputs.iter().cloned());
        let first = scope.len();
        let nodes = self.nodes(&mut scope, depth);
        let mut fields = vec![bytes_field(2, b"inner")];
        fields.extend(nodes.iter().map(|node| bytes_field(1, node)));
        fields.extend(
            inputs
                .iter()
                .map(|(role, name)| bytes_field(11, &typed(*role, name))),
        );
        if let Some(condition) = condition {
            fields.push(bytes_field(12, &info(condition, BOOL, &[])));
        }
        for (place, role) in outputs.iter().enumerate() {
            // unchanged, made here, or something from outside
            let formal = inputs
                .len()
                .checked_sub(outputs.len())
                .map(|skip| &inputs[skip + place].1);
            let value = match (formal, self.choose(4)) {
                (Some(formal), 0 | 1) => formal.clone(),
                (_, 3) => self.pick(&scope, &[*role]),
                _ => {
                    let own = scope[first..].to_vec();
                    self.pick(&own, &[*role])
                }
            };
            let output = self.name();
            fields.push(bytes_field(
                1,
                &node("Identity", "", &[value], std::slice::from_ref(&output), &[]),
            ));
            fields.push(bytes_field(12, &typed(*role, &output)));
        }
        fields.concat()
    }

    fn branch(&mut self, scope: &mut Scope, depth: usize, nodes: &mut Vec<Vec<u8>>) {
        let role = [Data, Noise][self.choose(2)];
        let condition = self.pick(scope, &[Flag]);
        let extra = ["then_branch", "else_branch"].map(|name| {
            let graph = self.inner(scope, &[], &[role], depth + 1, None);
            attribute(name, 5, bytes_field(6, &graph))
        });
        let out = self.name();
        nodes.push(node(
            "If",
            "",
            &[condition],
            std::slice::from_ref(&out),
            &extra,
        ));
        scope.push((role, out));
    }

    fn looped(&mut self, scope: &mut Scope, depth: usize, nodes: &mut Vec<Vec<u8>>) {
        let roles: Vec<Role> = (0..1 + self.choose(3))
            .map(|_| [Noise, Data][self.choose(2)])
            .collect();
        let mut inputs: Vec<String> = vec!["trip".into(), "on".into()];
        let mut formals = vec![(Shape, self.name()), (Flag, self.name())];
        for &role in &roles {
            inputs.push(self.pick(scope, &[role]));
            formals.push((role, self.name()));
        }
        let (turn, go) = (formals[0].1.clone(), formals[1].1.clone());
        // the turn is no shape, and nothing here uses it
        formals[0] = (Flag, turn.clone());
        let body = self.inner(scope, &formals, &roles, depth + 1, Some(&go));
        let outputs: Vec<String> = roles.iter().map(|_| self.name()).collect();
        let extra = [attribute("body", 5, bytes_field(6, &body))];
        nodes.push(node("Loop", "", &inputs, &outputs, &extra));
        scope.extend(roles.into_iter().zip(outputs));
    }
}
