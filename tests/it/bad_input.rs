//! Bad input: a clear error with file and place, exit status 2, nothing written, the original
//! untouched; never a panic.

mod damaged;
mod external;
mod places;
mod unsound;

use prost::Message;

use crate::common::build::{graph, model, op, subgraph, x_to_y};
use crate::common::proto::{Attribute, Model};

/// `x -> Dropout -> Relu -> y`.
fn sound() -> Model {
    model(13, x_to_y([op("d = Dropout(x)"), op("y = Relu(d)")]))
}

/// A model of `depth` graphs in each other, each the branch of an `If`.
fn nested_graphs(depth: usize) -> Vec<u8> {
    // written from the end, so that every length is known
    let mut reversed: Vec<u8> = Vec::new();
    let wrap = |reversed: &mut Vec<u8>, field: u32, before: &[u8]| {
        reversed.extend(before.iter().rev());
        let mut head = Vec::new();
        prost::encoding::encode_varint(u64::from(field << 3 | 2), &mut head);
        prost::encoding::encode_varint(reversed.len() as u64, &mut head);
        reversed.extend(head.iter().rev());
    };
    let named = Attribute {
        g: None,
        ..subgraph("then_branch", graph([]))
    };
    let of_if = op("y = If(c)").encode_to_vec();
    for _ in 1..depth {
        wrap(&mut reversed, 6, &[]); // AttributeProto.g
        reversed.extend(named.encode_to_vec().iter().rev());
        wrap(&mut reversed, 5, &[]); // NodeProto.attribute
        reversed.extend(of_if.iter().rev());
        wrap(&mut reversed, 1, &[]); // GraphProto.node
    }
    wrap(&mut reversed, 7, &[]); // ModelProto.graph
    reversed.reverse();
    let without = Model {
        graph: None,
        ..sound()
    };
    [without.encode_to_vec(), reversed].concat()
}
