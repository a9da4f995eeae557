"""What volatility3 makes of a crash dump: for each page that it can read, the SHA-256 of its bytes.

usage: python vol3_layer.py 64|32 DUMP...    prints one JSON object a dump: {"address": "sha256", ...}
volatility3 knows DumpType 1 and 5 only. No symbols are needed: this is its layer, not its plugins.
"""

import hashlib
import json
import sys
from pathlib import Path

from volatility3.framework import contexts
from volatility3.framework.layers import crash, physical


def pages(path, kind):
    context = contexts.Context()
    context.config["base.location"] = Path(path).resolve().as_uri()
    context.add_layer(physical.FileLayer(context, "base", "base"))
    context.config["crash.base_layer"] = "base"
    layer = kind(context, "crash", "crash")
    context.add_layer(layer)
    found = {}
    for start, length, *_ in layer.mapping(0, layer.maximum_address + 1, ignore_errors=True):
        for at in range(start, start + length, 0x1000):
            found[f"{at:#x}"] = hashlib.sha256(layer.read(at, 0x1000)).hexdigest()
    return found


KINDS = {"64": crash.WindowsCrashDump64Layer, "32": crash.WindowsCrashDump32Layer}
for path in sys.argv[2:]:
    print(json.dumps(pages(path, KINDS[sys.argv[1]])))
