"""Under load, on shared connections and streams, nobody is anybody else."""
import itertools
import zlib

import pytest

import http2
import proc
from harness import Who
from traffic import Clients, interpreter, is_hosts, serve, wrong

REQUESTS = 2500  # each MPM twice
HOSTS = ("alice", "bob", "carol", "plain")
both_tenancies = pytest.mark.parametrize("pinned", (True, False),
                                         ids=("pinned", "owner"))


def assert_nobody_is_left(httpd):
    """No script, and no thread of httpd that is not the server's own. On
    event and in HTTP/2's workers an idle one may reach files as whom it last
    served, until the next one is another's."""
    look = (proc.not_given_back if httpd.mpm == "prefork"
            else proc.not_servers)
    assert proc.wait_until(lambda: not look(httpd)), look(httpd)
    assert sum(len(proc.threads(p)) for p in httpd.children()) >= 1
    assert proc.wait_until(lambda: not proc.scripts(httpd))


@both_tenancies
def test_interleaved_tenants(start, folder, mpm, pinned):
    """Requests for three tenants and the server from six clients: each answer
    is its own tenant's, no child dies, and when all is quiet no thread of
    httpd is anybody but the server."""
    number = 6
    httpd = serve(start, folder, mpm, pinned, main_config=(
        "" if mpm == "prefork" else  # and no child retires
        "StartServers 2\nMinSpareThreads 2\nMaxSpareThreads 16\n"))
    with Clients(httpd, number, -(-REQUESTS // number)) as clients:
        pass
    assert not clients.faults, (len(clients.faults), clients.faults[:5])
    assert len(clients.broken) <= REQUESTS // 50
    assert clients.served.total() >= REQUESTS
    assert len(clients.served) == len(HOSTS) * 4, clients.served
    assert_nobody_is_left(httpd)
    assert "exit signal" not in httpd.log()


def test_one_connection_for_all(start, folder, mpm):
    """The hosts in every order on one connection: each answer is its own
    tenant's, and the server saw but one connection."""
    httpd = serve(start, folder, mpm, main_config=(
        'MaxKeepAliveRequests 0\nLogFormat "%{remote}p" ports\n'
        f"CustomLog {folder}/ports.log ports\n"))
    script = f"/whoami.{interpreter(mpm)}"
    asked = 0
    kept = httpd.connection()
    for pair in itertools.permutations(HOSTS, 2):
        for path in itertools.product(("/file.txt", script, "/whoami.cgi"),
                                      repeat=2):
            for host, p in zip(pair, path):
                assert not wrong(httpd.get(p, host, connection=kept), host, p)
                asked += 1
    kept.close()

    def ports():
        return (folder / "ports.log").read_text().split()

    assert proc.wait_until(lambda: len(ports()) == asked), (ports(), asked)
    assert len(set(ports())) == 1, set(ports())


@pytest.mark.parametrize("mpm", ("worker", "event"))
@both_tenancies
def test_http2_streams(start, folder, mpm, pinned):
    """400 streams of one HTTP/2 connection, 60 at a time, for three tenants
    and the server: each is its own host's. mod_http2 starts its workers on
    demand, from whatever thread is there."""
    httpd = serve(start, folder, mpm, pinned, modules=["http2"], main_config=(
        "Protocols h2c http/1.1\nH2MinWorkers 1\nH2MaxWorkers 16\n"))
    requests = list(itertools.product(
        HOSTS, ("/file.txt", "/file.txt?x", "/whoami.lua", "/whoami.shtml",
                "/whoami.cgi"))) * 20
    requests.sort(key=lambda r: zlib.crc32("".join(r).encode()) % 5)
    for stream, (host, path) in zip(http2.ask(httpd.port, requests), requests):
        assert stream.is_200 and stream.ended, (host, path, stream.text)
        if path.startswith("/file"):
            owner = "alice" if host == "plain" else host
            assert stream.text == f"file of {owner}\n"
        else:
            assert is_hosts(Who(stream.text), host), (host, path, stream.text)
    assert_nobody_is_left(httpd)
