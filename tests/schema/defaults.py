"""Writes src/semantics/operator/schemas.tsv: since when each version of an operator is, and the defaults of
its attributes. A default is `i` and an integer, `f` and the bits of a float, `s` and a string, or `I` and
integers; `-` is none. A version with `+` computes what the version before does: its schema allows more element
types, or has more attributes whose defaults are what the version before computes."""

import pathlib
import struct

import onnx.defs
from onnx import AttributeProto

HERE = pathlib.Path(__file__).resolve()
OUT = HERE.parents[2] / "src" / "semantics" / "operator" / "schemas.tsv"
NEWEST = 26

# Versions whose schemas have the attributes, inputs and outputs of the version before, and another meaning.
OTHER_MEANING = {
    ("AveragePool", 11), ("AveragePool", 22), ("ConvTranspose", 11), ("Dropout", 10), ("Dropout", 13),
    ("Dropout", 22), ("LpNormalization", 22), ("LpPool", 11), ("LpPool", 22), ("MaxPool", 11), ("MaxPool", 22), ("MaxUnpool", 11),
    ("OneHot", 11), ("PRelu", 7), ("Resize", 19), ("Slice", 11), ("Upsample", 10),
}  # fmt: skip
# Versions with more attributes, whose defaults are what the version before computes.
SAME_MEANING = {
    ("ArgMax", 12), ("ArgMin", 12), ("AveragePool", 10), ("Cast", 19), ("Cast", 24), ("CastLike", 19),
    ("CastLike", 24), ("DepthToSpace", 11), ("DequantizeLinear", 13), ("DequantizeLinear", 21),
    ("DequantizeLinear", 23), ("GRU", 14), ("GatherND", 12), ("Gemm", 11), ("LSTM", 14), ("MaxPool", 10),
    ("QuantizeLinear", 13), ("QuantizeLinear", 19), ("QuantizeLinear", 21), ("QuantizeLinear", 23), ("RNN", 14),
    ("Reshape", 14), ("ScatterElements", 16), ("ScatterND", 16), ("Shape", 15), ("Split", 18), ("TopK", 11),
}  # fmt: skip


def written(value):
    if value.type == AttributeProto.INT:
        return f"i{value.i}"
    if value.type == AttributeProto.FLOAT:
        return "f" + struct.pack(">f", value.f).hex()
    if value.type == AttributeProto.STRING:
        return "s" + value.s.decode()
    if value.type == AttributeProto.INTS:
        return "I" + ",".join(map(str, value.ints))
    return "-"


def form(schema):
    """All of a schema but its element types."""
    attributes = sorted(
        (a.name, str(a.type), a.required, written(a.default_value)) for a in schema.attributes.values()
    )
    ends = [str(end.option) for end in [*schema.inputs, *schema.outputs]]
    counts = (schema.min_input, schema.max_input, schema.min_output, schema.max_output)
    return attributes, ends, counts


def since_of(name, versions):
    cells, last = [], None
    for since, schema in sorted(versions.items()):
        same = last is not None and form(schema) == form(last) and (name, since) not in OTHER_MEANING
        cells.append("+" * (same or (name, since) in SAME_MEANING) + str(since))
        last = schema
    return " ".join(cells)


def main():
    schemas = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= NEWEST:
            schemas.setdefault(schema.name, {})[schema.since_version] = schema
    lines = [f"\t{NEWEST}\t"]
    for name, versions in sorted(schemas.items()):
        attributes = sorted({a for schema in versions.values() for a in schema.attributes})
        cells = []
        for attribute in attributes:
            last = "-"
            for since, schema in sorted(versions.items()):
                found = schema.attributes.get(attribute)
                value = written(found.default_value) if found else "-"
                if value != last:
                    cells.append(f"{attribute}@{since}={value}")
                last = value
        lines.append("\t".join([name, since_of(name, versions), " ".join(cells)]))
    OUT.write_text("\n".join(lines) + "\n")


main()
