"""As much of Postgres as reading tables takes: simple queries and COPY … TO STDOUT."""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import urllib.parse

RECEIVE_BYTES = 1 << 20
ANSWER_SECONDS = 120
SSL_REQUEST, PROTOCOL = 80877103, 196608


class PostgresError(Exception):
    """The server cannot be reached, or refuses. Never holds the password."""


class Postgres:
    """A connection."""

    def __init__(self, url, schema):
        parts = urllib.parse.urlsplit(url)
        options = dict(urllib.parse.parse_qsl(parts.query))
        self.user = urllib.parse.unquote(parts.username or os.environ.get("PGUSER", "postgres"))
        self.password = urllib.parse.unquote(parts.password or os.environ.get("PGPASSWORD", ""))
        database = urllib.parse.unquote(parts.path.lstrip("/")) or self.user
        host, port = options.get("host") or parts.hostname or "localhost", parts.port or 5432
        self.where = f"{host}:{port}/{database}"
        self.buffer, self.position = b"", 0
        try:
            if host.startswith("/"):
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(ANSWER_SECONDS)
                self.socket.connect(f"{host}/.s.PGSQL.{port}")
            else:
                self.socket = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
            if options.get("sslmode") in ("require", "verify-ca", "verify-full"):
                self.begin_tls(host, options["sslmode"])
            start = {"user": self.user, "database": database, "client_encoding": "UTF8",
                     "application_name": "checker", "search_path": schema}
            body = b"".join(text.encode() + b"\0" for pair in start.items() for text in pair)
            self.socket.sendall(struct.pack("!II", len(body) + 9, PROTOCOL) + body + b"\0")
            self.authenticate()
        except OSError as error:
            raise PostgresError(f"Postgres at {self.where} cannot be reached: {error}") from error

    def begin_tls(self, host, mode):
        self.socket.sendall(struct.pack("!II", 8, SSL_REQUEST))
        if self.socket.recv(1) != b"S":
            raise PostgresError(f"Postgres at {self.where} has no TLS")
        context = ssl.create_default_context()
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=host)

    def close(self):
        self.socket.close()

    def take(self, length):
        while len(self.buffer) - self.position < length:
            received = self.socket.recv(RECEIVE_BYTES)
            if not received:
                raise PostgresError(f"Postgres at {self.where} closed the connection")
            self.buffer, self.position = self.buffer[self.position:] + received, 0
        data = self.buffer[self.position:self.position + length]
        self.position += length
        return data

    def message(self):
        kind, length = struct.unpack("!cI", self.take(5))
        body = self.take(length - 4)
        if kind == b"E":
            fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
            raise PostgresError(f"Postgres at {self.where}: {fields.get(b'M')}")
        return kind, body

    def send(self, kind, body):
        self.socket.sendall(struct.pack("!cI", kind, len(body) + 4) + body)

    def authenticate(self):
        while True:
            kind, body = self.message()
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            (code,) = struct.unpack("!I", body[:4])
            if code == 3:
                self.send(b"p", self.password.encode() + b"\0")
            elif code == 5:
                self.send(b"p", self.md5(body[4:8]) + b"\0")
            elif code == 10:
                self.scram()
            elif code != 0:
                raise PostgresError(f"Postgres at {self.where} wants an authentication that is not "
                                    f"known here ({code}); use scram-sha-256")

    def md5(self, salt):
        inner = hashlib.md5((self.password + self.user).encode()).hexdigest()
        return b"md5" + hashlib.md5(inner.encode() + salt).hexdigest().encode()

    def scram(self):
        """SCRAM-SHA-256 (RFC 7677), without channel binding."""
        nonce = base64.b64encode(os.urandom(18)).decode()
        first = f"n=,r={nonce}"
        initial = f"n,,{first}".encode()
        self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(initial)) + initial)
        challenge = self.message()[1][4:].decode()
        said = dict(part.split("=", 1) for part in challenge.split(","))
        if not said["r"].startswith(nonce):
            raise PostgresError(f"Postgres at {self.where} answers another question than was asked")
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(),
                                     base64.b64decode(said["s"]), int(said["i"]))
        final = f"c=biws,r={said['r']}"
        signed = f"{first},{challenge},{final}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.send(b"p", f"{final},p={base64.b64encode(proof).decode()}".encode())
        verifier = self.message()[1][4:].decode()
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        if verifier != "v=" + base64.b64encode(server).decode():
            raise PostgresError(f"Postgres at {self.where} does not know the password itself")

    def query(self, text):
        """The rows of a statement, their columns as texts or None."""
        self.send(b"Q", text.encode() + b"\0")
        rows, failed = [], None
        while True:
            try:
                kind, body = self.message()
            except PostgresError as error:
                failed = failed or error
                continue
            if kind == b"D":
                rows.append(columns(body))
            elif kind == b"Z":
                if failed:
                    raise failed
                return rows

    def copy(self, query):
        """The lines of `COPY (query) TO STDOUT` in bytes, without their ends. They are to be read
        to the last before anything else is asked."""
        self.send(b"Q", f"COPY ({query}) TO STDOUT\0".encode())
        while True:
            kind, body = self.message()
            if kind == b"d":
                yield body[:-1]
            elif kind == b"Z":
                return


def columns(body):
    (count,) = struct.unpack("!H", body[:2])
    position, found = 2, []
    for _ in range(count):
        (length,) = struct.unpack("!i", body[position:position + 4])
        position += 4
        if length < 0:
            found.append(None)
        else:
            found.append(body[position:position + length].decode())
            position += length
    return found


ESCAPES = {b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t",
           b"\\v": b"\v", b"\\\\": b"\\"}


def fields(line):
    """The columns of a line of COPY, in bytes; None for NULL."""
    return [None if field == b"\\N" else unescaped(field) for field in line.split(b"\t")]


def unescaped(field):
    if b"\\" not in field:
        return field
    parts, position = [], 0
    while (at := field.find(b"\\", position)) >= 0:
        parts.append(field[position:at])
        parts.append(ESCAPES.get(field[at:at + 2], field[at + 1:at + 2]))
        position = at + 2
    parts.append(field[position:])
    return b"".join(parts)
