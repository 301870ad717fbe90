"""Just enough protobuf to compare fields as bytes, exactly as they stand in a file."""

MODEL_GRAPH, MODEL_FUNCTIONS, MODEL_TRAINING = 7, 25, 20
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
GRAPH_INPUT, GRAPH_OUTPUT = 11, 12
GRAPH_VALUE_INFO, GRAPH_QUANTIZATION = 13, 14


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """The fields of a message in order: (number, payload or None, the field's bytes)."""
    at, out = 0, []
    while at < len(data):
        start = at
        key, at = varint(data, at)
        wire, payload = key & 7, None
        if wire == 0:
            _, at = varint(data, at)
        elif wire == 1:
            at += 8
        elif wire == 5:
            at += 4
        elif wire == 2:
            size, at = varint(data, at)
            payload = data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire} at byte {start}")
        if at > len(data):
            raise ValueError(f"field at byte {start} is cut short")
        out.append((key >> 3, payload, data[start:at]))
    return out


def only(data, number):
    """The payload of the one field with this number, or None."""
    found = [payload for n, payload, _ in fields(data) if n == number]
    return found[-1] if found else None


def verbatim(data, without):
    """All fields but those numbers, as one byte string each, in order."""
    return [raw for n, _, raw in fields(data) if n not in without]
