#!/usr/bin/env python3
"""A node of plain Velo in Python: pyzmq, and the frames written out by hand.

`plain_node.py MODE [ENDPOINT]` prints one JSON object a line.

serve                         listens and answers; ends with its standard input
call ENDPOINT                 says _hello and makes every kind of call
harm ENDPOINT                 sends what no node would: cut and malformed frames, other connections' names
halves ENDPOINT COUNT         sends halves of messages by hand, and ends the connections in three ways
thief ENDPOINT WORKER NODE    answers calls of this worker before NODE, an instance id, does
flood ENDPOINT                sends as fast as it can until its standard input has a line
"""

import json
import os
import socket
import struct
import sys
import time
import uuid

import xxhash
import zmq

MESSAGE, RESPONSE, ACK, SHUTTING_DOWN = 0, 1, 2, 4
FIRE, ACK_NACK, UNARY = 0, 1, 2


def say(**what):
    print(json.dumps(what), flush=True)


def request_header(kind, response_id, name, headers=b""):
    raw = name.encode()
    return struct.pack("<BB", 1, kind) + response_id + struct.pack("<H", len(raw)) + raw + struct.pack("<H", len(headers)) + headers


def read_request(header):
    version, kind = header[0], header[1]
    (size,) = struct.unpack_from("<H", header, 18)
    name = header[20 : 20 + size].decode()
    (map_size,) = struct.unpack_from("<H", header, 20 + size)
    assert version == 1 and len(header) == 22 + size + map_size, header
    return kind, header[2:18], name, header[22 + size :]


def response_header(response_id, failed=False, headers=b""):
    return response_id + (b"\x01" if failed else b"\x00") + struct.pack("<H", len(headers)) + headers


def pack_map(entries):
    """A MessagePack map of short texts."""
    out = bytes([0x80 | len(entries)])
    for key, value in entries.items():
        for text in (key.encode(), value.encode()):
            out += (bytes([0xA0 | len(text)]) if len(text) < 32 else bytes([0xD9, len(text)])) + text
    return out


class Node:
    def __init__(self):
        self.context = zmq.Context()
        self.id = uuid.uuid4()
        while self.id.bytes[0] == 0:
            self.id = uuid.uuid4()
        self.worker = xxhash.xxh3_64(self.id.bytes).intdigest()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.router.setsockopt(zmq.LINGER, 0)
        port = self.router.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self.dealers = {}
        self.slot = 0
        self.endpoints = {}  # worker id → endpoint, from _hello
        self.held = []  # endpoint, response id and payload of py.hold's calls

    def peer_info(self):
        endpoint = self.endpoint.encode()
        blob = bytes([0x81, 0xA3]) + b"zmq" + b"\xdc" + struct.pack(">H", len(endpoint)) + endpoint
        return {"instance_id": str(self.id), "worker_address": list(blob)}

    def dealer(self, endpoint):
        if endpoint not in self.dealers:
            dealer = self.context.socket(zmq.DEALER)
            dealer.setsockopt(zmq.ROUTING_ID, self.id.bytes)
            dealer.setsockopt(zmq.IMMEDIATE, 1)
            dealer.setsockopt(zmq.LINGER, 1000)
            dealer.setsockopt(zmq.SNDTIMEO, 5000)
            dealer.connect(endpoint)
            self.dealers[endpoint] = dealer
        return self.dealers[endpoint]

    def next_id(self):
        self.slot += 1
        return struct.pack("<QQ", self.worker, self.slot)

    def send(self, endpoint, kind, header, payload=b""):
        self.dealer(endpoint).send_multipart([bytes([kind]), header, payload])

    def receive(self, timeout_ms=5000):
        if not self.router.poll(timeout_ms):
            raise TimeoutError(f"nothing within {timeout_ms} ms")
        frames = self.router.recv_multipart()
        assert len(frames) == 4 and len(frames[1]) == 1, frames
        return frames[1][0], frames[2], frames[3]

    def ask(self, endpoint, kind, name, payload=b"", headers=b""):
        """Calls and waits for the answer: how it ended, and its bytes."""
        response_id = self.next_id()
        self.send(endpoint, MESSAGE, request_header(kind, response_id, name, headers), payload)
        while True:
            message, header, body = self.receive(20000)
            if message == RESPONSE and header[:16] == response_id:
                return ("error" if header[16] else "ok"), body
            if message == ACK and header[1:17] == response_id:
                return ("nack" if header[0] & 2 else "ack"), body
            self.answer(message, header, body)

    def hello(self, endpoint):
        outcome, body = self.ask(endpoint, UNARY, "_hello", json.dumps({"peer_info": self.peer_info()}).encode())
        assert outcome == "ok", body
        return json.loads(body)["handlers"]

    def answer(self, message, header, payload):
        """What a node does with a request; the name of its handler."""
        if message != MESSAGE:
            return None
        kind, response_id, name, headers = read_request(header)
        if name == "_hello":
            info = json.loads(payload)["peer_info"]
            peer = uuid.UUID(info["instance_id"])
            self.endpoints[xxhash.xxh3_64(peer.bytes).intdigest()] = zmq_endpoint(bytes(info["worker_address"]))
        (worker,) = struct.unpack_from("<Q", response_id)
        to = self.endpoints.get(worker)
        if to is None:
            return name
        if name == "_hello":
            names = ["_hello", "_list_handlers", "py.echo", "py.fail", "py.note", "py.headers", "py.hold"]
            self.send(to, RESPONSE, response_header(response_id), json.dumps({"handlers": names}).encode())
        elif name == "py.echo" and kind == UNARY:
            self.send(to, RESPONSE, response_header(response_id, headers=headers), payload)
        elif name == "py.hold" and kind == UNARY:
            self.held.append((to, response_id, payload))
            say(held=len(self.held))
        elif name == "py.headers" and kind == UNARY:
            self.send(to, RESPONSE, response_header(response_id), headers)
        elif name == "py.fail" and kind == UNARY:
            self.send(to, RESPONSE, response_header(response_id, failed=True), "it broke, naïvely".encode())
        elif name == "py.fail" and kind == ACK_NACK:
            self.send(to, ACK, b"\x02" + response_id, b"no thanks")
        elif name == "py.note" and kind == ACK_NACK:
            self.send(to, ACK, b"\x00" + response_id)
        elif kind != FIRE:
            self.send(to, ACK, b"\x02" + response_id, f"Handler '{name}' not found".encode())
        return name


def zmq_endpoint(blob):
    """The entry "zmq" of a worker address; the bytes of an entry are small numbers, or 0xcc and a byte."""
    at = blob.index(b"\xa3zmq") + 4
    if blob[at] == 0xDC:
        (size,) = struct.unpack_from(">H", blob, at + 1)
        at += 3
    else:
        size, at = blob[at] & 0x0F, at + 1
    out = bytearray()
    while len(out) < size:
        if blob[at] == 0xCC:
            at += 1
        out.append(blob[at])
        at += 1
    return out.decode()


def serve():
    node = Node()
    say(ready=node.endpoint, peerInfo=node.peer_info())
    poller = zmq.Poller()
    poller.register(node.router, zmq.POLLIN)
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    noted = 0
    while True:
        for which, _ in poller.poll():
            if which is not node.router:
                line = sys.stdin.readline()
                if line == "":
                    return
                if line.strip() == "noted":
                    say(noted=noted)
                if line.strip() == "release":
                    for to, response_id, payload in node.held:
                        node.send(to, RESPONSE, response_header(response_id), payload)
                continue
            while node.router.poll(0):
                if node.answer(*node.receive()) == "py.note":
                    noted += 1


def call(endpoint):
    node = Node()
    say(handlers=sorted(node.hello(endpoint)))

    def tell(what, outcome):
        say(what=what, outcome=outcome[0], text=outcome[1].decode(errors="replace")[:4000], size=len(outcome[1]))

    tell("unary", node.ask(endpoint, UNARY, "echo", b"from Python"))
    tell("empty", node.ask(endpoint, UNARY, "echo"))
    large = os.urandom(3_000_000)
    outcome, body = node.ask(endpoint, UNARY, "echo", large)
    say(what="large", outcome=outcome, same=body == large)
    tell("sync", node.ask(endpoint, ACK_NACK, "note", b"{}"))
    tell("refused", node.ask(endpoint, ACK_NACK, "fail"))
    tell("failed", node.ask(endpoint, UNARY, "fail"))
    tell("unknown", node.ask(endpoint, UNARY, "nobody"))
    tell("unknown sync", node.ask(endpoint, ACK_NACK, "nobody"))
    tell("typed", node.ask(endpoint, UNARY, "add", b'{"a": 3, "b": 4}'))
    tell("typed wrong", node.ask(endpoint, UNARY, "add", b'{"a": "x"}'))
    tell("no JSON", node.ask(endpoint, UNARY, "add", b"{"))
    tell("headers", node.ask(endpoint, UNARY, "headers", headers=pack_map({"tenant": "blue", "näme": "wért"})))
    tell("list", node.ask(endpoint, UNARY, "_list_handlers", b"null"))
    for i in range(1000):
        node.send(endpoint, MESSAGE, request_header(FIRE, node.next_id(), "note"), b"{}")
    ids = [node.next_id() for _ in range(2000)]
    for i, response_id in enumerate(ids):
        node.send(endpoint, MESSAGE, request_header(UNARY, response_id, "echo"), str(i).encode())
    answers = {}
    while len(answers) < len(ids):
        message, header, body = node.receive(20000)
        if message == RESPONSE:
            assert header[:16] not in answers, "answered twice"
            answers[header[:16]] = body
    say(what="many", same=all(answers[one] == str(i).encode() for i, one in enumerate(ids)))
    tell("notes", node.ask(endpoint, UNARY, "notes"))


def harm(endpoint):
    node = Node()
    node.hello(endpoint)
    good = request_header(UNARY, node.next_id(), "echo")
    dealer = node.dealer(endpoint)
    for frames in (
        [b"\x00"], [b"", good, b""], [b"\x00\x00", good, b""], [b"\x00", good],
        [b"\x09", good, b""], [b"\x00", b"", b""], [b"\x00", b"\x02" + good[1:], b""], [b"\x01", good[:5], b""],
        [b"\x02", b"\xff" * 17, b""], [b"\x40", b"\x01\xff\xff\xff\xff", b"\x00" * 50], [os.urandom(1), os.urandom(300), os.urandom(300)],
    ):
        dealer.send_multipart(frames)
    # A fourth part costs a connection, so it has one of its own.
    stranger = node.context.socket(zmq.DEALER)
    stranger.connect(endpoint)
    stranger.send_multipart([b"\x00", good, b"", b""])
    for end in range(len(good)):
        dealer.send_multipart([b"\x00", good[:end], b""])
    say(what="still here", outcome=node.ask(endpoint, UNARY, "echo", b"1")[0])

    # Everybody's name is a connection's own: the same one again is another connection.
    twins = [node.context.socket(zmq.DEALER) for _ in range(20)]
    for twin in twins:
        twin.setsockopt(zmq.ROUTING_ID, node.id.bytes)
        twin.connect(endpoint)
        twin.send_multipart([b"\x00", request_header(FIRE, node.next_id(), "note"), b"twin"])
    say(what="after twins", outcome=node.ask(endpoint, UNARY, "echo", b"2")[0])
    for twin in [stranger, *twins]:
        twin.close(linger=0)



GREETING = b"\xff" + b"\x00" * 8 + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\x00") + b"\x00" * 32
COMMAND, LONG, MORE = 4, 2, 1


def frame(flags, body):
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body


def read_exactly(connection, size):
    out = b""
    while len(out) < size:
        part = connection.recv(size - len(out))
        assert part, "the connection ended"
        out += part
    return out


def read_frame(connection):
    flags, size = read_exactly(connection, 2)
    if flags & LONG:
        (size,) = struct.unpack(">Q", bytes([size]) + read_exactly(connection, 7))
    return flags, read_exactly(connection, size)


def half(endpoint, frames):
    """Says what a DEALER does, and these bytes; returns the connection once they were read at the other end."""
    host, port = endpoint[len("tcp://") :].rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    kind = b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    connection.sendall(GREETING + frame(COMMAND, b"\x05READY" + kind))
    read_exactly(connection, 64)
    flags, ready = read_frame(connection)
    assert flags == COMMAND and ready.startswith(b"\x05READY"), ready
    # A frame that is not whole yet lets no PING be read behind it: the answer shows that the parts before it were.
    *whole, rest = frames
    connection.sendall(b"".join(whole) + frame(COMMAND, b"\x04PING\x00\x00half"))
    assert read_frame(connection) == (COMMAND, b"\x04PONGhalf")
    connection.sendall(rest)
    return connection


def halves(endpoint, count):
    header = request_header(FIRE, struct.pack("<QQ", 1, 0xFFFF), "note")
    payload = os.urandom(20_000)
    cuts = (
        [frame(MORE, b"\x00"), b""],
        [frame(MORE, b"\x00"), frame(MORE, header), b""],
        [frame(MORE, b"\x00"), frame(MORE, header), frame(0, payload)[:10_000]],
        [frame(MORE, b"\x00"), frame(MORE, header), frame(MORE, payload), b""],
    )
    open_ones = []
    for i in range(int(count)):
        connection = half(endpoint, cuts[i % len(cuts)])
        # FIN, RST, and those that stay as they are.
        how = i // len(cuts) % 3
        if how == 1:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == 2:
            open_ones.append(connection)
        else:
            connection.close()
    say(what="halves", sent=int(count), open=len(open_ones))
    sys.stdin.readline()
    for connection in open_ones:
        # Nobody has said a word to it, and it was not thrown out either.
        connection.setblocking(False)
        try:
            assert connection.recv(1) != b"", "thrown out"
        except BlockingIOError:
            pass
        connection.close()
    say(what="over")


def thief(endpoint, worker, node):
    """Guesses the ids of calls that wait: of every slot there may be, the first generations."""
    context = zmq.Context()
    names = (uuid.uuid4().bytes, None, uuid.UUID(node).bytes)
    thieves = []
    for name in names:
        dealer = context.socket(zmq.DEALER)
        if name is not None:
            dealer.setsockopt(zmq.ROUTING_ID, name)
        dealer.connect(endpoint)
        thieves.append(dealer)
    sent = 0
    for slot in range(64):
        for generation in range(8):
            response_id = struct.pack("<QQ", int(worker), slot | generation << 16)
            for dealer in thieves:
                dealer.send_multipart([bytes([RESPONSE]), response_header(response_id), b"stolen"])
                dealer.send_multipart([bytes([ACK]), b"\x02" + response_id, b"stolen"])
                dealer.send_multipart([bytes([SHUTTING_DOWN]), request_header(UNARY, response_id, "py.hold"), b""])
            sent += 3
    say(what="guessed", each=sent)
    sys.stdin.readline()


def flood(endpoint):
    header = request_header(FIRE, struct.pack("<QQ", 1, 0xFFFF), "note")
    stranger = zmq.Context().socket(zmq.DEALER)
    stranger.connect(endpoint)
    poller = zmq.Poller()
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    say(what="flooding")
    sent = 0
    while not poller.poll(0):
        for _ in range(100):
            stranger.send_multipart([b"\x00", header, b"x" * 50])
        sent += 100
    say(what="flooded", sent=sent)


if __name__ == "__main__":
    mode, *rest = sys.argv[1:] or ["?"]
    modes = {"serve": serve, "call": call, "harm": harm, "halves": halves, "thief": thief, "flood": flood}
    if mode not in modes:
        sys.exit(__doc__)
    modes[mode](*rest)
    os._exit(0)
