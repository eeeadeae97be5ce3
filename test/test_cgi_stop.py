"""Scripts at the server's stop or restart; and the directive of time-outs."""
import threading
import time

import pytest

import http2
import proc
from cgi import Look, Talk, noted, seconds_until_gone
from conftest import MPMS
from harness import ALICE, Httpd, put_folder
from test_cgi_ends import GRACE, MANNERS, UID, config, room_for


class Stopped(threading.Thread):
    """A server that gets a signal while scripts run: when each was gone with
    its child, in seconds after that."""

    def __init__(self, start, folder, mpm, name):
        super().__init__()
        self.httpd = start(mpm, config(folder), main_config=room_for(mpm)
                           + "Protocols h2c http/1.1\n",
                           modules=["http2"] * (mpm != "prefork"))
        self.httpd.notes, self.httpd.tolerate = folder / "notes", [""]
        self.name, self.talks, self.pids, self.took = name, [], {}, {}
        if mpm != "prefork":
            self.by_http2("early-begun")
        for way in ("early", "amid"):
            for manner in MANNERS:
                talk = Talk(self.httpd)
                talk.send(f"/{way}-{manner}.cgi", "alice")
                self.talks.append(talk)
                self.pids[way, manner] = noted(self.httpd, f"{way}-{manner}")
        time.sleep(0.2)  # their children have come to their program
        self.family = self.httpd.children()
        self.start()

    def by_http2(self, way):
        """Streams of one connection, which no script's thread listens to."""
        self.talks.append(Talk(self.httpd))
        self.talks[-1].socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + http2.frame(http2.SETTINGS, 0, 0)
            + b"".join(
                http2.request(2 * n + 1, "alice", f"/{way}-{manner}.cgi")
                for n, manner in enumerate(MANNERS)))
        for manner in MANNERS:
            self.pids[way, manner] = noted(self.httpd, f"{way}-{manner}")

    def run(self):
        begin = time.monotonic()
        self.httpd.signal(self.name)
        threads = [threading.Thread(target=lambda k=k, v=v: self.took.update(
            {k: seconds_until_gone(v, begin)})) for k, v in self.pids.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("mpm", MPMS)
def test_stop(start, folder, mpm):
    """The server's stop, or hard restart, is TERM, then KILL for scripts that
    answer requests, by HTTP/2, too, and their children; the server does not
    wait longer."""
    servers = [Stopped(start, put_folder(folder / name), mpm, name)
               for name in ("SIGTERM", "SIGHUP")]
    for server in servers:
        server.join()
        assert len(server.took) == len(MANNERS) * (2 + (mpm != "prefork"))
        for (_, manner), seconds in server.took.items():
            if manner == "deaf":
                assert GRACE - 0.5 < seconds < GRACE + 2.5, server.took
            else:
                assert seconds < 2, server.took
        assert proc.wait_until(lambda s=server: not proc.alive(s.family), 6)
        assert "exit signal" not in server.httpd.log()
        for talk in server.talks:
            talk.close()
    assert Look(servers[1].httpd.get("/look.cgi").text).is_(ALICE)


@pytest.mark.parametrize("mpm", MPMS)
def test_graceful(start, folder, mpm):
    """A graceful restart, and a graceful stop, wait for scripts; that it has
    had its answer does not end one that goes on."""
    httpd = start(mpm, config(folder))
    httpd.notes = folder / "notes"
    for name in ("SIGUSR1", "SIGWINCH"):
        (httpd.notes / "closes-done").unlink(missing_ok=True)
        assert httpd.get("/closes.cgi").body == UID
        with Talk(httpd) as talk:
            talk.send("/half-closed.cgi")
            reply = talk.begin()
            assert reply.readline() == UID
            httpd.signal(name)
            assert reply.read() == b"text\n"
        assert proc.wait_until(
            lambda: proc.read(httpd.notes / "closes-done")) == "0\n"


@pytest.mark.parametrize("wrong, right", (
    ("0", "1"), ("-1", "1s"), ("x", "1000ms"), ("", "2min"), ("1 2", "1")))
def test_timeout_directive(folder, wrong, right):
    """A wrong PSCgiTimeout is refused by its name."""
    status, said = Httpd(folder, "event", f"PSCgiTimeout {wrong}").configtest()
    assert status != 0 and "PSCgiTimeout" in said.split("httpd.conf:")[1]
    status, said = Httpd(folder, "event", f"PSCgiTimeout {right}").configtest()
    assert status == 0, said
