#!/usr/bin/env python3
"""Sockets of pyzmq for the tests of zeromesh/zmq: one process serves many cases.

It reads one JSON object a line from standard input and prints one JSON object a line for each:

{"do": "open", "name": "a", "type": "PUSH", "keys": {...}}   → {"endpoint": "tcp://127.0.0.1:…"} if "bind", else {}
{"do": "send", "name": "a", "parts": ["hex", …]}             → {}
{"do": "receive", "name": "a"}                               → {"parts": ["hex", …]}
{"do": "subscribe", "name": "a", "topic": "hex"}             → {}
{"do": "close", "name": "a"}                                 → {}
"""

import json
import sys

import zmq

TIMEOUT_MS = 10_000
context = zmq.Context()
sockets = {}


def open_socket(name, type, bind=False, connect=None, keys=None, routingId=None):
    socket = context.socket(getattr(zmq, type))
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
    socket.setsockopt(zmq.SNDTIMEO, TIMEOUT_MS)
    if routingId is not None:
        socket.setsockopt(zmq.ROUTING_ID, routingId.encode())
    if type == "SUB":
        socket.setsockopt(zmq.SUBSCRIBE, b"")
    if keys is not None:
        socket.curve_publickey = keys["publicKey"].encode()
        socket.curve_secretkey = keys["secretKey"].encode()
        if "serverKey" in keys:
            socket.curve_serverkey = keys["serverKey"].encode()
        else:
            socket.curve_server = 1
    sockets[name] = socket
    if bind:
        return {"endpoint": f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"}
    socket.connect(connect)
    return {}


def answer(do, name, **rest):
    if do == "open":
        return open_socket(name, **rest)
    socket = sockets[name]
    if do == "send":
        socket.send_multipart([bytes.fromhex(part) for part in rest["parts"]])
    elif do == "receive":
        return {"parts": [part.hex() for part in socket.recv_multipart()]}
    elif do == "close":
        sockets.pop(name).close()
    return {}


for line in sys.stdin:
    try:
        result = answer(**json.loads(line))
    except Exception as error:  # the test tells what happened
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
