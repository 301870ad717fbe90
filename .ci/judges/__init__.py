"""Independent judges of dropout-onnx: plain Python over onnx and ONNX Runtime.

Nothing here calls into the Rust code; the tool is only ever run as a program.
"""
