"""Prints the rows of volatility3 plugins over one dump as JSON: {plugin: [{column: value}]}.

    python vol3_rows.py DUMP SYMBOLS PLUGIN...

One process for all plugins: starting volatility3 anew for each would take minutes. SYMBOLS is a folder with
`windows/<pdb>/<GUID>-<age>.json`. A plugin that fails gives {"error": text} instead of rows.
"""
import datetime
import json
import os
import sys
import tempfile
import traceback

import volatility3
from volatility3 import framework
from volatility3.framework import automagic, constants, contexts, interfaces, plugins
from volatility3.framework.interfaces import renderers
from volatility3.framework.renderers import format_hints


def plain(value):
    """A cell as JSON; what volatility3 calls absent is None."""
    if isinstance(value, renderers.BaseAbsentValue):
        return None
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, (format_hints.HexBytes, format_hints.MultiTypeData, bytes)):
        return bytes(value).hex()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value)


def rows(context, chosen, name):
    plugin = plugins.construct_plugin(context, chosen, framework_plugins[name], "plugins", None, None)
    grid = plugin.run()
    found = []

    def visit(node, _):
        row = {column.name: plain(value) for column, value in zip(grid.columns, node.values)}
        row["_depth"] = node.path_depth
        found.append(row)

    grid.populate(visit, None)
    return found


def main(dump, symbols, names):
    global framework_plugins
    constants.CACHE_PATH = tempfile.mkdtemp(prefix="vol3-")
    constants.OFFLINE = True
    import volatility3.plugins
    import volatility3.symbols
    volatility3.symbols.__path__ = [symbols] + constants.SYMBOL_BASEPATHS
    framework.require_interface_version(2, 0, 0)
    framework.import_files(volatility3.plugins, True)
    framework_plugins = framework.list_plugins()
    out = {}
    for name in names:
        context = contexts.Context()
        context.config["automagic.LayerStacker.single_location"] = "file://" + os.path.abspath(dump)
        chosen = automagic.choose_automagic(automagic.available(context), framework_plugins[name])
        try:
            out[name] = rows(context, chosen, name)
        except Exception as error:  # the test says which plugin failed and how
            out[name] = {"error": f"{type(error).__name__}: {error}\n{traceback.format_exc()}"}
    print(json.dumps(out))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
