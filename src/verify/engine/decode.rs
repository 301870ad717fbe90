//! From the bytes of a model to tract's own protobuf types, without the bytes in memory as a whole.

use bytes::Buf;
use prost::Message;

use super::{Stop, Unrunnable, panics};
use crate::error::{Error, ErrorKind};
use crate::source::Source;

/// What is read at a time.
const CHUNK: u64 = 1 << 20;

/// Decodes one message, which fills the source.
pub(in crate::verify) fn decode<M: Message + Default>(source: &Source) -> Result<M, Stop> {
    let mut buffer = SourceBuf::new(source);
    let decoded = panics::guard(|| M::decode(&mut buffer));
    if let Some(error) = buffer.error {
        return Err(Stop::Error(error));
    }
    match decoded {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(error)) => {
            Err(Unrunnable::new(format!("tract cannot read this model: {error}")).into())
        }
        Err(panic) => Err(Unrunnable::new(format!("tract cannot read this model: {panic}")).into()),
    }
}

/// A source as a [`Buf`]. `Buf` has no way to fail: after a read error it yields zeros, which no
/// protobuf parser accepts, and the error is kept.
struct SourceBuf<'a> {
    source: &'a Source,
    chunk: Vec<u8>,
    used: usize,
    /// Offset of the first byte after `chunk`.
    next: u64,
    error: Option<Error>,
}

impl<'a> SourceBuf<'a> {
    fn new(source: &'a Source) -> Self {
        let mut buffer = SourceBuf {
            source,
            chunk: Vec::new(),
            used: 0,
            next: 0,
            error: None,
        };
        buffer.fill();
        buffer
    }

    fn fill(&mut self) {
        let left = self.source.len().saturating_sub(self.next);
        self.chunk.clear();
        self.chunk.resize(left.min(CHUNK) as usize, 0);
        self.used = 0;
        if self.error.is_none() {
            self.error = self.source.read_exact_at(&mut self.chunk, self.next).err();
            if self.error.is_some() {
                self.chunk.fill(0);
            }
        }
        self.next += self.chunk.len() as u64;
    }
}

impl Buf for SourceBuf<'_> {
    fn remaining(&self) -> usize {
        let unread = self.source.len().saturating_sub(self.next);
        self.chunk.len() - self.used + usize::try_from(unread).unwrap_or(usize::MAX / 2)
    }

    fn chunk(&self) -> &[u8] {
        &self.chunk[self.used..]
    }

    fn advance(&mut self, count: usize) {
        let here = self.chunk.len() - self.used;
        if count < here {
            self.used += count;
            return;
        }
        let beyond = (count - here) as u64;
        if self.next.saturating_add(beyond) > self.source.len() && self.error.is_none() {
            // The contract of `Buf` allows no such call; it must not turn into a wrong read.
            self.error = Some(Error::new(
                ErrorKind::Protobuf,
                "read past the end of the model",
            ));
        }
        self.next = self.next.saturating_add(beyond).min(self.source.len());
        self.fill();
    }
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb;

    use super::*;

    #[test]
    fn reads_as_the_whole_slice_would() {
        let proto = pb::ModelProto {
            doc_string: "a".repeat(3_000_000),
            producer_name: "p".into(),
            opset_import: vec![pb::OperatorSetIdProto {
                domain: String::new(),
                version: 13,
            }],
            ..Default::default()
        };
        let source = Source::from_bytes(proto.encode_to_vec());
        let read: pb::ModelProto = decode(&source).unwrap();
        assert_eq!(read, proto);
    }

    #[test]
    fn skips_without_reading() {
        let source = Source::from_bytes(vec![7u8; 5 << 20]);
        let mut buffer = SourceBuf::new(&source);
        buffer.advance((4 << 20) + 5);
        assert_eq!(buffer.remaining(), (1 << 20) - 5);
        assert_eq!(buffer.chunk()[0], 7);
        buffer.advance((1 << 20) - 5);
        assert_eq!((buffer.remaining(), buffer.chunk().len()), (0, 0));
        assert!(buffer.error.is_none());
    }

    #[test]
    fn a_read_error_is_returned_not_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        let proto = pb::ModelProto {
            doc_string: "a".repeat(3_000_000),
            ..Default::default()
        };
        std::fs::write(&path, proto.encode_to_vec()).unwrap();
        let source = Source::open(&path).unwrap();
        // The file shrinks while it is read.
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 20)
            .unwrap();
        match decode::<pb::ModelProto>(&source) {
            Err(Stop::Error(error)) => {
                assert!(
                    error.to_string().contains("changed while it was read"),
                    "{error}"
                );
            }
            other => panic!("{:?}", other.map(|m| m.producer_name)),
        }
    }
}
