#!/usr/bin/env python3
"""Registers a channel at a broker, discovers it, sends heartbeats, and ends when it hears that the channel closes.

usage: register.py tcp://127.0.0.1:5571     where `Broker.start({ plainEndpoint })` listens; needs pyzmq
"""
import itertools, json, os, sys, time
import zmq

dealer = zmq.Context.instance().socket(zmq.DEALER)
dealer.linger = 0
dealer.connect(sys.argv[1])
numbers = itertools.count(1)


def send(kind, **body):
    """Sends a message; nobody answers those whose names end in _NOTIFY."""
    correlation = b"" if kind.endswith("_NOTIFY") else b"%d" % next(numbers)
    dealer.send_multipart([b"C", kind.encode(), correlation, json.dumps(body).encode()])
    return correlation


def ask(kind, **body):
    correlation = send(kind, **body)
    while dealer.poll(5_000):
        _, answer, answered, body = dealer.recv_multipart()
        if answered == correlation:
            print(answer.decode(), body.decode(), flush=True)
            return json.loads(body)
    raise SystemExit("the broker does not answer")


channel = "lab/temperature"
facts = {"producer_pid": os.getpid(), "channel_pattern": "Pipeline", "metadata": {"room": "b12"}}
pause_ms = ask("REG_REQ", channel_name=channel, **facts)["heartbeat"]["heartbeat_interval_ms"]
ask("HEARTBEAT_REQ", channel_name=channel)  # the first one makes the channel ready
ask("DISC_REQ", channel_name=channel)
heard = b""
while heard != b"CHANNEL_CLOSING_NOTIFY":
    send("HEARTBEAT_NOTIFY", channel_name=channel)
    if dealer.poll(pause_ms):
        _, heard, _, body = dealer.recv_multipart()
        print(heard.decode(), body.decode(), flush=True)
