"""conf/*.conf are complete: each starts as it stands, and does what it says."""
import base64
import hashlib

import pytest

from harness import (ALICE, BOB, CAROL, TENANTS, TOP, Httpd, MODULE, Tenant,
                     apxs, module_file, put, put_folder, server_ids)

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


def test_mass_hosting(folder):
    """Three sites from one host, each its folder's owner, and closed; what
    root owns is no site, nor what is not there."""
    put_folder(folder / "home/root/www")
    with ConfHttpd(folder, "mass-hosting.conf") as httpd:
        for tenant in TENANTS:
            put_folder(folder / f"home/{tenant.name}/www", 0o700, tenant)
            answer = httpd.get("/whoami.cgi", f"{tenant.name}.any")
            assert answer.who.is_(tenant), answer.text
            answer = httpd.get("/file.txt", f"{tenant.name}.other.name")
            assert answer.text == f"file of {tenant.name}\n"
        with httpd.expecting("PS0101"):
            assert httpd.get("/", "root.any").status == 403
        assert httpd.get("/", "nobody.any").status == 404


def test_webdav(folder):
    """A file is put into a closed home, with a lock, as its tenant, who has a
    password; the neighbour's password opens nothing."""
    lock = ('<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/>'
            "</D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>")
    for tenant in (ALICE, BOB):
        home = folder / "home" / tenant.name
        put_folder(home / "www", 0o700, tenant)
        sha = base64.b64encode(hashlib.sha1(tenant.name.encode()).digest())
        put(home / "passwords", f"{tenant.name}:{{SHA}}{sha.decode()}\n",
            0o600, tenant)
    with ConfHttpd(folder, "webdav.conf") as httpd:
        for tenant, other in ((ALICE, BOB), (BOB, ALICE)):
            word = base64.b64encode(f"{tenant.name}:{tenant.name}".encode())
            entry = {"Authorization": "Basic " + word.decode()}
            answer = httpd.get("/new.txt", tenant.name, "PUT", "new\n", entry)
            assert answer.status == 201, answer
            answer = httpd.get("/new.txt", tenant.name, "LOCK", lock, entry)
            assert answer.status == 200, answer
            with httpd.expecting("resource is locked"):
                answer = httpd.get("/new.txt", tenant.name, "PUT", "x", entry)
            assert answer.status == 423, answer
            with httpd.expecting("AH01618"):
                assert httpd.get("/new.txt", other.name, "PUT", "x",
                                 entry).status == 401
            home = folder / "home" / tenant.name
            made = [home / "www/new.txt", *home.glob("dav-locks*")]
            assert len(made) > 1
            for path in made:
                assert path.stat().st_uid == tenant.uid, path
                assert path.stat().st_gid == tenant.gid, path


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
