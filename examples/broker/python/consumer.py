#!/usr/bin/env python3
"""Consumes the channel lab/temperature, which its producer has created with `plain: true`, until it closes.

usage: consumer.py tcp://127.0.0.1:5571     where `Broker.start({ plainEndpoint })` listens; needs pyzmq
"""
import os, sys, time
import zmq
from frames import Door, read_frame

channel = "lab/temperature"
door = Door(sys.argv[1])
found = door.ask("CONSUMER_REG_REQ", channel_name=channel, consumer_pid=os.getpid(), data_transport="zmq")
if found["status"] != "success":
    raise SystemExit(found["message"])
pause_ms = found["heartbeat"]["heartbeat_interval_ms"]
pull = zmq.Context.instance().socket(zmq.PULL)
pull.connect(found["zmq_data_endpoint"])

closing, heartbeat_at = False, 0.0
while pull.poll(200 if closing else pause_ms) or not closing:
    while pull.poll(0):
        sequence, message = read_frame(pull.recv())
        print(sequence, message["at"], message["celsius"], flush=True)
    if time.monotonic() >= heartbeat_at:
        door.tell("HEARTBEAT_NOTIFY", channel_name=channel)
        heartbeat_at = time.monotonic() + pause_ms / 1_000
    notice = door.notice(0)
    closing = closing or (notice is not None and notice[0] == "CHANNEL_CLOSING_NOTIFY")
door.ask("CONSUMER_DEREG_REQ", channel_name=channel)
print("closed", flush=True)
