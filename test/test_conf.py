"""conf/*.conf are complete: each starts as it stands, and does what it says."""
import pytest

from harness import (ALICE, BOB, CAROL, TOP, Httpd, MODULE, Tenant, apxs,
                     module_file, put, put_folder, server_ids)

WEBAPPS = Tenant(30009, 30009)


class ConfHttpd(Httpd):
    """A server that runs a file of conf/, its ${NAME}s set to private ones."""

    def __init__(self, folder, name, php=False):
        super().__init__(folder, "event", "")
        self.name = TOP / "conf" / name
        self.names = {
            "MODULES": apxs("LIBEXECDIR"), "MODULE": MODULE, "RUN": self.run,
            "PORT": self.port, "HOMES": folder / "home",
            "PACKAGED": folder / "packaged", "SERVER": server_ids().name,
            "ALICE": f"#{ALICE.uid}", "BOB": f"#{BOB.uid}",
            "WEBAPPS": f"#{WEBAPPS.uid}", "WEBAPPS_GROUP": f"#{WEBAPPS.gid}",
        }
        if php:
            self.names["PHP"] = module_file("php")

    def command(self, *arguments):
        defines = [word for name, value in self.names.items()
                   for word in ("-C", f"Define {name} {value}")]
        return [super().command()[0], *defines, "-f", str(self.name),
                *arguments]


@pytest.fixture
def packaged(folder):
    put_folder(folder / "packaged")
    put(folder / "packaged" / "icon.txt", "an icon\n")
    put(folder / "packaged" / "app.cgi",
        "#!/bin/sh\necho Content-Type: text/plain\necho\n"
        "cat /proc/self/status\n", 0o755)


def test_minimal(folder):
    with ConfHttpd(folder, "minimal.conf") as httpd:
        for tenant in (ALICE, BOB):
            answer = httpd.get("/whoami.cgi", tenant.name)
            assert answer.who.is_(tenant), answer.text
            assert httpd.get("/file.txt", tenant.name).status == 200


def test_shared_hosting(folder, packaged):
    with ConfHttpd(folder, "shared-hosting.conf", php=True) as httpd:
        for host, tenant in (("alice", ALICE), ("bob", BOB),
                             ("others", CAROL)):
            for script in ("/whoami.cgi", "/whoami.php"):
                answer = httpd.get(script, host)
                assert answer.who.is_(tenant), answer.text
        # On an unpinned host root's files are the server's to read, and
        # root's scripts run as the default tenant.
        assert httpd.get("/packaged/icon.txt", "others").text == "an icon\n"
        answer = httpd.get("/packaged/app.cgi", "others")
        assert answer.who.is_(WEBAPPS), answer.text
        assert httpd.get("/server-status", "alice").status == 200
