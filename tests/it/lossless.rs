//! Reading and writing without an edit gives the same bytes.

use std::io::Write;

use crate::common::promises::bytes_of;
use crate::common::tape::{cases, tapes};
use dropout_onnx::onnx::{Editor, Model, Values};
use dropout_onnx::source::{Rope, Source};
use proptest::prelude::*;

#[test]
fn every_model_is_written_back_byte_for_byte() {
    for path in crate::common::models() {
        let model = Model::open(&path).unwrap();
        let bytes = bytes_of(&model.to_rope().unwrap());
        assert!(bytes == std::fs::read(&path).unwrap(), "{}", path.display());
        model.check(&Values::new(&model)).unwrap();
    }
}

#[test]
fn every_model_is_written_back_byte_for_byte_when_touched_but_not_changed() {
    for path in crate::common::models() {
        let mut model = Model::open(&path).unwrap();
        touch(&mut model);
        let bytes = bytes_of(&model.to_rope().unwrap());
        assert!(bytes == std::fs::read(&path).unwrap(), "{}", path.display());
    }
}

/// Edits every node, and so every graph around it, without changing any.
fn touch(model: &mut Model) {
    let nodes: Vec<_> = model.nodes().map(|(id, _)| id).collect();
    let values = Values::new(model);
    let mut editor = Editor::new(model, values);
    for id in nodes {
        editor.remove_attribute(id, "an attribute that no node has");
    }
}

/// The bytes in pieces of memory and of another source, cut at these places.
fn in_pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Source {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let mut rope = Rope::new();
    for (i, ends) in places.windows(2).enumerate() {
        let piece = bytes[ends[0]..ends[1]].to_vec();
        match i % 2 {
            0 => rope.push(piece),
            _ => rope.push_range(&Source::from_bytes(piece), 0..(ends[1] - ends[0]) as u64),
        }
    }
    Source::from_rope(rope)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn an_oddly_written_model_is_sound(tapes in tapes()) {
        let bytes = tapes.model();
        let model = Model::read(Source::from_bytes(bytes)).unwrap();
        model.check(&Values::new(&model)).unwrap();
    }

    #[test]
    fn an_oddly_written_model_is_written_back_byte_for_byte(
        tapes in tapes(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = tapes.model();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        for source in [
            Source::from_bytes(bytes.clone()),
            Source::open(file.path()).unwrap(),
            in_pieces(&bytes, &cuts),
        ] {
            let model = Model::read(source).unwrap();
            let written = bytes_of(&model.to_rope().unwrap());
            prop_assert!(written == bytes);
        }
    }

    #[test]
    fn an_oddly_encoded_model_round_trips_at_any_position(
        tapes in tapes(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = tapes.model();
        let text = |source| dropout_onnx::show::text(&Model::read(source).unwrap()).unwrap();
        let pieces = text(in_pieces(&bytes, &cuts));
        prop_assert_eq!(text(Source::from_bytes(bytes)), pieces);
    }

    #[test]
    fn an_oddly_written_model_means_what_a_plainly_written_one_does(tapes in tapes()) {
        let text = |bytes| {
            let text = dropout_onnx::show::text(&Model::read(Source::from_bytes(bytes)).unwrap()).unwrap();
            // attributes that are not decoded are shown as they are spelt
            let lines: Vec<_> = text.lines().filter(|line| !line.contains(" bytes #")).map(str::to_string).collect();
            lines.join("\n")
        };
        prop_assert_eq!(text(tapes.model()), text(tapes.plain()));
    }

    #[test]
    fn an_oddly_written_model_is_the_same_bytes_when_touched_but_not_changed(tapes in tapes()) {
        let bytes = tapes.model();
        let mut model = Model::read(Source::from_bytes(bytes.clone())).unwrap();
        touch(&mut model);
        prop_assert!(bytes_of(&model.to_rope().unwrap()) == bytes);
    }
}
