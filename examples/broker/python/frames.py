"""The frames of a broker's plain data and of its door, for programs in Python; no package but pyzmq is needed."""
import hashlib, itertools, json, struct
import zmq

MAGIC = 0x51484C50


def pack(value):
    """MessagePack of None, booleans, numbers, texts, bytes, lists and dicts; the package msgpack does the same."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else (b"\xcf" + struct.pack(">Q", value) if value > 0 else b"\xd3" + struct.pack(">q", value))
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())


def unpack(data, at=0):
    """The value at an offset, and where it ends."""
    kind, at = data[at], at + 1
    if kind < 0x80 or kind >= 0xE0:
        return (kind if kind < 0x80 else kind - 256), at
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], at
    numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    if kind in numbers:
        end = at + struct.calcsize(numbers[kind])
        return struct.unpack(numbers[kind], data[at:end])[0], end
    sizes = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
    if kind in sizes:
        end = at + struct.calcsize(sizes[kind])
        size, at = struct.unpack(sizes[kind], data[at:end])[0], end
    else:
        size = kind & (0x1F if kind >= 0xA0 else 0x0F)
    if 0xC4 <= kind <= 0xC6:
        return data[at:at + size], at + size
    if 0xA0 <= kind <= 0xBF or 0xD9 <= kind <= 0xDB:
        return data[at:at + size].decode(), at + size
    items = []
    for _ in range(size * 2 if kind <= 0x8F or kind >= 0xDE else size):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind <= 0x8F or kind >= 0xDE else items), at


def data_frame(tag, sequence, message):
    """`PLHQ`, the tag of the schema, the number of the message, the message, and BLAKE2b-256 of its bytes."""
    payload = pack(message)
    head = b"\x95\xce" + struct.pack(">I", MAGIC) + b"\xc4\x08" + tag + b"\xcf" + struct.pack(">Q", sequence)
    return head + payload + b"\xc4\x20" + hashlib.blake2b(payload, digest_size=32).digest()


def read_frame(frame):
    """The number of a message, and the message."""
    (magic, _tag, sequence, message, checksum), _ = unpack(frame)
    _, start = unpack(frame, 16)  # the number; behind it is the message
    if magic != MAGIC or hashlib.blake2b(frame[start:-34], digest_size=32).digest() != checksum:
        raise ValueError("no frame of plain data")
    return sequence, message


class Door:
    """A connection to the door of a broker."""

    def __init__(self, endpoint):
        self.dealer = zmq.Context.instance().socket(zmq.DEALER)
        self.dealer.linger = 0
        self.dealer.connect(endpoint)
        self.numbers = itertools.count(1)
        self.notices = []

    def tell(self, kind, **body):
        """Sends a message; nobody answers those whose names end in _NOTIFY."""
        correlation = b"" if kind.endswith("_NOTIFY") else b"%d" % next(self.numbers)
        self.dealer.send_multipart([b"C", kind.encode(), correlation, json.dumps(body).encode()])
        return correlation

    def ask(self, kind, **body):
        """Sends a request, and returns the answer; notices that come before it are kept."""
        correlation = self.tell(kind, **body)
        while self.dealer.poll(5_000):
            _, answer, answered, body = self.dealer.recv_multipart()
            if answered == correlation:
                return json.loads(body)
            self.notices.append((answer.decode(), json.loads(body)))
        raise SystemExit("the broker does not answer")

    def notice(self, timeout_ms):
        """The next notice, or None."""
        if not self.notices and self.dealer.poll(timeout_ms):
            _, kind, _, body = self.dealer.recv_multipart()
            self.notices.append((kind.decode(), json.loads(body)))
        return self.notices.pop(0) if self.notices else None
