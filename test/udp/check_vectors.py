"""Holds the client of examples/legacy-instance against the vectors in docs/udp-protocol.md.

Prints one line of JSON: what each vector came to, by its name.
"""

import json
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "examples", "legacy-instance"))
sys.dont_write_bytecode = True

import lictor_udp as udp  # noqa: E402

page = open(os.path.join(ROOT, "docs", "udp-protocol.md"), encoding="utf-8").read()
vectors = {
    name: bytes.fromhex(re.sub(r"\s", "", octets))
    for name, octets in re.findall(r"^\*\*([A-Z]+)\*\*[^\n]*\n+```\n([0-9a-f\s]+)```", page, re.M)
}
keys = udp.Keys("correct-horse-battery-staple-0123456789", "app-a")
life = bytes.fromhex("0001020304050607")
proof = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
alice = udp.Row("alice", 2, 1, False)
zoe = udp.Row("zoë", 26, 0, True)
gone = udp.Row("alice", 0, 0, False)


def request(kind, number, body):
    first = number == 1
    return udp.pack_request(
        keys, kind, life, number, 0 if first else 3, udp.NO_PROOF if first else proof, "app-a", body
    )


def part_of(bodies, part, parts):
    """A body of an update in one part, as if it were one of several."""
    head = bytearray(bodies[0])
    head[8:12] = parts.to_bytes(2, "big") + part.to_bytes(2, "big")
    return bytes(head)


whole = udp.digest_of([alice, zoe])
made = {
    "START": request(
        udp.START, 1, udp.start_body(udp.KEY_ORDER, b"100200301", "demo", "1.0", ["127.0.0.1:4001"])
    ),
    "FULL": request(udp.FULL, 3, udp.update_bodies("app-a", 1, 0, whole, [alice, zoe])[0]),
    "CHANGE": request(
        udp.CHANGE, 4, part_of(udp.update_bodies("app-a", 2, 1, udp.digest_of([zoe]), [gone]), 1, 2)
    ),
    "HEARTBEAT": request(udp.HEARTBEAT, 5, udp.heartbeat_body(1, whole)),
    "QUERY": request(udp.QUERY, 6, udp.query_body("server")),
    "SHUTDOWN": request(udp.SHUTDOWN, 7, b""),
}
read = {
    "CHALLENGE": lambda body: body.hex(),
    "WELCOME": udp.read_welcome,
    "INVALID": udp.read_fault,
    "NAK": udp.read_status,
    "PROGRESS": udp.read_progress,
    "REDIRECT": udp.read_redirect,
    "REPORT": lambda body: {**udp.read_report(body), "octets": udp.read_report(body)["octets"].decode("utf-8")},
    "GOODBYE": lambda body: body.hex(),
}
result = {}
for name, octets in vectors.items():
    if name in made:
        result[name] = made[name].hex()
        continue
    answer = udp.unpack_answer(keys, octets)
    forged = udp.unpack_answer(keys, octets[:-1] + bytes([octets[-1] ^ 1]))
    result[name] = {
        "kind": answer.kind,
        "life": answer.life.hex(),
        "number": answer.number,
        "incarnation": answer.incarnation,
        "body": read[name](answer.body),
        "forged": forged,
    }
print(json.dumps(result))
