"""What volatility3 makes of a crash dump: its runs, and the hash of every page it can read.

usage: python vol3_layer.py DUMP   (prints JSON)
volatility3 knows DumpType 1 and 5 only.
"""
import hashlib, json, sys
from volatility3.framework import contexts, layers
from volatility3.framework.layers import physical, crash

path, bits = sys.argv[1], int(sys.argv[2])
context = contexts.Context()
context.config["base.location"] = "file://" + path
context.add_layer(physical.FileLayer(context, "base", "base"))
context.config["crash.base_layer"] = "base"
kind = crash.WindowsCrashDump64Layer if bits == 64 else crash.WindowsCrashDump32Layer
layer = kind(context, "crash", "crash")
context.add_layer(layer)
runs, pages = [], {}
for offset, size, _, _, _ in layer.mapping(0, layer.maximum_address + 1, ignore_errors=True):
    runs.append([offset, size])
    for at in range(offset, offset + size, 0x1000):
        pages[at] = hashlib.sha256(layer.read(at, 0x1000)).hexdigest()
print(json.dumps({"runs": runs, "pages": pages}))
