"""Lists the operators of ONNX, or says what the onnx package at hand has beyond the list.

    python tests/schema/operators.py           writes operators.tsv beside this file
    python tests/schema/operators.py --newer   prints the schemas that the list lacks

`src/semantics/operator/` is held against the list by `cargo test --lib operator`.
"""

import pathlib
import re
import sys

from onnx import defs

LIST = pathlib.Path(__file__).with_name("operators.tsv")
HEADER = ["name", "since", "deprecated", "inputs", "outputs", "attributes"]
MARKS = {
    defs.OpSchema.FormalParameterOption.Single: "",
    defs.OpSchema.FormalParameterOption.Optional: "?",
    defs.OpSchema.FormalParameterOption.Variadic: "*",
}


def parameters(schema, formal):
    """Types in order: a variable, or `bool` where it may only be that; `?` optional, `*` variadic."""
    only = {
        c.type_param_str: c.allowed_type_strs[0]
        for c in schema.type_constraints
        if len(c.allowed_type_strs) == 1
    }
    kinds = [only.get(p.type_str, p.type_str) for p in formal]
    kinds = [re.sub(r"^tensor\((\w+)\)$", r"\1", kind) for kind in kinds]
    return " ".join(kind + MARKS[p.option] for kind, p in zip(kinds, formal))


def rows():
    schemas = [s for s in defs.get_all_schemas_with_history() if s.domain == ""]
    for schema in sorted(schemas, key=lambda s: (s.name, s.since_version)):
        yield [
            schema.name,
            str(schema.since_version),
            "deprecated" if schema.deprecated else "",
            parameters(schema, schema.inputs),
            parameters(schema, schema.outputs),
            " ".join(sorted(schema.attributes)),
        ]


def newer():
    known = {tuple(line.split("\t")[:2]) for line in LIST.read_text().splitlines()}
    found = [row for row in rows() if tuple(row[:2]) not in known]
    names = {name for name, _ in known}
    for name, since, *_ in found:
        print(f"{name}-{since}: {'changed' if name in names else 'new'}")
    return int(bool(found))


if __name__ == "__main__":
    if sys.argv[1:] == ["--newer"]:
        sys.exit(newer())
    lines = [HEADER, *rows()]
    LIST.write_text("".join("\t".join(line) + "\n" for line in lines))
