#!/usr/bin/env python3
"""Produces the channel lab/temperature: a pipeline of plain data, which programs of this library consume as any other.

usage: producer.py tcp://127.0.0.1:5571 COUNT     where `Broker.start({ plainEndpoint })` listens; needs pyzmq
"""
import os, sys, time
import zmq
from frames import Door, data_frame

channel = "lab/temperature"
push = zmq.Context.instance().socket(zmq.PUSH)
port = push.bind_to_random_port("tcp://127.0.0.1")

door = Door(sys.argv[1])
registered = door.ask(
    "REG_REQ",
    channel_name=channel,
    channel_pattern="Pipeline",
    producer_pid=os.getpid(),
    zmq_data_endpoint=f"tcp://127.0.0.1:{port}",
)
print(registered["status"], registered.get("message"), flush=True)
pause_ms = registered["heartbeat"]["heartbeat_interval_ms"]

sent, heartbeat_at = 0, 0.0
while sent < int(sys.argv[2]):
    if time.monotonic() >= heartbeat_at:
        door.tell("HEARTBEAT_NOTIFY", channel_name=channel)
        heartbeat_at = time.monotonic() + pause_ms / 1_000
    # Without a consumer that has room it waits, but no longer than to the next heartbeat.
    if push.poll(pause_ms, zmq.POLLOUT):
        sent += 1
        push.send(data_frame(bytes(8), sent, {"at": sent, "celsius": 20.5}))
push.close(linger=5_000)  # what was sent still leaves, which the end of the program waits for
door.ask("DEREG_REQ", channel_name=channel)
print("done", flush=True)
