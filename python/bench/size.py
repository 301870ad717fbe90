"""What a wheel's size is made of, and that it is under its limit.

    python python/bench/size.py dropout_onnx-….whl
"""

import sys
import zipfile
from pathlib import Path

LIMIT = 16_500_000


def main():
    path = Path(sys.argv[1])
    print(f"{path.name}: {path.stat().st_size:,} bytes (limit {LIMIT:,})")
    entries = zipfile.ZipFile(path).infolist()
    entries.sort(key=lambda entry: -entry.compress_size)
    for entry in entries[:4]:
        print(f"{entry.compress_size:12,} of {entry.file_size:12,}  {entry.filename}")
    rest = entries[4:]
    print(f"{sum(e.compress_size for e in rest):12,} of {sum(e.file_size for e in rest):12,}  the rest")
    return path.stat().st_size >= LIMIT


if __name__ == "__main__":
    sys.exit(main())
