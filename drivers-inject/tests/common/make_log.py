"""Makes a transaction log. Arguments: its format ("entries" or "map"), the file to write, the sequence number of its
first entry, and two or more hives: each entry turns one into the next. A map has one entry. The log's base block is
that of the last hive but for the fields that logs have of their own."""
import struct
import sys

MASK = 0xFFFFFFFF
SEED = 0x82EF4D887A4E55C5


def rotate(word, bits):
    return (word << bits | word >> 32 - bits) & MASK


def marvin32(data):
    low, high = SEED & MASK, SEED >> 32
    data = data + b"\x80"
    data += bytes(-len(data) % 4) + bytes(4)
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) & MASK
        high ^= low
        low = (rotate(low, 20) + high) & MASK
        high = rotate(high, 9) ^ low
        low = (rotate(low, 27) + high) & MASK
        high = rotate(high, 19)
    return struct.pack("<II", low, high)


def bins(hive):
    size = struct.unpack_from("<I", hive, 40)[0]
    return hive[4096 : 4096 + size]


def changed(before, after, page):
    before, after = bins(before), bins(after)
    for at in range(0, len(after), page):
        if before[at : at + page] != after[at : at + page]:
            yield at, after[at : at + page]


def base_block(hive, kind, sequence):
    block = bytearray(hive[:512])
    struct.pack_into("<II", block, 4, sequence, sequence)
    struct.pack_into("<I", block, 28, kind)
    checksum = 0
    for (word,) in struct.iter_unpack("<I", bytes(block[:508])):
        checksum ^= word
    struct.pack_into("<I", block, 508, checksum)
    return bytes(block)


def entry(before, after, sequence):
    pages = list(changed(before, after, 4096))
    content = b"".join(struct.pack("<II", at, len(page)) for at, page in pages)
    content += b"".join(page for _, page in pages)
    content += bytes(-(len(content) + 40) % 512)
    size = struct.unpack_from("<I", after, 40)[0]
    fields = b"HvLE" + struct.pack("<IIIII", len(content) + 40, 0, sequence, size, len(pages)) + marvin32(content)
    return fields + marvin32(fields) + content


def dirty_map(before, after):
    pages = list(changed(before, after, 512))
    size = struct.unpack_from("<I", after, 40)[0]
    bitmap = bytearray(-(-size // 4096))
    for at, _ in pages:
        bitmap[at // 4096] |= 1 << at // 512 % 8
    log = b"DIRT" + bitmap
    return log + bytes(-len(log) % 512) + b"".join(page for _, page in pages)


layout, path, sequence, *names = sys.argv[1:]
sequence = int(sequence)
hives = [open(name, "rb").read() for name in names]
with open(path, "wb") as log:
    if layout == "entries":
        log.write(base_block(hives[-1], 6, sequence))
        for number, (before, after) in enumerate(zip(hives, hives[1:])):
            log.write(entry(before, after, sequence + number))
    else:
        log.write(base_block(hives[-1], 1, sequence))
        log.write(dirty_map(*hives))
