"""Adds keys and values to a hive with libhivex. Lines on standard input: path, value name, type, data in hex."""
import sys
import hivex

hive = hivex.Hivex(sys.argv[1], write=True)
for line in sys.stdin:
    path, name, kind, data = line.rstrip("\n").split("\t")
    node = hive.root()
    for part in filter(None, path.split("\\")):
        node = hive.node_get_child(node, part) or hive.node_add_child(node, part)
    if kind:
        hive.node_set_value(node, {"key": name, "t": int(kind), "value": bytes.fromhex(data)})
hive.commit(None)
