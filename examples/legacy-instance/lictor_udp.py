"""A client of Lictor's UDP protocol, written from docs/udp-protocol.md with nothing but the standard library.

It has three layers that can be used apart: the datagrams (``Keys``, ``pack_request``, ``unpack_answer`` and the bodies),
the table of an instance that decides for itself (``Table``), and the exchange with the licence servers (``Session``).
"""

import collections
import hashlib
import hmac
import os
import socket
import struct
import time
import zlib

MAGIC = 0x4C69
VERSION = 1
DATAGRAM_MAX = 1200
MAC_LENGTH = 32
NO_PROOF = bytes(16)

START, CHANGE, FULL, HEARTBEAT, SHUTDOWN, QUERY = 1, 2, 3, 4, 5, 6
CHALLENGE, WELCOME, INVALID, ACK, NAK, RESEND = 0x81, 0x82, 0x83, 0x84, 0x85, 0x86
REDIRECT, PROGRESS, GOODBYE, STALE, REFUSED, REPORT = 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C

KEY_NONE, KEY_ID, KEY_ORDER, KEY_HASH = 0, 1, 2, 3
SERVERS_MAX = 8
USER_ID_LENGTH_MAX = 128
USER_ID_OCTETS_MAX = 256

QUERIES = {"server": 1, "counts": 2, "key": 3, "keys": 4, "servers": 5}


class Malformed(Exception):
    """A body that does not have the fields of its type."""


# ---------------------------------------------------------------------------------------------- datagrams


class Keys:
    """The two keys of an instance, derived from its secret."""

    def __init__(self, secret, name):
        self.instance = self._derive(secret, "instance", name)
        self.server = self._derive(secret, "server", name)

    @staticmethod
    def _derive(secret, side, name):
        text = "lictor-udp/1 %s %s" % (side, name)
        return hmac.new(secret.encode("ascii"), text.encode("ascii"), hashlib.sha256).digest()


def pack_request(keys, kind, life, number, incarnation, proof, name, body):
    """Makes a request's datagram."""
    octets = name.encode("ascii")
    head = struct.pack(">HBB8sII16sB", MAGIC, VERSION, kind, life, number, incarnation, proof, len(octets))
    datagram = head + octets + body
    datagram += hmac.new(keys.instance, datagram, hashlib.sha256).digest()
    if len(datagram) > DATAGRAM_MAX:
        raise ValueError("a datagram of %d octets is too long" % len(datagram))
    return datagram


Answer = collections.namedtuple("Answer", "kind life number incarnation body")


def unpack_answer(keys, datagram):
    """Reads an answer; None when it is none, or not made with the server's key."""
    if len(datagram) < 20 + MAC_LENGTH or len(datagram) > DATAGRAM_MAX:
        return None
    said, code = datagram[:-MAC_LENGTH], datagram[-MAC_LENGTH:]
    if not hmac.compare_digest(hmac.new(keys.server, said, hashlib.sha256).digest(), code):
        return None
    magic, version, kind, life, number, incarnation = struct.unpack(">HBB8sII", said[:20])
    if magic != MAGIC or version != VERSION or not CHALLENGE <= kind <= REPORT:
        return None
    return Answer(kind, life, number, incarnation, said[20:])


class Reader:
    """Reads the fields of a body."""

    def __init__(self, octets):
        self.octets = octets
        self.at = 0

    def take(self, form):
        size = struct.calcsize(form)
        if self.at + size > len(self.octets):
            raise Malformed("it is too short")
        values = struct.unpack_from(form, self.octets, self.at)
        self.at += size
        return values

    def raw(self, length):
        return self.take(">%ds" % length)[0]

    def text(self, form):
        return self.raw(self.take(form)[0]).decode("utf-8")

    def done(self):
        if self.at != len(self.octets):
            raise Malformed("it is too long")


def text8(text):
    octets = text.encode("utf-8")
    return bytes([len(octets)]) + octets


def start_body(key_kind, key, product, version, servers):
    body = bytes([key_kind, len(key)]) + key + text8(product) + text8(version) + bytes([len(servers)])
    return body + b"".join(text8(server) for server in servers)


Row = collections.namedtuple("Row", "id connections web transitioned")
Digest = collections.namedtuple("Digest", "rows connections checksum")


def row_octets(row):
    octets = row.id.encode("utf-8")
    return struct.pack(">HII", len(octets) | (0x8000 if row.transitioned else 0), row.connections, row.web) + octets


def row_checksum(row):
    text = "%s\n%d\n%d\n%d" % (row.id, row.connections, row.web, 1 if row.transitioned else 0)
    return zlib.crc32(text.encode("utf-8"))


def digest_of(rows):
    rows = [row for row in rows if row.connections > 0]
    checksum = sum(row_checksum(row) for row in rows) % 2**32
    return Digest(len(rows), sum(row.connections for row in rows), checksum)


UPDATE_HEAD = ">IIHHIIIH"


def update_bodies(name, sequence, since, digest, rows):
    """Divides an update into as few parts as hold its rows."""
    space = DATAGRAM_MAX - MAC_LENGTH - 37 - len(name) - struct.calcsize(UPDATE_HEAD)
    parts, left = [[]], space
    for octets in map(row_octets, rows):
        if len(octets) > left:
            parts.append([])
            left = space
        parts[-1].append(octets)
        left -= len(octets)
    return [
        struct.pack(UPDATE_HEAD, sequence, since, len(parts), index, *digest, len(part)) + b"".join(part)
        for index, part in enumerate(parts)
    ]


def heartbeat_body(sequence, digest):
    return struct.pack(">IIII", sequence, *digest)


def query_body(what, port=0, report=0, part=0):
    return struct.pack(">BHIH", QUERIES[what], port, report, part)


STANDING = ("limit", "per_unit", "unit_limit", "connection_limit", "interval", "time")


def read_standing(reader):
    return dict(zip(STANDING, reader.take(">IIIIHQ")))


def read_welcome(body):
    reader = Reader(body)
    said = read_standing(reader)
    said["enforcement"], said["grace"] = reader.take(">BI")
    said["key"], said["fault"] = reader.text(">B"), reader.text(">B")
    said["notices"] = [reader.text(">H") for _ in range(reader.take(">B")[0])]
    reader.done()
    return said


def read_status(body):
    reader = Reader(body)
    sequence, acknowledged = reader.take(">IB")
    said = {"sequence": sequence, "acknowledged": acknowledged == 1}
    said.update(read_standing(reader))
    said["in_use"], said["over_limit"] = reader.take(">II")
    said["reason"] = reader.text(">B")
    said["transitioned"] = [reader.text(">H") for _ in range(reader.take(">H")[0])]
    reader.done()
    return said


def read_fault(body):
    reader = Reader(body)
    said = {"code": reader.text(">B"), "reason": reader.text(">H")}
    reader.done()
    return said


def read_redirect(body):
    reader = Reader(body)
    said = {"name": reader.text(">B"), "address": reader.text(">B"), "port": reader.take(">H")[0]}
    reader.done()
    return said


def read_progress(body):
    reader = Reader(body)
    sequence, parts = reader.take(">IH")
    bits = reader.raw((parts + 7) // 8)
    reader.done()
    return sequence, [bool(bits[part // 8] & (0x80 >> part % 8)) for part in range(parts)]


def read_report(body):
    reader = Reader(body)
    what, report, part, parts = reader.take(">BIHH")
    said = {"what": what, "report": report, "part": part, "parts": parts, "octets": reader.raw(reader.take(">H")[0])}
    reader.done()
    return said


def read_stream(keys, life, numbers, octets):
    """Reads a report that came over TCP; None when it is not whole, not made with the server's key, or not asked for."""
    said, code = octets[:-MAC_LENGTH], octets[-MAC_LENGTH:]
    if len(said) < 21 or not hmac.compare_digest(hmac.new(keys.server, said, hashlib.sha256).digest(), code):
        return None
    reader = Reader(said)
    magic, its_life, its_number, _what, records = reader.take(">4s8sIBI")
    if magic != b"LiR\x01" or its_life != life or its_number not in numbers:
        return None
    lines = [reader.text(">H") for _ in range(records)]
    reader.done()
    return "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------- table


class Table:
    """Who is in on this instance, and whether one more may come in, by this table alone."""

    def __init__(self):
        self.users = {}
        self.units = 0
        self.limit = 1
        self.per_unit = 25
        self.unit_limit = 0
        self.connection_limit = 0
        self.acknowledged = True
        # For the updates: the number of the update that tells a change first, by user ID.
        self.next_sequence = 1
        self.told = 0
        self.changes = {}

    def login(self, user, web=False):
        """Returns why the login is refused; None when it is granted."""
        if not 0 < len(user) <= USER_ID_LENGTH_MAX or len(user.encode("utf-8", "replace")) > USER_ID_OCTETS_MAX:
            # The server would refuse every update that has him.
            return "illegal-user"
        row = self.users.get(user)
        if row is None and not self.acknowledged:
            return "over-limit"
        if row is not None and 0 < self.connection_limit <= row.connections:
            return "connection-limit"
        before = Row(user, 0, 0, False) if row is None else row
        connections = before.connections + 1
        after = Row(user, connections, before.web + (1 if web else 0), before.transitioned or connections > self.per_unit)
        added = self._cost(after) - self._cost(before)
        limit = min(self.limit, self.unit_limit) if self.unit_limit else self.limit
        if added > 0 and self.units + added > limit:
            return "units-exhausted"
        self._put(after)
        return None

    def logout(self, user, web=False):
        """Returns whether he was in."""
        row = self.users.get(user)
        if row is None:
            return False
        left = row.connections - 1
        self._put(Row(user, left, min(left, max(0, row.web - (1 if web else 0))), row.transitioned and left > 0))
        return True

    def transition(self, user):
        """Marks a user that has transitioned over all instances."""
        row = self.users.get(user)
        # Who went and came again since the server saw him begins anew.
        if row is not None and not row.transitioned and self.changes.get(user, 0) <= self.told:
            self._put(row._replace(transitioned=True))

    @staticmethod
    def _cost(row):
        return row.connections if row.transitioned else min(1, row.connections)

    def _put(self, row):
        before = self.users.get(row.id)
        self.units += self._cost(row) - (self._cost(before) if before else 0)
        if row.connections > 0:
            self.users[row.id] = row
        else:
            del self.users[row.id]
        self.changes[row.id] = self.next_sequence

    def digest(self):
        return digest_of(self.users.values())

    def changed(self):
        """All rows that changed since the last sequence that was told."""
        return [self.users.get(user) or Row(user, 0, 0, False) for user in self.changes]

    def tell(self, sequence):
        """The server holds everything up to this sequence."""
        self.told = sequence
        self.next_sequence = max(self.next_sequence, sequence + 1)
        self.changes = {user: mark for user, mark in self.changes.items() if mark > sequence}

    def restart(self):
        """A new life: nothing was told yet."""
        self.next_sequence, self.told = 1, 0
        self.changes = {user: 1 for user in self.users}


# ------------------------------------------------------------------------------------------------ session

PAUSES = (1, 2, 4, 8)
PARTS_AT_ONCE = 32
PARTS_PAUSE = 0.5
INVALID_PAUSE = 60
# A request that was challenged so often in a row is left to the next attempt.
CHALLENGES_IN_A_ROW = 3
# Two servers that stand by may name each other for a moment.
REDIRECT_PAUSE = 1
DATAGRAMS_AT_ONCE = 1000


class Transfer:
    """An update that is being sent: its parts, and which of them are still missing."""

    def __init__(self, kind, bodies):
        self.kind = kind
        self.bodies = bodies
        self.missing = list(range(len(bodies)))
        # The parts that are on their way, by the number they were sent under.
        self.waiting = {}
        self.newest = 0


class Session:
    """One instance: its table, its life, and what it has to say to the licence servers.

    ``servers`` are (host, port) pairs. Call ``poll`` whenever ``socket`` can be read or ``due`` is over; ``tell`` is
    called with each event, a dictionary.
    """

    def __init__(self, name, secret, servers, key=(KEY_NONE, b""), product="", version="", interval=None, tell=print):
        if len(servers) > SERVERS_MAX:
            raise ValueError("at most %d licence servers" % SERVERS_MAX)
        self.name = name
        self.keys = Keys(secret, name)
        self.servers = [self._resolve(host, port) for host, port in servers]
        self.server_names = ["[%s]:%d" % each if ":" in each[0] else "%s:%d" % each for each in servers]
        self.key, self.product, self.version = key, product, version
        self.fixed_interval = interval
        self.interval = interval or 15
        self.tell = tell
        self.table = Table()
        self.index = 0
        self.sockets = {}
        self.proofs = {}
        self.challenges = 0
        self.redirected = float("-inf")
        self.begin()
        self.heard = time.monotonic()
        self.online = False

    @staticmethod
    def _resolve(host, port):
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        return family, address

    @property
    def socket(self):
        family, _ = self.servers[self.index]
        if family not in self.sockets:
            self.sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            self.sockets[family].setblocking(False)
        return self.sockets[family]

    def begin(self, after=0):
        """Begins a life."""
        self.life = os.urandom(8)
        self.number = 0
        self.incarnation = 0
        self.expected = {}
        self.transfer = None
        self.full = True
        self.closing = False
        self.newest = 0
        self.attempt = 0
        self.query = None
        self.due = time.monotonic() + after
        self.table.restart()

    # -- sending

    def send(self, kind, body, context=None):
        """Sends a request under a new number and remembers what its answer is for."""
        self.number += 1
        proof = self.proofs.get(self.index, NO_PROOF)
        datagram = pack_request(self.keys, kind, self.life, self.number, self.incarnation, proof, self.name, body)
        self.expected[self.number] = (kind, body, context)
        while len(self.expected) > 4096:
            del self.expected[next(iter(self.expected))]
        try:
            self.socket.sendto(datagram, self.servers[self.index][1])
        except OSError:
            pass  # As good as lost on the way.
        return self.number

    def poll(self):
        """Reads what has come and does what is due."""
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                datagram, _ = self.socket.recvfrom(2048)
            except BlockingIOError:
                break
            except OSError:
                continue
            self._receive(datagram)
        if time.monotonic() >= self.due:
            self._act()

    def _act(self):
        if self.online and time.monotonic() - self.heard > 3 * max(1, self.interval):
            # What was acknowledged last does not hold for ever: the table alone decides.
            self.online = False
            self.table.acknowledged = True
            self.tell({"event": "offline"})
        if self.attempt >= len(PAUSES):
            if self.closing:
                # Nobody hears it; the server takes back what was held when the grace is over.
                self.tell({"event": "goodbye"})
                self.due = float("inf")
            else:
                self._next_server()
            return
        self.challenges = 0
        pause = PAUSES[self.attempt]
        if self.fixed_interval:
            pause = min(pause, max(self.fixed_interval, 0.2) * (self.attempt + 1))
        self.attempt += 1
        if self.closing:
            self.send(SHUTDOWN, b"")
        elif self.incarnation == 0:
            kind, key = self.key
            self.send(START, start_body(kind, key, self.product, self.version, self.server_names))
        elif self.transfer is not None and len(self.transfer.bodies) > 1 and self.attempt > 1:
            self.transfer.waiting.clear()
            self._send_parts()
            pause = max(PARTS_PAUSE, pause)
        else:
            self._update()
        self.due = time.monotonic() + pause

    def _next_server(self):
        self.attempt = 0
        self.index = (self.index + 1) % len(self.servers)
        self.transfer = None
        if self.index == 0:
            self.due = time.monotonic() + self.interval

    def _update(self):
        """Tells the newest state: everything, what changed, or that nothing did."""
        table = self.table
        changed = table.changed()
        if self.full or len(changed) > 4000:
            rows, since, kind = list(table.users.values()), 0, FULL
        elif changed:
            rows, since, kind = changed, table.told, CHANGE
        else:
            self.transfer = None
            self.send(HEARTBEAT, heartbeat_body(table.told, table.digest()), "heartbeat")
            return
        bodies = update_bodies(self.name, table.next_sequence, since, table.digest(), rows)
        table.next_sequence += len(bodies)
        self.transfer = Transfer(kind, bodies)
        self._send_parts()

    def _send_parts(self):
        transfer = self.transfer
        under_way = set(transfer.waiting.values())
        for part in transfer.missing:
            if len(transfer.waiting) >= PARTS_AT_ONCE:
                break
            if part not in under_way:
                number = self.send(transfer.kind, transfer.bodies[part], transfer)
                transfer.waiting[number] = part

    # -- receiving

    def _receive(self, datagram):
        answer = unpack_answer(self.keys, datagram)
        if answer is None or answer.life != self.life or answer.number not in self.expected:
            return
        kind, body, context = self.expected[answer.number]
        if answer.kind == CHALLENGE:
            self.challenges += 1
            if len(answer.body) == 16 and self.challenges <= CHALLENGES_IN_A_ROW:
                del self.expected[answer.number]
                self.proofs[self.index] = answer.body
                number = self.send(kind, body, context)
                if isinstance(context, Transfer) and answer.number in context.waiting:
                    context.waiting[number] = context.waiting.pop(answer.number)
                if self.query is not None and answer.number in self.query["numbers"]:
                    self.query["numbers"].append(number)
            return
        try:
            self._hear(answer, kind, context)
        except (Malformed, UnicodeDecodeError):
            pass

    def _hear(self, answer, kind, context):
        self.expected.pop(answer.number, None)
        self.challenges = 0
        if answer.kind == PROGRESS and isinstance(context, Transfer):
            self._progress(answer, context)
            return
        if answer.kind == REPORT:
            self._report(read_report(answer.body))
            return
        if kind == QUERY and answer.kind in (REFUSED, STALE):
            self.query = None
            self.tell({"event": "refused-by-server", **read_fault(answer.body)})
            return
        # Of the others the one to the highest number is the present state.
        if answer.number < self.newest:
            return
        self.newest = answer.number
        if answer.kind in (ACK, NAK, RESEND):
            self._status(answer, kind, read_status(answer.body))
        elif answer.kind == WELCOME and kind == START and self.incarnation == 0:
            self._welcome(answer, read_welcome(answer.body))
        elif answer.kind == GOODBYE:
            self.tell({"event": "goodbye"})
            self.due = float("inf")
        elif answer.kind == REDIRECT:
            self._redirect(read_redirect(answer.body))
        elif answer.kind == INVALID:
            self.tell({"event": "invalid", **read_fault(answer.body)})
            self.table.limit = 1
            self.transfer = None
            self.attempt = 0
            self.due = time.monotonic() + INVALID_PAUSE
        elif answer.kind == STALE:
            self._stale(read_fault(answer.body))
        elif answer.kind == REFUSED:
            self.tell({"event": "refused-by-server", **read_fault(answer.body)})
            self.transfer = None
            self.attempt = 0
            self.due = time.monotonic() + self.interval

    def _standing(self, said):
        table = self.table
        table.limit, table.per_unit = said["limit"], said["per_unit"]
        table.unit_limit, table.connection_limit = said["unit_limit"], said["connection_limit"]
        self.interval = self.fixed_interval or said["interval"]
        self.heard = time.monotonic()
        self.attempt = 0
        if not self.online:
            self.online = True
            self.tell({"event": "online", "server": self.server_names[self.index]})

    def _welcome(self, answer, said):
        self.incarnation = answer.incarnation
        self._standing(said)
        self.tell({"event": "welcome", "incarnation": answer.incarnation, **said})
        self.due = time.monotonic()

    def _status(self, answer, kind, said):
        self.transfer = None
        self._standing(said)
        self.table.tell(said["sequence"])
        for user in said["transitioned"]:
            self.table.transition(user)
        if said["acknowledged"] != self.table.acknowledged:
            self.table.acknowledged = said["acknowledged"]
            word = "ack" if said["acknowledged"] else "nak"
            self.tell({"event": word, **{name: said[name] for name in ("reason", "in_use", "limit", "over_limit")}})
        self.full = answer.kind == RESEND
        # A full report that is not good enough either would not be better a moment later.
        at_once = self.full and kind != FULL
        self.due = time.monotonic() + (0 if at_once else self.interval)

    def _progress(self, answer, transfer):
        if transfer is not self.transfer:
            return
        transfer.waiting.pop(answer.number, None)
        _, there = read_progress(answer.body)
        if answer.number > transfer.newest and len(there) == len(transfer.bodies):
            transfer.newest = answer.number
            transfer.missing = [part for part, is_there in enumerate(there) if not is_there]
        self.attempt = 1
        self._send_parts()
        self.due = time.monotonic() + PARTS_PAUSE

    def _redirect(self, said):
        named = "[%s]:%d" if ":" in said["address"] else "%s:%d"
        named %= (said["address"], said["port"])
        self.tell({"event": "redirect", **said})
        if named in self.server_names and self.server_names.index(named) != self.index:
            now = time.monotonic()
            self.index = self.server_names.index(named)
            self.transfer = None
            self.attempt = 0
            self.due = max(now, self.redirected + REDIRECT_PAUSE)
            self.redirected = self.due
        else:
            self._next_server()

    def _stale(self, said):
        self.tell({"event": "stale", **said})
        if self.closing:
            self.tell({"event": "goodbye"})
            self.due = float("inf")
            return
        self.begin(after=self.interval if said["code"] == "incarnation-old" else 0)

    # -- what the instance wants

    @property
    def settled(self):
        """Whether the server holds the table as it is, and no update is under way."""
        return self.incarnation > 0 and not self.table.changes and not self.full and self.transfer is None

    def hurry(self):
        """Sends the next update now."""
        if self.incarnation > 0 and self.transfer is None and self.attempt == 0:
            self.due = time.monotonic()

    def close(self):
        """Begins the end of this life; it is over with the event ``goodbye``."""
        if self.incarnation == 0:
            self.tell({"event": "goodbye"})
            return
        self.closing = True
        self.transfer = None
        self.attempt = 0
        self.due = time.monotonic()

    def ask(self, what, port=0):
        """Asks for a report, also again for the one that did not come; it comes as the event ``report``."""
        number = self.send(QUERY, query_body(what, port))
        if self.query is None or self.query["what"] != what:
            self.query = {"what": what, "parts": {}, "numbers": []}
        self.query["numbers"].append(number)
        return number

    def _report(self, said):
        query = self.query
        if query is None or QUERIES[query["what"]] != said["what"]:
            return
        if query.get("report") != said["report"]:
            query.update(report=said["report"], parts={})
        query["parts"][said["part"]] = said["octets"]
        missing = [part for part in range(said["parts"]) if part not in query["parts"]]
        if missing:
            self.send(QUERY, query_body(query["what"], 0, said["report"], missing[0]))
            return
        text = b"".join(query["parts"][part] for part in range(said["parts"])).decode("utf-8")
        self.query = None
        self.tell({"event": "report", "what": query["what"], "parts": said["parts"], "text": text})
