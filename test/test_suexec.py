"""PSUserGroup suexec: whom SuexecUserGroup or mod_userdir names, without the
wrapper; and owner mode where they name nobody."""
import dataclasses
import os
import shutil
import subprocess

import pytest

from harness import (ALICE, BOB, WHOAMI_CGI, WHOAMI_LUA, WHOAMI_PHP, Httpd,
                     Tenant, make_homes, new_folder, put, put_folder, vhost)
from proc import wait_until
from test_denials import MPMS, place, ran_as, refused
from test_docroot import as_file, as_script

# Also in two groups, and with a home that is closed.
CAROL = Tenant(30003, 30003, (30003, 30103, 30104), "carol")
DORA = Tenant(30004, 30004, (), "dora")  # has an open home, for the wrapper
LOW = Tenant(99, 30099, (), "pslow")
LOW_GROUP = Tenant(30098, 99, (), "pslowgroup")
ZERO = Tenant(0, 0, (), "psroot")
# With the groups of the user database, of which the own one is one.
NAMED = {t.name: dataclasses.replace(t, groups=t.groups or (t.gid,))
         for t in (ALICE, BOB, CAROL, DORA)}
USERS = (ALICE, BOB, CAROL, DORA, LOW, LOW_GROUP, ZERO)
# The wrapper lets no such variable through.
MARK = "printf 'mark=%s\\n' \"$PS_MARK\"\n"
MARK_CGI = WHOAMI_CGI + MARK
FILES = {
    "closed.txt": ("closed of TENANT\n", 0o600),
    "closed.cgi": (MARK_CGI, 0o700),
    "x.cgi": (MARK_CGI, 0o755),
    "x.lua": (WHOAMI_LUA, 0o644),
    "x.php": (WHOAMI_PHP, 0o644),
    ".htaccess": ("DirectoryIndex index.txt\n", 0o600),
    "index.txt": ("index of TENANT\n", 0o600),
    "off/x.cgi": (MARK_CGI, 0o755),
    "to-dora/.htaccess": ("DirectoryIndex /~dora/x.cgi\n", 0o600),
    "to-closed/.htaccess": ("DirectoryIndex /~bob/closed.cgi\n", 0o600),
    "error/.htaccess": ("ErrorDocument 404 /~bob/x.cgi\n", 0o600),
    "rule/.htaccess": ("RewriteEngine On\nRewriteRule ^ /~bob/x.cgi\n",
                       0o600),
    "dora.shtml": ('<!--#include virtual="/~dora/x.cgi" -->', 0o600),
    "closed.shtml": ('<!--#include virtual="/~bob/closed.cgi" -->', 0o600),
    "file.shtml": ('<!--#include virtual="/~bob/closed.txt" -->', 0o600),
    "own.shtml": ('<!--#include virtual="/~TENANT/closed.cgi" -->', 0o600),
}


class WithUsers(Httpd):
    """One whose user database knows the test's users, and whose they are."""

    def etc(self):
        """A copy of /etc: over single files a mount ends when useradd(8)
        replaces them, wherever it runs."""
        lines = {"passwd": "".join(
            f"{t.name}:x:{t.uid}:{t.gid}::{self.folder}/home/{t.name}:/bin/sh"
            "\n" for t in USERS), "group": "".join(
            f"{t.name}:x:{t.gid}:\n" for t in USERS[:4])
            + "psextra-a:x:30103:carol\npsextra-b:x:30104:carol\n"}
        etc = self.run / "etc"
        subprocess.run(["cp", "-a", "/etc", etc], check=False,  # a lock goes
                       stderr=subprocess.DEVNULL)
        for name, text in lines.items():
            put(etc / name, text + (etc / name).read_text())
        return etc

    def command(self, *arguments):
        """In mounts of its own, which stay for as long as httpd runs."""
        return ["unshare", "-m", *self.propagation(), "sh", "-c",
                f'mount --bind {self.etc()} /etc && exec "$@"', "sh",
                *super().command(*arguments)]

    @staticmethod
    def propagation():
        """In a chroot no mount can be made private."""
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            in_chroot = all(line.split()[4] != "/" for line in mounts)
        return ["--propagation", "unchanged"] * in_chroot

    def stop(self):
        super().stop()
        if self.propagation() and os.path.ismount("/etc"):
            subprocess.run(["umount", "/etc"], check=False)


def fill(folder):
    """www and public_html of each user, closed but for dora's."""
    make_homes(folder)
    for tenant in (ALICE, BOB, CAROL, DORA):
        home = put_folder(folder / "home" / tenant.name, 0o711, tenant)
        for top in ("www", "public_html"):
            for name, (text, mode) in FILES.items():
                path = put(home / top / name,
                           text.replace("TENANT", tenant.name), mode, tenant)
                os.chown(path.parent, tenant.uid, tenant.gid)
            put_folder(home / top, 0o700, tenant)
            for name in ("bobs-closed", "own"):
                link = home / top / f"{name}.txt"
                link.symlink_to(folder / "home" / (
                    tenant.name if name == "own" else "bob")
                    / top / "closed.txt")
                os.lchown(link, tenant.uid, tenant.gid)
    (folder / "home/carol").chmod(0o700)
    (folder / "home/dora/public_html").chmod(0o755)
    put(folder / "home/dora/public_html/.htaccess", "", 0o644)


BASE = """Suexec On
AddHandler lua-script .lua
AddHandler application/x-httpd-php .php
AddOutputFilter INCLUDES .shtml
SetEnv PS_MARK yes
UserDir disabled
"""
OFF = '<LocationMatch "/off/">\nPSExAll Off\n</LocationMatch>\n'


def config(folder):
    pool = put_folder(folder / "pool")
    for kind in ("txt", "cgi"):
        place(pool / "alices", kind, ALICE)
        place(pool / "bobs", kind, BOB)
    home = folder / "home"
    users = "UserDir enabled\nUserDir public_html\n"
    return f"""{BASE}
PSUserGroup suexec
{OFF}
<Directory {home}>
    Require all granted
    Options +ExecCGI +FollowSymLinks +Includes
    AllowOverride All
</Directory>
{vhost("owner", pool)}
{vhost("alice", home / "alice/www", "SuexecUserGroup alice alice")}
{vhost("bob", home / "bob/www", "SuexecUserGroup #30002 #30002")}
{vhost("carol", home / "carol/www", "SuexecUserGroup carol carol")}
{vhost("users", pool, users)}
{vhost("both", home / "carol/www", users + "SuexecUserGroup #30003 #30003")}
{vhost("min", pool, users + "PSMinUidGid 30002 30002")}
"""


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    php = ["php"] if request.param == "prefork" else []
    folder = new_folder()
    fill(folder)
    with WithUsers(folder, request.param, config(folder),
                   modules=["cgi", "lua", "suexec", "userdir", "include",
                            "rewrite", *php],
                   expect=["PS0503", "PS0504"]) as httpd:
        httpd.kinds = ["cgi", "lua", *php]
        yield httpd
    if not request.config.getoption("--keep"):
        shutil.rmtree(folder)


def is_marked(answer):
    return "mark=yes\n" in answer.text


def all_of(site, host, tenant, top=""):
    """Files and scripts of a closed folder, through a closed .htaccess."""
    name = tenant.name
    as_file(site.get(f"{top}/closed.txt", host), tenant, f"closed of {name}\n")
    for kind in site.kinds:
        answer = site.get(f"{top}/x.{kind}", host)
        as_script(answer, tenant)
        assert is_marked(answer) == (kind == "cgi"), answer
    as_script(site.get(f"{top}/closed.cgi", host), tenant)
    answer = site.get(f"{top}/", host)
    assert answer.served_by.is_in_place(tenant), answer
    assert answer.text == f"index of {name}\n"
    answer = site.get(f"{top}/own.txt", host)
    as_file(answer, tenant, f"closed of {name}\n")


# ---- SuexecUserGroup

@pytest.mark.parametrize("name", ("alice", "bob", "carol"))
def test_named(site, name):
    """All of a host as SuexecUserGroup's, by name or number, with the groups
    of the user database; without the wrapper, which would hide the mark."""
    with site.expecting():
        all_of(site, name, NAMED[name])
    with site.expecting(*(["AH00037"] if name != "bob" else [])):
        answer = site.get("/bobs-closed.txt", name)
        if name == "bob":
            as_file(answer, BOB, "closed of bob\n")
        else:
            refused(answer)


def test_wrapper_where_not_covered(site):
    """PSExAll Off in a <Location>: httpd starts the wrapper, as without the
    module. It refuses what is not below its own folder; a user's folder it
    takes, and lets no mark through. Beside it, covered, the mark comes."""
    (site.folder / "home/alice/www").chmod(0o755)
    with site.expecting("AH01215", "suexec policy violation", "End of script"):
        answer = site.get("/off/x.cgi", "alice")
        assert answer.status == 500, answer
        assert answer.served_by.is_server()
    (site.folder / "home/alice/www").chmod(0o700)
    with site.expecting():
        answer = site.get("/~dora/off/x.cgi", "users")
        as_script(answer, NAMED["dora"])
        assert answer.handled_by.is_server() and not is_marked(answer), answer
        answer = site.get("/~dora/x.cgi", "users")
        as_script(answer, DORA)
        assert answer.served_by.is_(DORA) and is_marked(answer), answer


def test_nobody_named(site):
    """Owner mode where SuexecUserGroup names nobody."""
    with site.expecting():
        for host in ("owner", "users"):
            for tenant in (ALICE, BOB):
                for kind in ("txt", "cgi"):
                    ran_as(site.get(f"/{tenant.name}s/x.{kind}", host),
                           tenant, kind)


@pytest.mark.parametrize("mpm", MPMS)
def test_main_server(start, folder, mpm):
    """The main server's SuexecUserGroup and PSUserGroup suexec, and hosts
    that inherit both, one, or none of them."""
    www = folder / "home/alice/www"
    bob = f"SuexecUserGroup {BOB.ids}"
    alice = f"SuexecUserGroup {ALICE.ids}"
    rows = {"heir": ("", BOB), "own": (alice, ALICE), "again": (bob, BOB),
            "owner": ("PSUserGroup owner\nPSExAll On", ALICE),
            "pinned": (f"PSUserGroup #30003 #30003\n{alice}",
                       Tenant(30003, 30003)), "off": ("PSExAll Off", None)}
    httpd = start(mpm, f"Suexec On\n{bob}\nPSUserGroup suexec\n" + "".join(
        vhost(name, www, row[0]) for name, row in rows.items()),
        modules=["cgi", "suexec"], expect=["AH01215", "End of"])
    for name, (_, tenant) in rows.items():
        answer = httpd.get("/whoami.cgi", name)
        if tenant:
            as_script(answer, tenant)
            assert httpd.get("/file.txt", name).served_by.is_in_place(tenant)
        else:
            assert answer.status == 500 and answer.served_by.is_server()


# ---- mod_userdir

@pytest.mark.parametrize("tenant", (ALICE, BOB), ids=lambda t: t.name)
def test_userdir(site, tenant):
    """/~user/ is the user's, with a closed folder, also on a host that has a
    user of its own; its other pages are whose they were."""
    for host in ("users", "both"):
        with site.expecting():
            all_of(site, host, tenant, f"/~{tenant.name}")
    with site.expecting():
        all_of(site, "both", CAROL)


@pytest.mark.parametrize("host", ("users", "both"))
def test_userdir_symlink(site, host):
    """alice's symlink to bob's closed file is refused; bob's own works."""
    with site.expecting("AH00037"):
        refused(site.get("/~alice/bobs-closed.txt", host))
        as_file(site.get("/~bob/bobs-closed.txt", host), BOB,
                "closed of bob\n")


def test_led_to_another_user(site):
    """What alice's page leads to is alice, where it is part of her page; and
    the other's own where the request starts anew."""
    with site.expecting("AH00529", "unable to include"):
        for url in ("/~alice/to-dora/", "/~alice/dora.shtml"):
            as_script(site.get(url, "users"), ALICE)
        for name in ("closed", "file"):
            answer = site.get(f"/~alice/{name}.shtml", "users")
            assert "of bob" not in answer.text and "Uid" not in answer.text
        assert "Uid" not in site.get("/~alice/to-closed/", "users").text
        as_script(site.get("/~alice/own.shtml", "users"), ALICE)
        as_script(site.get("/~bob/closed.shtml", "users"), BOB)
        as_script(site.get("/~bob/to-closed/", "users"), BOB)
        as_script(site.get("/~alice/rule/x", "users"), BOB)
        as_script(site.get("/~alice/error/none", "users"), BOB, 404)


REFUSED = {
    "/~root/": "PS0101", "/~psroot/x.cgi": "PS0101", "/~pslow/": "PS0102",
    "/~pslowgroup/x.txt": "PS0102", "/~pslow": "PS0102",
}


@pytest.mark.parametrize("url", REFUSED)
@pytest.mark.parametrize("host", ("users", "both"))
def test_userdir_refused(site, host, url):
    """root and users below the minimum: 403, and the log says why, whether
    there is something or not."""
    with site.expecting(f"{REFUSED[url]}: {url}: refused: ") as lines:
        answer = site.get(url, host)
        refused(answer)
        assert "x-who" not in answer.headers
    assert len(lines) == 1


def test_userdir_minimum(site):
    """The host's own PSMinUidGid."""
    with site.expecting("PS0102: /~alice/closed.txt: "):
        refused(site.get("/~alice/closed.txt", "min"))
        as_file(site.get("/~bob/closed.txt", "min"), BOB, "closed of bob\n")


@pytest.mark.parametrize("url", ("/~nobody-here/x", "/~", "/~/x", "/~./x",
                                 "/~../x", "/~30001/closed.txt", "/~#30001/",
                                 "/~%2e%2e/home/alice/public_html/x.cgi",
                                 "/~alice%2f../closed.txt", "/~ALICE/x.cgi"))
def test_userdir_unknown(site, url):
    """No user: as httpd does, and nobody's identity."""
    with site.expecting("") as lines:
        answer = site.get(url.replace("#", "%23"), "users")
        assert answer.status == 404, answer
        assert "x-who" not in answer.headers \
            or answer.served_by.is_server(), answer
    assert not [n for n in lines if "PS0" in n], lines


def test_keep_alive(site):
    """One connection between users, and pages of the host's own."""
    rows = (("/~alice/closed.txt", "users", ALICE),
            ("/~bob/closed.cgi", "users", BOB),
            ("/bobs/x.txt", "users", BOB), ("/alices/x.cgi", "users", ALICE),
            ("/closed.txt", "both", CAROL), ("/~bob/closed.txt", "both", BOB),
            ("/closed.cgi", "both", CAROL), ("/closed.txt", "alice", ALICE),
            ("/~alice/../~bob/closed.txt", "users", BOB))
    with site.expecting():
        connection = site.connection()
        for first in range(len(rows)):
            for url, host, tenant in rows[first:] + rows[:first]:
                answer = site.get(url, host, connection=connection)
                assert answer.status == 200, (url, answer)
                assert answer.served_by.is_(tenant), (url, answer)
                if url.endswith("cgi"):
                    assert answer.who.is_(tenant), (url, answer)


def test_after_restart(site):
    """Graceful restarts, after which httpd has all its hooks anew."""
    for _ in range(2):
        count = site.log().count("resuming normal operations")
        site.signal("SIGUSR1")
        assert wait_until(lambda: site.log().count(
            "resuming normal operations") > count)  # noqa: B023
        with site.expecting():
            all_of(site, "carol", NAMED["carol"])
            all_of(site, "users", ALICE, "/~alice")
