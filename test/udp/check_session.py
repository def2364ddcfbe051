"""Holds the exchange of examples/legacy-instance against a server that behaves badly, without a network.

Prints one line of JSON: what each case came to, by its name.
"""

import hashlib
import hmac
import json
import os
import struct
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "examples", "legacy-instance"))
sys.dont_write_bytecode = True

import lictor_udp as udp  # noqa: E402

SECRET = "correct-horse-battery-staple-0123456789"
STANDING = struct.pack(">IIIIHQ", 10, 25, 0, 0, 15, 1)


class Server:
    """Takes the place of the sockets: what is sent is kept, and answers are made of it."""

    def __init__(self, servers=(("127.0.0.1", 9),)):
        self.events = []
        self.sent = []
        self.session = udp.Session("app-a", SECRET, list(servers), tell=self.events.append)
        udp.Session.socket = self

    def sendto(self, datagram, _address):
        self.sent.append(datagram)

    def recvfrom(self, _size):
        raise BlockingIOError

    @property
    def last(self):
        """Kind and number of the last request."""
        return self.sent[-1][3], struct.unpack(">I", self.sent[-1][12:16])[0]

    def answer(self, kind, body, number=None):
        head = struct.pack(">HBB8sII", udp.MAGIC, udp.VERSION, kind, self.session.life, number or self.last[1], 1)
        said = head + body
        keys = self.session.keys
        self.session._receive(said + hmac.new(keys.server, said, hashlib.sha256).digest())

    def status(self, kind, sequence, number=None):
        body = struct.pack(">IB", sequence, 0 if kind == udp.NAK else 1) + STANDING
        self.answer(kind, body + struct.pack(">II", 3, 0) + b"\0" + struct.pack(">H", 0), number)

    def begin(self):
        self.session.poll()
        self.answer(udp.WELCOME, STANDING + struct.pack(">BI", 1, 60) + b"\0\0\0")
        self.session.poll()
        return self

    @property
    def waits(self):
        return round(self.session.due - time.monotonic())


def resent_full():
    server = Server().begin()
    kinds, waits = [server.last[0]], []
    server.status(udp.RESEND, 1)
    waits.append(server.waits)
    server.session.full = False
    server.session.due = 0
    server.session.poll()
    kinds.append(server.last[0])
    server.status(udp.RESEND, 1)
    waits.append(server.waits)
    server.session.poll()
    kinds.append(server.last[0])
    return {"kinds": kinds, "waits": waits}


def redirects():
    server = Server([("127.0.0.1", 9), ("127.0.0.2", 9)])
    waits = []
    for address in ("127.0.0.2", "127.0.0.1"):
        server.session.due = 0
        server.session.poll()
        server.answer(udp.REDIRECT, udp.text8("X") + udp.text8(address) + struct.pack(">H", 9))
        waits.append(server.waits)
    return {"waits": waits, "index": server.session.index}


def challenges():
    server = Server()
    server.session.poll()
    for each in range(10):
        server.answer(udp.CHALLENGE, bytes([each]) * 16)
    return {"sent": len(server.sent)}


def overtaken():
    server = Server().begin()
    _, first = server.last
    server.session.due = 0
    server.session.poll()
    _, second = server.last
    server.status(udp.ACK, 2, second)
    server.answer(udp.INVALID, udp.text8("key-not-found") + struct.pack(">H", 0), first)
    return {"limit": server.session.table.limit, "events": [event["event"] for event in server.events]}


def illegal_users():
    table = udp.Table()
    table.limit = 10
    return [table.login(user) for user in ("", "x" * 129, "\u20ac" * 100, "x" * 128)]


cases = [resent_full, redirects, challenges, overtaken, illegal_users]
print(json.dumps({case.__name__: case() for case in cases}))
