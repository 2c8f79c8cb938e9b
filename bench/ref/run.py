#!/usr/bin/env python3
"""Loads a hand-written program (NAME.bpf.o) and attaches it, as bench.py expects of a tracer: says `Attached N probes`, and
on SIGINT prints what its maps hold in the form in which bench.py counts events.

  run.py NAME.bpf.o TARGET

TARGET is the program whose functions the uprobes name. Uses no library: the objects are small and their maps plain."""
import ctypes, mmap, os, re, select, signal, struct, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)
SYS_BPF, SYS_PERF_EVENT_OPEN = 321, 298
MAP_CREATE, MAP_LOOKUP, MAP_NEXT_KEY, PROG_LOAD, LINK_CREATE = 0, 1, 4, 5, 28
HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, RINGBUF = 1, 2, 5, 6, 27
KPROBE, TRACEPOINT = 2, 5
PERF_EVENT, UPROBE_MULTI = 41, 48


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(144, b"\0"), 144)
    return call(SYS_BPF, ctypes.c_long(command), buffer, ctypes.c_long(144))


def address(buffer):
    return ctypes.addressof(buffer)


class Map:
    """A map of the object."""

    def __init__(self, kind, key_size, value_size, entries):
        self.kind, self.key_size, self.entries = kind, key_size, entries
        self.fd = bpf(MAP_CREATE, struct.pack("<5I", kind, key_size, value_size, entries, 0))
        cpus = int(open("/sys/devices/system/cpu/possible").read().strip().split("-")[-1]) + 1
        self.rows = cpus if kind in (PERCPU_HASH, PERCPU_ARRAY) else 1
        self.row = (value_size + 7) // 8 * 8

    def values(self):
        """Keys with the sums of the first words of their rows."""
        key, following = ctypes.create_string_buffer(self.key_size), ctypes.create_string_buffer(self.key_size)
        value, start = ctypes.create_string_buffer(self.row * self.rows), 0
        while True:
            try:
                bpf(MAP_NEXT_KEY, struct.pack("<IIQQQ", self.fd, 0, start, address(following), 0))
            except OSError:
                return
            ctypes.memmove(key, following, self.key_size)
            start = address(key)
            bpf(MAP_LOOKUP, struct.pack("<IIQQQ", self.fd, 0, start, address(value), 0))
            rows = (struct.unpack_from("<Q", value, row * self.row)[0] for row in range(self.rows))
            yield key.raw, sum(rows)


class Object:
    """The ELF object: programs by section, maps by name."""

    def __init__(self, path):
        data = open(path, "rb").read()
        offset, size, count, names = struct.unpack_from("<Q10xHHH", data, 40)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + size * n) for n in range(count)]
        text = lambda table, at: data[sections[table][4] + at:].split(b"\0", 1)[0].decode()
        self.sections = {text(names, section[0]): section for section in sections}
        symbols = self.sections[".symtab"]
        maps = list(self.sections.values()).index(self.sections["maps"]) if "maps" in self.sections else None
        self.maps, at = {}, {}
        table = [struct.unpack_from("<IBBHQQ", data, symbols[4] + 24 * n) for n in range(symbols[5] // 24)]
        for name, info, _, section, value, _ in table:
            if section == maps and info & 15 == 1:
                definition = struct.unpack_from("<4I", data, self.sections["maps"][4] + value)
                at[value] = self.maps[text(symbols[6], name)] = Map(*definition)
        self.programs = {}
        for name, section in self.sections.items():
            if not re.match("uprobe|uretprobe|tracepoint", name):
                continue
            code = bytearray(data[section[4]:section[4] + section[5]])
            relocations = self.sections.get(".rel" + name)
            for n in range(relocations[5] // 16 if relocations else 0):
                place, what = struct.unpack_from("<QQ", data, relocations[4] + 16 * n)
                addend = struct.unpack_from("<i", code, place + 4)[0]
                code[place + 1] = code[place + 1] & 15 | 1 << 4
                struct.pack_into("<i", code, place + 4, at[table[what >> 32][4] + addend].fd)
            self.programs[name] = bytes(code)


def load(section, code):
    kind, attach = (TRACEPOINT, 0) if section.startswith("tracepoint") else (KPROBE, UPROBE_MULTI)
    text, license = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(1 << 20)

    def attributes(level):
        return struct.pack("<IIQQIIQII16sII", kind, len(code) // 8, address(text), address(license), level,
                           len(log) if level else 0, address(log) if level else 0, 0, 0, b"reference", 0, attach)
    try:
        return bpf(PROG_LOAD, attributes(0))
    except OSError:
        try:
            bpf(PROG_LOAD, attributes(1))
        except OSError as error:
            sys.exit("%s: %s\n%s" % (section, error, log.value.decode()[-2000:]))


def function_offset(path, name):
    """Offset in the file of a function."""
    symbols = subprocess.run(["readelf", "-sW", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    start = next(int(line.split()[1], 16) for line in symbols.splitlines() if line.split()[-1:] == [name])
    headers = subprocess.run(["readelf", "-lW", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in headers.splitlines():
        if line.split()[:1] == ["LOAD"]:
            offset, virtual, _, size = [int(word, 16) for word in line.split()[1:5]]
            if virtual <= start < virtual + size:
                return start - virtual + offset
    sys.exit("%s has no function %s" % (path, name))


def attach(section, program, target):
    if section.startswith("tracepoint"):
        number = int(open("/sys/kernel/tracing/events/%s/id" % section.split("/", 1)[1]).read())
        event = ctypes.create_string_buffer(struct.pack("<IIQ", 2, 128, number).ljust(128, b"\0"), 128)
        place = call(SYS_PERF_EVENT_OPEN, event, ctypes.c_long(-1), ctypes.c_long(0), ctypes.c_long(-1), ctypes.c_long(8))
        bpf(LINK_CREATE, struct.pack("<4I", program, place, PERF_EVENT, 0))
        call(16, ctypes.c_long(place), ctypes.c_long(0x2400), ctypes.c_long(0))
        return
    kind, function = section.split("/")
    path = ctypes.create_string_buffer(os.path.realpath(target).encode())
    offsets = ctypes.create_string_buffer(struct.pack("<Q", function_offset(target, function)), 8)
    flags = 1 if kind == "uretprobe" else 0
    bpf(LINK_CREATE, struct.pack("<4IQQQQII", program, 0, UPROBE_MULTI, 0, address(path), address(offsets), 0, 0, 1, flags))


class Ring:
    """The reader of a ring of events: as fast as Python reads it, formatting is left for the end."""

    def __init__(self, fd, size):
        self.size, self.fd, self.lines = size, fd, []
        self.consumer = mmap.mmap(fd, 4096)
        self.producer = mmap.mmap(fd, 4096 + 2 * size, prot=mmap.PROT_READ, offset=4096)
        self.position = 0

    def drain(self):
        end = struct.unpack_from("<Q", self.producer, 0)[0]
        while self.position < end:
            at = 4096 + (self.position & self.size - 1)
            length = struct.unpack_from("<I", self.producer, at)[0]
            if length >> 31:
                break
            length &= (1 << 30) - 1
            self.lines.append(self.producer[at + 8:at + 8 + min(length, 80)])
            self.position += (length + 15) // 8 * 8
            struct.pack_into("<Q", self.consumer, 0, self.position)

    def show(self):
        text = lambda data: data.split(b"\0", 1)[0].decode()
        for record in self.lines:
            arg0, pid = struct.unpack_from("<QI", record, 8)
            print("%d %d %s %s" % (pid, arg0, text(record[20:36]), text(record[36:])))


def main():
    path, target = sys.argv[1:]
    loaded = Object(path)
    for section, code in loaded.programs.items():
        attach(section, load(section, code), target)
    ring = next((Ring(found.fd, found.entries) for found in loaded.maps.values() if found.kind == RINGBUF), None)
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(1))
    print("Attached %d probes" % len(loaded.programs), flush=True)
    while not stop:
        if ring:
            select.select([], [], [], 0.001)
            ring.drain()
        else:
            select.select([], [], [], 0.05)
    if ring:
        ring.drain()
        ring.show()
    lost = sum(count for _, count in loaded.maps["lost"].values())
    if lost:
        print("Lost %d events" % lost)
    histogram = any(name in path for name in ("hist", "latency"))
    for name, found in loaded.maps.items():
        if name in ("counts", "long_counts"):
            for key, count in found.values():
                if count:
                    print("[%s] %d |" % (key.hex(), count) if histogram else "@[%s]: %d" % (key.hex(), count))


main()
