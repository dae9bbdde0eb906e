"""Prints every key and value of a hive as libhivex reads it, one a line, for comparison."""
import sys
import hivex

hive = hivex.Hivex(sys.argv[1])


def dump(node, path):
    print("key", path, hive.node_timestamp(node), sep="\t")
    for value in hive.node_values(node):
        kind, data = hive.value_value(value)
        print("value", path, hive.value_key(value), kind, data.hex(), sep="\t")
    for child in hive.node_children(node):
        dump(child, path + "\\" + hive.node_name(child))


sys.setrecursionlimit(10000)
sys.stdout.reconfigure(errors="backslashreplace")
dump(hive.root(), "")
