"""HTTP/2 in the clear, as little as the tests need of it: many requests as
parallel streams of one connection (curl 7.88 opens several, or fails)."""
import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
WINDOW_UPDATE = 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
IN_FLIGHT = 60  # the server allows 100


def frame(kind, flags, stream, payload=b""):
    return (struct.pack("!I", len(payload))[1:]
            + struct.pack("!BBI", kind, flags, stream) + payload)


def request(stream, host, path):
    """HPACK: literal fields, not indexed, not Huffman-coded."""
    block = b""
    for field in ((":method", "GET"), (":scheme", "http"), (":path", path),
                  (":authority", f"{host}.test")):
        block += b"\0" + b"".join(bytes([len(t)]) + t.encode() for t in field)
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)


def is_200(block):
    """Index 8 of the static table, behind changes of the table's size."""
    return block.lstrip(bytes(range(0x20, 0x40)))[:1] == b"\x88"


class Stream:
    def __init__(self):
        self.is_200 = self.ended = False
        self.body = b""

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


def read_frames(sock):
    """(kind, flags, stream, payload) until the server hangs up."""
    with sock.makefile("rb") as f:
        while len(head := f.read(9)) == 9:
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream = struct.unpack("!BBI", head[3:])
            yield kind, flags, stream, f.read(length)


def ask(port, requests, seconds=60):
    """Streams in the order of `requests`, which are (host, path)."""
    streams = [Stream() for _ in requests]
    sent = open_ = 0
    with socket.create_connection(("127.0.0.1", port), seconds) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                     + frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 1 << 20))
                     + frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1 << 30)))
        frames = read_frames(sock)
        while sent < len(requests) or open_:
            while sent < len(requests) and open_ < IN_FLIGHT:
                sock.sendall(request(2 * sent + 1, *requests[sent]))
                sent, open_ = sent + 1, open_ + 1
            kind, flags, number, payload = next(frames)
            stream = streams[number // 2] if number else None
            if kind in (SETTINGS, PING) and not flags & ACK:
                sock.sendall(frame(kind, ACK, 0,
                                   payload if kind == PING else b""))
            elif kind in (RST_STREAM, GOAWAY):
                raise ConnectionError(f"frame {kind} for {number}: {payload}")
            elif kind == HEADERS:
                stream.is_200 = is_200(payload)
            elif kind == DATA:
                stream.body += payload
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                stream.ended, open_ = True, open_ - 1
    return streams
