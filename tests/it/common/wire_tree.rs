//! A second opinion on protobuf: a small parser of its own, and edits done by hand with it.

/// Which message of ONNX this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Model,
    Graph,
    Function,
    Training,
    Node,
    Attribute,
}

impl Level {
    /// The message that a field of this number holds, where graphs may stand in it.
    pub fn inside(self, number: u64) -> Option<Level> {
        Some(match (self, number) {
            (Level::Model, 7) => Level::Graph,
            (Level::Model, 20) => Level::Training,
            (Level::Model, 25) => Level::Function,
            (Level::Training, 1 | 2) => Level::Graph,
            (Level::Graph, 1) | (Level::Function, 7) => Level::Node,
            (Level::Node, 5) => Level::Attribute,
            (Level::Attribute, 6 | 11) => Level::Graph,
            _ => return None,
        })
    }
}

/// A field, cut out of its message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub number: u64,
    pub wire_type: u64,
    pub tag: &'a [u8],
    pub payload: &'a [u8],
    pub all: &'a [u8],
}

impl Field<'_> {
    pub fn is_bytes(&self, number: u64) -> bool {
        self.number == number && self.wire_type == 2
    }

    /// The field with another payload. The length is written anew, in its shortest form, if it is
    /// another.
    pub fn with(&self, payload: &[u8]) -> Vec<u8> {
        let prefix = &self.all[..self.all.len() - self.payload.len()];
        if payload.len() == self.payload.len() {
            return [prefix, payload].concat();
        }
        let mut out = self.tag.to_vec();
        let mut len = payload.len();
        while len > 127 {
            out.push((len % 128 + 128) as u8);
            len /= 128;
        }
        out.push(len as u8);
        out.extend_from_slice(payload);
        out
    }
}

fn varint(bytes: &[u8]) -> (u64, usize) {
    let len = 1 + bytes.iter().take_while(|byte| **byte > 127).count();
    let digits = bytes[..len].iter().rev();
    let value = digits.fold(0u64, |value, byte| value << 7 | u64::from(byte % 128));
    (value, len)
}

/// The fields of a message that is known to be one.
pub fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut out = Vec::new();
    while !message.is_empty() {
        let field = first(message);
        message = &message[field.all.len()..];
        out.push(field);
    }
    out
}

fn first(message: &[u8]) -> Field<'_> {
    let (tag, tag_len) = varint(message);
    let rest = &message[tag_len..];
    let (skip, len) = match tag % 8 {
        0 => (0, varint(rest).1),
        1 => (0, 8),
        2 => {
            let (len, skip) = varint(rest);
            (skip, len as usize)
        }
        3 => {
            let mut at = 0;
            while varint(&rest[at..]).0 % 8 != 4 {
                at += first(&rest[at..]).all.len();
            }
            (0, at + varint(&rest[at..]).1)
        }
        5 => (0, 4),
        other => panic!("wire type {other}"),
    };
    Field {
        number: tag / 8,
        wire_type: tag % 8,
        tag: &message[..tag_len],
        payload: &rest[skip..skip + len],
        all: &message[..tag_len + skip + len],
    }
}

/// What becomes of a message inside another.
pub enum Change {
    /// Those inside it are asked about.
    None,
    Remove,
    Payload(Vec<u8>),
}

/// The message with what `change` says done to the messages inside it, at any depth.
pub fn edit(
    level: Level,
    message: &[u8],
    change: &mut impl FnMut(Level, &Field<'_>) -> Change,
) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(message) {
        let inside = level.inside(field.number).filter(|_| field.wire_type == 2);
        let Some(inside) = inside else {
            out.extend_from_slice(field.all);
            continue;
        };
        match change(inside, &field) {
            Change::None => out.extend(field.with(&edit(inside, field.payload, change))),
            Change::Remove => {}
            Change::Payload(payload) => out.extend(field.with(&payload)),
        }
    }
    out
}

/// The payload of the last field of this number.
pub fn last(message: &[u8], number: u64) -> Option<&[u8]> {
    let all = fields(message).into_iter();
    let mut matching = all.filter(|field| field.is_bytes(number));
    matching.next_back().map(|field| field.payload)
}
