"""Writes src/semantics/operator/schemas.tsv: since when each version of an operator is, and the defaults of
its attributes. A default is `i` and an integer, `f` and the bits of a float, `s` and a string, or `I` and
integers; `-` is none."""

import pathlib
import struct

import onnx.defs
from onnx import AttributeProto

HERE = pathlib.Path(__file__).resolve()
OUT = HERE.parents[2] / "src" / "semantics" / "operator" / "schemas.tsv"
NEWEST = 26


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
        lines.append("\t".join([name, " ".join(map(str, sorted(versions))), " ".join(cells)]))
    OUT.write_text("\n".join(lines) + "\n")


main()
