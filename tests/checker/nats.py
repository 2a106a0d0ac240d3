"""As much of NATS as reading a stream takes: requests, and direct gets in large batches.

The client libraries handle some ten thousand messages a second; a run leaves half a million.
"""

import json
import os
import socket
import ssl
import time
import urllib.parse

BATCH = 10_000
BATCH_BYTES_MAX = 32 * 1024 * 1024
RECEIVE_BYTES = 1 << 20
ANSWER_SECONDS = 30
# How long a server may lag behind the one that told the last position.
LAG_SECONDS = 20


class NatsError(Exception):
    """The server cannot be reached, or refuses."""


class Nats:
    """A connection to the first server that answers, of `urls` with commas between them."""

    def __init__(self, urls):
        self.asked, self.inbox = 0, "_INBOX." + os.urandom(11).hex()
        failures = []
        for url in urls.split(","):
            try:
                self.connect(urllib.parse.urlsplit(url if "://" in url else "nats://" + url))
                return
            except (OSError, ValueError, IndexError, NatsError) as error:
                failures.append(f"NATS at {self.where} cannot be reached: {error}")
        raise NatsError("; ".join(failures))

    def connect(self, url):
        address = (url.hostname, url.port or 4222)
        self.where, self.buffer, self.position = f"{address[0]}:{address[1]}", b"", 0
        self.socket = socket.create_connection(address, timeout=ANSWER_SECONDS)
        info = json.loads(self.line().split(b" ", 1)[1])
        if url.scheme == "tls" or info.get("tls_required"):
            context = ssl.create_default_context()
            self.socket = context.wrap_socket(self.socket, server_hostname=url.hostname)
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True,
                   "lang": "python", "version": "0", "name": "checker", "protocol": 1}
        if url.username and url.password is None:
            options["auth_token"] = urllib.parse.unquote(url.username)
        elif url.username:
            options["user"] = urllib.parse.unquote(url.username)
            options["pass"] = urllib.parse.unquote(url.password)
        self.send(b"CONNECT %s\r\nSUB %s.* 1\r\nPING\r\n"
                  % (json.dumps(options).encode(), self.inbox.encode()))
        while (line := self.line()) != b"PONG":
            if line.startswith(b"-ERR"):
                raise NatsError(line.decode())

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def fill(self):
        received = self.socket.recv(RECEIVE_BYTES)
        if not received:
            raise NatsError(f"NATS at {self.where} closed the connection")
        self.buffer, self.position = self.buffer[self.position:] + received, 0

    def line(self):
        while (end := self.buffer.find(b"\r\n", self.position)) < 0:
            self.fill()
        line, self.position = self.buffer[self.position:end], end + 2
        return line

    def take(self, length):
        while len(self.buffer) - self.position < length + 2:
            self.fill()
        data = self.buffer[self.position:self.position + length]
        self.position += length + 2
        return data

    def messages(self, inbox):
        """What arrives at `inbox`, as (headers, payload) in bytes."""
        inbox = inbox.encode()
        while True:
            line = self.line()
            if line.startswith((b"HMSG ", b"MSG ")):
                words = line.split(b" ")
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                data = self.take(int(words[-1]))
                if words[1] == inbox:
                    yield data[:head], data[head:]
            elif line == b"PING":
                self.send(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise NatsError(f"NATS at {self.where} refuses: {line.decode()}")

    def publish(self, subject, payload, reply="", headers=None):
        if headers is None:
            self.send(b"PUB %s %s %d\r\n%s\r\n"
                      % (subject.encode(), reply.encode(), len(payload), payload))
            return
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        self.send(b"HPUB %s %s %d %d\r\n%s%s\r\n"
                  % (subject.encode(), reply.encode(), len(head), len(head) + len(payload),
                     head, payload))

    def ask(self, subject, payload=b"", headers=None):
        """The inbox of the answers to a request."""
        self.asked += 1
        inbox = f"{self.inbox}.{self.asked}"
        self.publish(subject, payload, inbox, headers)
        return inbox

    def request(self, subject, payload=b"", headers=None):
        """The answer of JetStream's API, read."""
        try:
            head, answer = next(self.messages(self.ask(subject, payload, headers)))
        except OSError as error:
            raise NatsError(f"NATS at {self.where} does not answer: {error}") from error
        if status(head) == 503:
            raise NatsError(f"NATS at {self.where} has no JetStream, or nobody listens on {subject}")
        answer = json.loads(answer)
        if "error" in answer:
            raise NatsError(f"{subject}: {answer['error'].get('description')}")
        return answer

    def stream(self, name):
        """What the leader of the stream says about it. One that is not elected yet is waited for."""
        patience = time.monotonic() + LAG_SECONDS
        while True:
            try:
                return self.request(f"$JS.API.STREAM.INFO.{name}")
            except NatsError:
                if time.monotonic() > patience:
                    raise
                time.sleep(0.2)

    def read(self, stream, first, last, subject=">"):
        """The messages of a stream at positions `first` to `last`, as one of its servers has them:
        (position, subject, headers, payload). One that lags is waited for."""
        patience = time.monotonic() + LAG_SECONDS
        while first <= last:
            query = {"seq": first, "batch": min(BATCH, last - first + 1),
                     "max_bytes": BATCH_BYTES_MAX,
                     "next_by_subj": subject}
            began = first
            inbox = self.ask(f"$JS.API.DIRECT.GET.{stream}", json.dumps(query).encode())
            for head, payload in self.messages(inbox):
                if (code := status(head)):
                    break
                position = int(header(head, b"Nats-Sequence"))
                if position > last:
                    first = position
                    continue
                yield position, header(head, b"Nats-Subject").decode(), head, payload
                first = position + 1
            if code not in (204, 404):
                raise NatsError(f"reading {stream}: {head.decode(errors='replace')}")
            if first > began:
                patience = time.monotonic() + LAG_SECONDS
            elif subject != ">" or time.monotonic() > patience:
                return
            elif first <= last:
                time.sleep(0.05)

    def last_of(self, stream, subject):
        """The last message on a literal subject: (headers, payload), or None."""
        query = json.dumps({"last_by_subj": subject}).encode()
        head, payload = next(self.messages(self.ask(f"$JS.API.DIRECT.GET.{stream}", query)))
        return None if status(head) else (head, payload)


def status(head):
    """The status in the first line of headers; None of a message."""
    first = head[9:12]
    return int(first) if first.isdigit() else None


def header(head, name):
    """The value of a header, None if there is none. The server writes names as they were given."""
    start = head.find(b"\r\n" + name + b": ")
    if start < 0:
        return None
    start += len(name) + 4
    return head[start:head.index(b"\r\n", start)]
