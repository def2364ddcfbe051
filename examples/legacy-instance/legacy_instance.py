#!/usr/bin/env python3
"""A small instance that speaks UDP: reads commands, decides logins by itself, and reports to the licence servers.

    python3 legacy_instance.py --name app-a --secret-file app-a.secret --server 127.0.0.1:4001 --order 100200301

Commands on standard input, one a line:

    login USER [COUNT]      web USER [COUNT]      logout USER [COUNT]      logoutweb USER [COUNT]
    fill PREFIX COUNT       logs in PREFIX-0 to PREFIX-(COUNT - 1)
    show                    the table of this instance
    report                  sends the next update now
    ask WHAT [tcp]          WHAT: server, counts, key, keys, servers
    quit                    shuts down in good order

Each event is a line of JSON on standard output.
"""

import argparse
import hashlib
import json
import os
import select
import socket
import sys
import time

import lictor_udp

TCP_TIMEOUT = 10
STREAM_MAX = 32 * 1024 * 1024
QUERY_PAUSES = (1, 2, 4, 8)
COMMANDS_WITH_USER = ("login", "web", "logout", "logoutweb")


def tell(event):
    sys.stdout.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def server_of(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError("%s is not host:port" % text)
    return host.strip("[]"), int(port)


def canonical_hash(path):
    """The SHA-256 of a key file's canonical text, as docs/keys.md describes it, with the AuthorizationKey."""
    octets = open(path, "rb").read()
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = octets.decode("cp1252")
    lines = ["lictor-key-v1"]
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = line.strip(" \t")
        if line == "" or line.startswith(";"):
            continue
        if line.startswith("["):
            lines.append("[%s]" % line[1:-1].strip(" \t"))
            continue
        keyword, _, value = (part.strip(" \t") for part in line.partition("="))
        if len(value) >= 2 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
            value = value[1:-1].strip(" \t")
        lines.append("%s=%s" % (keyword, value))
    return hashlib.sha256(("\n".join(lines) + "\n").encode("utf-8")).digest()


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="the name of the instance")
    parser.add_argument("--secret-file", required=True, help="the file that holds the secret and nothing else")
    parser.add_argument("--server", action="append", required=True, type=server_of, help="host:port, may be repeated")
    identity = parser.add_mutually_exclusive_group()
    identity.add_argument("--key", help="the ID of the key")
    identity.add_argument("--order", help="its order number")
    identity.add_argument("--key-file", help="the key file")
    parser.add_argument("--product", default="legacy-instance")
    parser.add_argument("--version", default="")
    parser.add_argument("--interval", type=float, help="seconds between updates, instead of what the server says")
    return parser.parse_args()


def identity_of(args):
    if args.key:
        return lictor_udp.KEY_ID, args.key.encode("ascii")
    if args.order:
        return lictor_udp.KEY_ORDER, args.order.encode("ascii")
    if args.key_file:
        return lictor_udp.KEY_HASH, canonical_hash(args.key_file)
    return lictor_udp.KEY_NONE, b""


class Program:
    def __init__(self, args):
        with open(args.secret_file, encoding="ascii") as file:
            secret = file.read().strip()
        self.session = lictor_udp.Session(
            args.name,
            secret,
            args.server,
            key=identity_of(args),
            product=args.product,
            version=args.version,
            interval=args.interval,
            tell=self.hear,
        )
        self.listener = None
        self.asked = None
        self.ended = False
        self.settled = None

    def hear(self, event):
        if event["event"] == "goodbye":
            self.ended = True
        if event["event"] == "report":
            self.asked = None
        tell(event)

    def run(self):
        rest = b""
        while not self.ended:
            ready = self.wait()
            if 0 in ready:
                octets = os.read(0, 65536)
                if octets == b"":
                    self.session.close()
                rest += octets
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    self.obey(line.decode("utf-8", "replace").split())
            if self.listener is not None and self.listener.fileno() in ready:
                self.take_stream()
            self.session.poll()
            self.ask_again()
            if self.session.settled != self.settled:
                self.settled = self.session.settled
                tell({"event": "settled" if self.settled else "changed"})

    def wait(self):
        now = time.monotonic()
        due = self.session.due
        if self.asked is not None:
            due = min(due, self.asked["again"])
        sources = [self.session.socket.fileno()]
        if not self.session.closing:
            sources.append(0)
        if self.listener is not None:
            sources.append(self.listener.fileno())
        return select.select(sources, [], [], max(0, min(due - now, 3600)))[0]

    def obey(self, words):
        if not words:
            return
        command, *rest = words
        table = self.session.table
        count = int(rest[1]) if len(rest) > 1 and rest[1].isdigit() else 1
        if command in COMMANDS_WITH_USER and not rest or command == "fill" and len(rest) < 2:
            tell({"event": "error", "message": "%s of whom? See --help" % command})
        elif command == "ask" and (not rest or rest[0] not in lictor_udp.QUERIES):
            tell({"event": "error", "message": "ask one of " + ", ".join(lictor_udp.QUERIES)})
        elif command in ("login", "web"):
            refused = [reason for reason in (table.login(rest[0], command == "web") for _ in range(count)) if reason]
            tell({"event": command, "user": rest[0], "granted": count - len(refused), "refused": refused[:1]})
        elif command in ("logout", "logoutweb"):
            gone = sum(table.logout(rest[0], command == "logoutweb") for _ in range(count))
            tell({"event": command, "user": rest[0], "gone": gone})
        elif command == "fill":
            granted = sum(table.login("%s-%d" % (rest[0], each)) is None for each in range(count))
            tell({"event": "fill", "granted": granted})
        elif command == "show":
            rows = sorted(table.users.values())
            tell({"event": "show", "units": table.units, "acknowledged": table.acknowledged, "rows": rows})
        elif command == "report":
            self.session.hurry()
        elif command == "ask":
            self.ask(rest[0], len(rest) > 1)
        elif command == "quit":
            self.session.close()
        else:
            tell({"event": "error", "message": "unknown command: %s" % command})

    def ask(self, what, by_tcp):
        port = 0
        if by_tcp and self.listener is None:
            family, address = self.session.servers[self.session.index]
            self.listener = socket.socket(family, socket.SOCK_STREAM)
            # The address from which the server is reached is the one that it sees.
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(address)
                self.listener.bind((probe.getsockname()[0], 0))
            self.listener.listen(1)
        if by_tcp:
            port = self.listener.getsockname()[1]
        self.session.query = None
        self.session.ask(what, port)
        self.asked = {"what": what, "port": port, "attempt": 0, "again": time.monotonic() + QUERY_PAUSES[0]}

    def ask_again(self):
        """A query or its answer may be lost, as everything may."""
        if self.asked is None or time.monotonic() < self.asked["again"]:
            return
        query = self.session.query
        if query is None:
            self.asked = None
            return
        parts = query["parts"]
        if parts:
            missing = next(part for part in range(len(parts) + 1) if part not in parts)
            self.session.send(
                lictor_udp.QUERY, lictor_udp.query_body(query["what"], 0, query["report"], missing)
            )
        else:
            self.session.ask(self.asked["what"], self.asked["port"])
        self.asked["attempt"] = min(self.asked["attempt"] + 1, len(QUERY_PAUSES) - 1)
        self.asked["again"] = time.monotonic() + QUERY_PAUSES[self.asked["attempt"]]

    def take_stream(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(TCP_TIMEOUT)
            octets = bytearray()
            try:
                while len(octets) < STREAM_MAX:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    octets += chunk
            except OSError:
                return
        session = self.session
        if session.query is None:
            return
        text = lictor_udp.read_stream(session.keys, session.life, session.query["numbers"], bytes(octets))
        if text is not None:
            session.query = None
            self.asked = None
            tell({"event": "report", "what": "tcp", "parts": 0, "text": text})


if __name__ == "__main__":
    try:
        Program(options()).run()
    except KeyboardInterrupt:
        pass
