//! Models written as no exporter would write them, and valid all the same.
//!
//! Every name is defined once and before use, so that a model can be checked and stripped; but its
//! fields are out of order, repeated, unknown or of another wire type, its varints are padded, its
//! numbers packed or not, its names no UTF-8. All choices come from two tapes of bytes: what the model
//! is, and how it is spelt. Where a tape ends the plainest choice is made: a shorter tape is a simpler
//! model, and so proptest shrinks.

/// The bytes of a model: what it is by one tape, how it is spelt by another.
pub fn model(tape: &[u8], spelling: &[u8]) -> Vec<u8> {
    let mut writer = Writer {
        tape: tape.iter(),
        spelling: spelling.iter(),
        names: 0,
        functions: Vec::new(),
        opset: 13,
    };
    let message = writer.model();
    writer.finish(message).concat()
}

/// What a value may be used for.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Data,
    Ratio,
    Flag,
    Other,
}

/// The values a graph sees.
type Scope = Vec<(Role, Vec<u8>)>;

/// A message being written: its fields with their numbers.
type Message = Vec<(u32, Vec<u8>)>;

struct Writer<'t> {
    tape: std::slice::Iter<'t, u8>,
    spelling: std::slice::Iter<'t, u8>,
    names: u32,
    functions: Vec<Vec<u8>>,
    opset: u64,
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

const FLOAT: u64 = 1;
const INT64: u64 = 7;
const STRING: u64 = 8;
const BOOL: u64 = 9;
const FLOAT16: u64 = 10;
const DOUBLE: u64 = 11;

/// Choices, and protobuf written in odd ways.
impl Writer<'_> {
    /// A number below `count`; 0 where the tape has ended.
    fn choose(&mut self, count: usize) -> usize {
        usize::from(self.tape.next().copied().unwrap_or(0)) % count
    }

    /// True once in `count` times; never where the tape has ended.
    fn sometimes(&mut self, count: usize) -> bool {
        self.choose(count) == 1
    }

    /// As [`Writer::choose`], of the spelling.
    fn spell(&mut self, count: usize) -> usize {
        usize::from(self.spelling.next().copied().unwrap_or(0)) % count
    }

    /// As [`Writer::sometimes`], of the spelling.
    fn oddly(&mut self, count: usize) -> bool {
        self.spell(count) == 1
    }

    /// A varint, sometimes longer than it needs to be.
    fn varint(&mut self, mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        if self.oddly(12) {
            let room = 10 - out.len();
            for _ in 0..self.spell(room + 1) {
                *out.last_mut().unwrap() |= 0x80;
                out.push(0);
            }
        }
        out
    }

    fn tag(&mut self, number: u32, wire_type: u64) -> Vec<u8> {
        self.varint(u64::from(number) << 3 | wire_type)
    }

    fn field(&mut self, number: u32, wire_type: u64, payload: &[u8]) -> Vec<u8> {
        let mut out = self.tag(number, wire_type);
        if wire_type == BYTES {
            out.extend(self.varint(payload.len() as u64));
        }
        out.extend_from_slice(payload);
        if wire_type == GROUP {
            out.extend(self.tag(number, GROUP_END));
        }
        out
    }

    fn bytes(&mut self, into: &mut Message, number: u32, payload: impl AsRef<[u8]>) {
        let field = self.field(number, BYTES, payload.as_ref());
        into.push((number, field));
    }

    /// A field of which the last one rules, sometimes after one that does not.
    fn last_bytes(&mut self, into: &mut Message, number: u32, payload: impl AsRef<[u8]>) {
        if self.oddly(12) {
            self.bytes(into, number, "overruled");
        }
        self.bytes(into, number, payload);
    }

    fn number(&mut self, into: &mut Message, number: u32, value: u64) {
        let payload = self.varint(value);
        let field = self.field(number, VARINT, &payload);
        into.push((number, field));
    }

    fn last_number(&mut self, into: &mut Message, number: u32, value: u64) {
        if self.oddly(12) {
            self.number(into, number, value.wrapping_add(3));
        }
        self.number(into, number, value);
    }

    /// Numbers of a repeated field: packed, one field each, or some of each.
    fn numbers(&mut self, into: &mut Message, number: u32, wire_type: u64, values: &[Vec<u8>]) {
        let packed = match self.spell(3) {
            0 => values.len(),
            1 => 0,
            _ => values.len() / 2,
        };
        if packed > 0 || self.oddly(8) {
            self.bytes(into, number, values[..packed].concat());
        }
        for value in &values[packed..] {
            let field = self.field(number, wire_type, value);
            into.push((number, field));
        }
    }

    fn integers(&mut self, into: &mut Message, number: u32, values: &[u64]) {
        let values: Vec<_> = values.iter().map(|&value| self.varint(value)).collect();
        self.numbers(into, number, VARINT, &values);
    }

    fn message(&mut self, into: &mut Message, number: u32, message: Message) {
        let fields = self.finish(message);
        self.bytes(into, number, fields.concat());
    }

    /// A field of which occurrences are merged: sometimes in two parts, or with an empty one.
    fn merged(&mut self, into: &mut Message, number: u32, message: Message) {
        let fields = self.finish(message);
        let (first, second) = match self.spell(8) {
            1 => fields.split_at(self.spell(fields.len() + 1)),
            _ => fields.split_at(0),
        };
        if !first.is_empty() || self.oddly(16) {
            self.bytes(into, number, first.concat());
        }
        self.bytes(into, number, second.concat());
    }

    /// Adds fields that mean nothing, and mixes the order of fields of different numbers.
    fn finish(&mut self, mut message: Message) -> Vec<Vec<u8>> {
        for _ in 0..self.spell(8).saturating_sub(5) {
            let at = self.spell(message.len() + 1);
            let number = match (message.get(at), self.oddly(2)) {
                // a number that is known, in a wire type that it never has
                (Some(&(number, _)), true) => number,
                _ => [900, 15_000, (1 << 29) - 1][self.spell(3)],
            };
            let known = number < 900;
            let field = match self.spell(4) {
                1 if !known => self.field(number, VARINT, &[0x96, 1]),
                2 if !known => self.field(number, BYTES, b"\xffanything"),
                3 if !known => self.field(number, FIXED32, b"\x01\x02\x03\x04"),
                0 if number != 10 => self.field(number, FIXED64, b"8 bytes."),
                _ => {
                    let inner = self.field(1, BYTES, b"in a group");
                    self.field(number, GROUP, &inner)
                }
            };
            message.insert(at, (number, field));
        }
        for _ in 0..self.spell(4).saturating_sub(1) {
            let at = self.spell(message.len().max(1));
            if at + 1 < message.len() && message[at].0 != message[at + 1].0 {
                message.swap(at, at + 1);
            }
        }
        message.into_iter().map(|(_, field)| field).collect()
    }

    /// A name that nothing else has, sometimes an odd one.
    fn name(&mut self, stem: &str) -> Vec<u8> {
        self.names += 1;
        let mut name = format!("{stem}{}", self.names).into_bytes();
        match self.choose(96) {
            1..=4 => name.push(0xff),
            5..=8 => name.extend("/größer \"x\"\n".bytes()),
            9..=12 => name.extend([b'.'; 130]),
            13 => name.extend([b'_'; 17_000]),
            _ => {}
        }
        name
    }
}

/// ONNX.
impl Writer<'_> {
    fn model(&mut self) -> Message {
        let mut model = Message::new();
        self.opset = [13, 22, 12, 11, 9, 7, 6, 1][self.choose(8)];
        self.last_number(&mut model, 1, 8);
        self.last_bytes(&mut model, 2, "a generator");
        if self.sometimes(4) {
            self.last_bytes(&mut model, 3, b"not \xf0 UTF-8");
            self.last_number(&mut model, 5, 0);
            self.last_bytes(&mut model, 6, "");
        }
        self.opset_import(&mut model, 8);
        if self.sometimes(4) {
            let entry = self.entry(b"key", b"\xfe");
            self.message(&mut model, 14, entry);
        }
        for _ in 0..self.choose(5).saturating_sub(2) {
            let function = self.function();
            self.message(&mut model, 25, function);
        }
        let (graph, scope) = self.graph(&Scope::new(), 0);
        self.merged(&mut model, 7, graph);
        if self.sometimes(4) {
            let training = self.training(&scope);
            self.message(&mut model, 20, training);
        }
        model
    }

    fn opset_import(&mut self, into: &mut Message, number: u32) {
        for (domain, version) in [("", self.opset), ("odd", 1)] {
            let mut import = Message::new();
            if !domain.is_empty() || self.oddly(2) {
                self.last_bytes(&mut import, 1, domain);
            }
            self.last_number(&mut import, 2, version);
            self.message(into, number, import);
        }
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> Message {
        let mut entry = Message::new();
        self.last_bytes(&mut entry, 1, key);
        self.last_bytes(&mut entry, 2, value);
        entry
    }

    fn training(&mut self, main: &Scope) -> Message {
        let mut training = Message::new();
        if self.sometimes(2) {
            let (graph, _) = self.graph(&Scope::new(), 2);
            self.merged(&mut training, 1, graph);
        }
        let (graph, scope) = self.graph(main, 2);
        self.merged(&mut training, 2, graph);
        let (key, value) = (self.pick(main, Role::Data), self.pick(&scope, Role::Data));
        let binding = self.entry(&key, &value);
        let number = 3 + self.choose(2) as u32;
        self.message(&mut training, number, binding);
        training
    }

    /// A function: two inputs, one output.
    fn function(&mut self) -> Message {
        let mut function = Message::new();
        let name = self.name("function");
        self.last_bytes(&mut function, 1, &name);
        self.last_bytes(&mut function, 10, "odd");
        let mut scope = Scope::new();
        for role in [Role::Data, Role::Flag] {
            let name = self.name("formal");
            self.bytes(&mut function, 4, &name);
            scope.push((role, name));
        }
        self.bytes(&mut function, 6, "given");
        if self.sometimes(2) {
            let default = self.float_attribute("defaulted", 0.25);
            self.message(&mut function, 11, default);
        }
        self.nodes(&mut function, 7, &mut scope, 1);
        let result = self.pick(&scope, Role::Data);
        self.bytes(&mut function, 5, &result);
        self.opset_import(&mut function, 9);
        if self.sometimes(3) {
            let info = self.value_info(&result);
            self.message(&mut function, 12, info);
        }
        self.functions.push(name);
        function
    }

    /// A graph, and the values it sees at its end.
    fn graph(&mut self, outer: &Scope, depth: usize) -> (Message, Scope) {
        let mut graph = Message::new();
        let mut scope = outer.clone();
        let graph_name = self.name("graph");
        self.last_bytes(&mut graph, 2, graph_name);
        let inputs = match outer.is_empty() {
            true => 1 + self.choose(2),
            false => 0,
        };
        for _ in 0..inputs {
            let name = self.name("in");
            let info = self.value_info(&name);
            self.message(&mut graph, 11, info);
            if self.sometimes(6) {
                let default = self.tensor(&name, Role::Data);
                self.message(&mut graph, 5, default);
            }
            scope.push((Role::Data, name));
        }
        for role in [Role::Ratio, Role::Flag, Role::Data, Role::Other] {
            if depth == 0 || self.sometimes(3) {
                let name = self.name("w");
                let tensor = self.tensor(&name, role);
                self.message(&mut graph, 5, tensor);
                scope.push((role, name));
            }
        }
        if self.sometimes(4) {
            let name = self.name("sparse");
            let sparse = self.sparse(&name);
            self.message(&mut graph, 15, sparse);
            scope.push((Role::Other, name));
        }
        let first = scope.len();
        self.nodes(&mut graph, 1, &mut scope, depth);
        let mut outputs = Vec::new();
        for _ in 0..=self.choose(3) {
            let from = match self.choose(6) {
                1 => 0, // perhaps an initializer, an input, a value of the graph around
                _ => first,
            };
            let output = self.pick(&scope[from..].to_vec(), Role::Data);
            if !outputs.contains(&output) {
                let info = self.value_info(&output);
                self.message(&mut graph, 12, info);
                outputs.push(output);
            }
        }
        for _ in 0..self.choose(4) {
            let name = self.pick(&scope, Role::Data);
            let info = self.value_info(&name);
            self.message(&mut graph, 13, info);
        }
        if self.sometimes(4) {
            let mut annotation = Message::new();
            let (name, by) = (
                self.pick(&scope, Role::Data),
                self.pick(&scope, Role::Other),
            );
            self.last_bytes(&mut annotation, 1, name);
            let entry = self.entry(b"SCALE_TENSOR", &by);
            self.message(&mut annotation, 2, entry);
            self.message(&mut graph, 14, annotation);
        }
        (graph, scope)
    }

    /// The name of a value of this role, or of any where there is none.
    fn pick(&mut self, scope: &Scope, role: Role) -> Vec<u8> {
        let of_role: Vec<_> = scope.iter().filter(|(r, _)| *r == role).collect();
        match of_role.len() {
            0 => scope[self.choose(scope.len())].1.clone(),
            // the last ones sooner: chains
            count => of_role[count - 1 - self.choose(count)].1.clone(),
        }
    }

    fn nodes(&mut self, into: &mut Message, number: u32, scope: &mut Scope, depth: usize) {
        for _ in 0..1 + self.choose(6) {
            let (node, outputs) = self.node(scope, depth);
            self.message(into, number, node);
            scope.extend(outputs);
        }
    }

    fn node(&mut self, scope: &Scope, depth: usize) -> (Message, Scope) {
        let data = self.pick(scope, Role::Data);
        let mut inputs = vec![data];
        let mut outputs = vec![(Role::Data, self.name("v"))];
        let mut attributes = Vec::new();
        let mut domain = "";
        let op_type: Vec<u8> = match self.choose(10) {
            1..=3 => {
                self.dropout(scope, &mut inputs, &mut outputs, &mut attributes);
                "Dropout".into()
            }
            4 => {
                let (name, attribute, role) = self.constant();
                inputs.clear();
                outputs[0].0 = role;
                attributes.push(attribute);
                name.into()
            }
            5 if depth < 3 => {
                inputs = vec![self.pick(scope, Role::Flag)];
                for branch in ["then_branch", "else_branch"] {
                    let attribute = self.graph_attribute(branch, scope, depth + 1);
                    attributes.push(attribute);
                }
                "If".into()
            }
            6 => {
                domain = "odd";
                for index in 0..self.choose(5) {
                    let attribute = self.any_attribute(&format!("any{index}"), scope, depth);
                    attributes.push(attribute);
                }
                "Anything".into()
            }
            7 if !self.functions.is_empty() => {
                domain = "odd";
                inputs.push(self.pick(scope, Role::Flag));
                attributes.push(self.float_attribute("given", 0.125));
                let index = self.choose(self.functions.len());
                self.functions[index].clone()
            }
            8 => "Identity".into(),
            9 => {
                inputs.push(self.pick(scope, Role::Data));
                "Add".into()
            }
            _ => "Relu".into(),
        };
        let mut node = Message::new();
        for input in inputs {
            self.bytes(&mut node, 1, input);
        }
        for (_, output) in &outputs {
            self.bytes(&mut node, 2, output);
        }
        let name = self.name("node");
        self.last_bytes(&mut node, 3, name);
        self.last_bytes(&mut node, 4, op_type);
        for attribute in attributes {
            self.message(&mut node, 5, attribute);
        }
        if !domain.is_empty() || self.oddly(6) {
            self.last_bytes(&mut node, 7, domain);
        }
        outputs.retain(|(_, name)| !name.is_empty());
        (node, outputs)
    }

    fn dropout(
        &mut self,
        scope: &Scope,
        inputs: &mut Vec<Vec<u8>>,
        outputs: &mut Scope,
        attributes: &mut Vec<Message>,
    ) {
        let has = |role| scope.iter().any(|(r, _)| *r == role);
        if self.opset >= 12 {
            match self.choose(4) {
                1 if has(Role::Ratio) => inputs.push(self.pick(scope, Role::Ratio)),
                2 if has(Role::Ratio) && has(Role::Flag) => {
                    inputs.push(self.pick(scope, Role::Ratio));
                    inputs.push(self.pick(scope, Role::Flag));
                }
                3 if has(Role::Flag) => {
                    inputs.push(Vec::new());
                    inputs.push(self.pick(scope, Role::Flag));
                }
                _ => {}
            }
        } else if self.sometimes(2) {
            attributes.push(self.float_attribute("ratio", 0.5));
        }
        match self.choose(6) {
            1 | 2 => outputs.push((Role::Flag, self.name("mask"))),
            3 => outputs.push((Role::Other, Vec::new())),
            _ => {}
        }
    }

    fn constant(&mut self) -> (&'static str, Message, Role) {
        let role = [Role::Data, Role::Ratio, Role::Flag, Role::Other][self.choose(4)];
        let attribute = match (role, self.choose(3)) {
            (Role::Ratio, 1) => self.float_attribute("value_float", 0.25),
            _ => {
                let mut attribute = self.attribute("value", 4);
                let tensor = self.tensor(b"", role);
                self.merged(&mut attribute, 5, tensor);
                attribute
            }
        };
        ("Constant", attribute, role)
    }

    fn attribute(&mut self, name: &str, kind: u64) -> Message {
        let mut attribute = Message::new();
        self.last_bytes(&mut attribute, 1, name);
        // files of IR version 1 have no type
        if !self.sometimes(8) {
            self.last_number(&mut attribute, 20, kind);
        }
        attribute
    }

    fn float_attribute(&mut self, name: &str, value: f32) -> Message {
        let mut attribute = self.attribute(name, 1);
        let field = self.field(2, FIXED32, &value.to_le_bytes());
        attribute.push((2, field));
        attribute
    }

    fn graph_attribute(&mut self, name: &str, scope: &Scope, depth: usize) -> Message {
        let mut attribute = self.attribute(name, 5);
        let (graph, _) = self.graph(scope, depth);
        self.merged(&mut attribute, 6, graph);
        attribute
    }

    fn any_attribute(&mut self, name: &str, scope: &Scope, depth: usize) -> Message {
        let mut attribute = match self.choose(12) {
            1 => self.float_attribute(name, f32::NAN),
            2 => {
                let mut a = self.attribute(name, 3);
                self.last_bytes(&mut a, 4, b"\x80 no UTF-8");
                a
            }
            3 => {
                let mut a = self.attribute(name, 7);
                self.integers(&mut a, 8, &[0, 300, u64::MAX]);
                a
            }
            4 => {
                let mut a = self.attribute(name, 6);
                let floats = [0f32, -0.0, 1.5].map(|f| f.to_le_bytes().to_vec());
                self.numbers(&mut a, 7, FIXED32, &floats);
                a
            }
            5 => {
                let mut a = self.attribute(name, 8);
                for string in ["", "a", "b"] {
                    self.bytes(&mut a, 9, string);
                }
                a
            }
            6 => {
                let mut a = self.attribute(name, 9);
                for _ in 0..self.choose(3) {
                    let tensor = self.tensor(b"", Role::Other);
                    self.message(&mut a, 10, tensor);
                }
                a
            }
            7 if depth < 3 => {
                let mut a = self.attribute(name, 10);
                for _ in 0..self.choose(3) {
                    let (graph, _) = self.graph(scope, depth + 1);
                    self.message(&mut a, 11, graph);
                }
                a
            }
            8 => {
                let mut a = self.attribute(name, 11);
                let sparse = self.sparse(b"");
                self.message(&mut a, 22, sparse);
                a
            }
            9 => {
                let mut a = self.attribute(name, 13);
                let kind = self.value_type();
                self.message(&mut a, 14, kind);
                a
            }
            10 => {
                let mut a = self.attribute(name, 3);
                let long = [1_000, 66_000][self.choose(4) / 3];
                self.bytes(&mut a, 4, vec![b'x'; long]);
                a
            }
            _ => {
                let mut a = self.attribute(name, 2);
                self.last_number(&mut a, 3, u64::MAX);
                a
            }
        };
        if depth < 3 && self.sometimes(6) {
            // what the type does not ask for
            let (graph, _) = self.graph(scope, depth + 1);
            let number = [6, 11][self.choose(2)];
            self.message(&mut attribute, number, graph);
        }
        if self.sometimes(6) {
            let reference = ["", "given"][self.choose(2)];
            self.bytes(&mut attribute, 21, reference);
        }
        attribute
    }

    fn value_info(&mut self, name: &[u8]) -> Message {
        let mut info = Message::new();
        self.last_bytes(&mut info, 1, name);
        if !self.sometimes(8) {
            let kind = self.value_type();
            self.message(&mut info, 2, kind);
        }
        if self.oddly(8) {
            self.last_bytes(&mut info, 3, "documented");
        }
        info
    }

    fn value_type(&mut self) -> Message {
        let mut shape = Message::new();
        for _ in 0..self.choose(3) {
            let mut dim = Message::new();
            match self.choose(3) {
                0 => self.last_bytes(&mut dim, 2, "batch"),
                1 => self.last_number(&mut dim, 1, 4),
                _ => {}
            }
            self.message(&mut shape, 1, dim);
        }
        let mut tensor = Message::new();
        self.last_number(&mut tensor, 1, FLOAT);
        if !self.sometimes(4) {
            self.merged(&mut tensor, 2, shape);
        }
        let mut kind = Message::new();
        self.message(&mut kind, 1, tensor);
        for _ in 0..self.choose(12).saturating_sub(9) {
            let mut element = Message::new();
            self.message(&mut element, 1, kind);
            kind = Message::new();
            self.message(&mut kind, [4, 9][self.names as usize % 2], element);
        }
        kind
    }

    fn sparse(&mut self, name: &[u8]) -> Message {
        let mut sparse = Message::new();
        let values = self.tensor(name, Role::Data);
        self.merged(&mut sparse, 1, values);
        let indices = self.tensor(b"", Role::Other);
        self.merged(&mut sparse, 2, indices);
        self.integers(&mut sparse, 3, &[2, 300]);
        sparse
    }

    fn tensor(&mut self, name: &[u8], role: Role) -> Message {
        let mut tensor = Message::new();
        if !name.is_empty() || self.oddly(4) {
            self.last_bytes(&mut tensor, 8, name);
        }
        match role {
            Role::Ratio => self.ratio(&mut tensor),
            Role::Flag => {
                self.last_number(&mut tensor, 2, BOOL);
                let on = self.choose(2) as u8;
                match self.spell(2) {
                    0 => self.last_bytes(&mut tensor, 9, [on]),
                    _ => self.integers(&mut tensor, 5, &[u64::from(on)]),
                }
            }
            Role::Data => {
                self.last_number(&mut tensor, 2, FLOAT);
                // larger than the window of 16 KiB, than what is decoded at once
                let count = [2, 0, 300, 5_000, 17_000][self.choose(60).saturating_sub(55)];
                self.integers(&mut tensor, 1, &[count]);
                let elements: Vec<_> = (0..count).map(|i| (i as f32).to_le_bytes()).collect();
                match self.spell(3) {
                    0 => self.last_bytes(&mut tensor, 9, elements.concat()),
                    _ => {
                        let elements: Vec<_> = elements.iter().map(|e| e.to_vec()).collect();
                        self.numbers(&mut tensor, 4, FIXED32, &elements);
                    }
                }
            }
            Role::Other => self.other(&mut tensor),
        }
        if self.oddly(8) {
            self.last_bytes(&mut tensor, 12, b"\xc0");
            self.last_number(&mut tensor, 14, 0);
        }
        tensor
    }

    fn ratio(&mut self, tensor: &mut Message) {
        match self.choose(4) {
            0 => {
                self.last_number(tensor, 2, FLOAT);
                self.last_bytes(tensor, 9, 0.25f32.to_le_bytes());
            }
            1 => {
                self.last_number(tensor, 2, FLOAT);
                self.numbers(tensor, 4, FIXED32, &[0.5f32.to_le_bytes().to_vec()]);
            }
            2 => {
                self.last_number(tensor, 2, DOUBLE);
                self.integers(tensor, 1, &[1]);
                self.numbers(tensor, 10, FIXED64, &[0.1f64.to_le_bytes().to_vec()]);
            }
            _ => {
                self.last_number(tensor, 2, FLOAT16);
                self.integers(tensor, 5, &[0x3400]);
            }
        }
    }

    fn other(&mut self, tensor: &mut Message) {
        match self.choose(6) {
            1 => {
                self.last_number(tensor, 2, STRING);
                self.integers(tensor, 1, &[3]);
                let long = vec![b's'; [1, 900, 20_000][self.choose(3)]];
                for string in [&b""[..], b"\xff", &long] {
                    self.bytes(tensor, 6, string);
                }
            }
            2 => {
                self.last_number(tensor, 2, 13);
                self.integers(tensor, 1, &[2]);
                self.integers(tensor, 11, &[1, u64::from(u32::MAX)]);
            }
            3 => {
                // a type that nobody knows, of a shape that nobody has
                self.last_number(tensor, 2, 99);
                self.integers(tensor, 1, &[1 << 62, u64::MAX, 7]);
                self.last_bytes(tensor, 9, "?");
            }
            4 => {} // an empty message
            5 => {
                let count = [3, 9_000][self.choose(2)];
                self.last_number(tensor, 2, INT64);
                self.integers(tensor, 1, &[count]);
                let elements: Vec<u64> = (0..count).map(|i| i.wrapping_sub(2)).collect();
                self.integers(tensor, 7, &elements);
            }
            _ => {
                self.last_number(tensor, 2, INT64);
                self.integers(tensor, 1, &[2, 0]);
            }
        }
    }
}
