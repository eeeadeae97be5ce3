"""Who is refused, with the reason in the log alone; and each one's twin."""
import contextlib
import os
import subprocess
import sys
import threading
import time

import pytest

from harness import (ALICE, BOB, CAROL, WHOAMI_CGI, WHOAMI_LUA, WHOAMI_PHP,
                     Tenant, is_zombie, put, put_folder, server_ids, shared,
                     vhost)
from test_leftovers import hang_up, wait_until

MPMS = ("prefork", "worker", "event")
ROOT = Tenant(0, 0)
SCRIPTS = {"txt": ("text\n", 0o644), "cgi": (WHOAMI_CGI, 0o755),
           "lua": (WHOAMI_LUA, 0o644), "php": (WHOAMI_PHP, 0o644)}
OTHERS = "can be written by others"
GROUP = "can be written by a group other than the file's"
OWNER = "is owned by neither root nor the file's owner"


def config(folder):
    """Hosts on root's folder "pool", and on alice's own."""
    pool = put_folder(folder / "pool")
    www = folder / "home" / "alice" / "www"
    hosts = {
        "pool": "PSExAll On",
        "loose": "PSExAll On\nPSTrustedPath Off",
        "min": "PSExAll On\nPSMinUidGid 30002 30002",
        "default": f"PSExAll On\nPSDefaultUidGid {CAROL.ids}",
        "rootonly": "PSExAll On\nPSRootEnable On",
        "rootok": "PSExAll On\nPSRootEnable On\nPSMinUidGid 0 0",
        "suexec": "PSExAll On\nPSCheckSuexecids On\n"
                  "SuexecUserGroup #30001 #30001",
        "nosuexec": "PSExAll On\nPSCheckSuexecids On",
    }
    text = "".join(vhost(name, pool, extra) for name, extra in hosts.items())
    return f"""Suexec On
AddHandler who .who
AddHandler lua-script .lua
AddHandler application/x-httpd-php .php
{text}
{vhost("alice", www, "PSExAll On")}
{vhost("pinned", www, f"PSUserGroup {ALICE.ids}")}
"""


@pytest.fixture(scope="module", params=MPMS)
def site(request):
    php = ["php"] if request.param == "prefork" else []
    with shared(request.param, config, request.config.getoption("--keep"),
                modules=["cgi", "lua", "autoindex", "suexec", *php],
                expect=["PS0501", "PS0503"]) as httpd:
        httpd.pool = httpd.folder / "pool"
        httpd.kinds = ["txt", "cgi", "lua", *php]
        yield httpd


def place(folder, kind, owner, name="x"):
    text, mode = SCRIPTS[kind]
    return put(folder / f"{name}.{kind}", text, mode, owner)


def ran_as(answer, tenant, kind):
    """The answer is the content, made by `tenant`, as the kernel says."""
    assert answer.status == 200, answer
    if tenant.uid == 0 and kind == "cgi":  # exec(2) makes root whole again
        for ids, expected in (("Uid", [0] * 4), ("Gid", [tenant.gid] * 4),
                              ("Groups", sorted(tenant.groups))):
            assert answer.who.fields[ids].split() == [*map(str, expected)]
        return
    assert answer.served_by.is_(tenant), answer
    if kind == "txt":
        assert answer.text == SCRIPTS["txt"][0]
    else:
        assert answer.who.is_(tenant), answer


def refused(answer, status=403):
    """Refused, without a word why."""
    assert answer.status == status, answer
    for word in ("PS0", "uid", "gid", "3000", "/tmp", "owner", "trust"):
        assert word not in answer.text, answer


# ---- the path rule. Each row builds a tree below root's folder `top`, bad or
# its good twin, and returns the file, its owner, and the component to blame.

def others_write_file(top, kind, bad):
    path = place(top, kind, ALICE)
    path.chmod(path.stat().st_mode | (0o002 if bad else 0o020))
    return path, ALICE, path


def others_write_folder(top, kind, bad):
    path = place(top / "d", kind, ALICE)
    path.parent.chmod(0o777 if bad else 0o1777)
    return path, ALICE, path.parent


def group_writes_folder(top, kind, bad):
    path = place(top / "d", kind, ALICE)
    os.chown(path.parent, ALICE.uid, BOB.gid if bad else ALICE.gid)
    path.parent.chmod(0o775)
    return path, ALICE, path.parent


def neighbours_folder(top, kind, bad):
    path = place(top / "d", kind, ALICE)
    os.chown(path.parent, *((BOB.uid, BOB.gid) if bad else (0, 0)))
    return path, ALICE, path.parent


def neighbours_folder_above(top, kind, bad):
    path = place(top / "above" / "d", kind, ALICE)
    put_folder(top / "above", owner=BOB if bad else ALICE)
    return path, ALICE, top / "above"


def neighbours_symlink(top, kind, bad):
    path = top / f"link.{kind}"
    path.symlink_to(place(top / "bobs", kind, BOB))
    os.lchown(path, *((ALICE.uid, ALICE.gid) if bad else (BOB.uid, BOB.gid)))
    return path, BOB, path


def roots_symlink(top, kind, bad):
    path, owner, blamed = neighbours_symlink(top, kind, bad)
    if not bad:
        os.lchown(path, 0, 0)
    return path, owner, blamed


def neighbours_folder_symlink(top, kind, bad):
    link = top / "link"
    link.symlink_to(place(top / "bobs", kind, BOB).parent)
    os.lchown(link, *((ALICE.uid, ALICE.gid) if bad else (BOB.uid, BOB.gid)))
    return link / f"x.{kind}", BOB, link


def symlink_in_neighbours_folder(top, kind, bad):
    target = place(top / "bobs", kind, BOB)
    folder = put_folder(top / "d", owner=ALICE if bad else BOB)
    path = folder / target.name
    path.symlink_to("../bobs/" + target.name)
    os.lchown(path, BOB.uid, BOB.gid)
    return path, BOB, folder


def hard_link(top, kind, bad):
    target = place(top / "bobs", kind, BOB)
    folder = put_folder(top / "d", owner=ALICE if bad else BOB)
    (folder / target.name).hardlink_to(target)
    return folder / target.name, BOB, folder


PATH_ROWS = ((others_write_file, OTHERS), (others_write_folder, OTHERS),
             (group_writes_folder, GROUP), (neighbours_folder, OWNER),
             (neighbours_folder_above, OWNER), (neighbours_symlink, OWNER),
             (roots_symlink, OWNER), (neighbours_folder_symlink, OWNER),
             (symlink_in_neighbours_folder, OWNER), (hard_link, OWNER))


@pytest.mark.parametrize("build, said", PATH_ROWS,
                         ids=[row[0].__name__ for row in PATH_ROWS])
def test_path_rule(site, build, said):
    """Refused where another could change what is run, and only there; the
    log names file, ids and the component to blame. PSTrustedPath Off allows.
    """
    for kind in site.kinds:
        top = site.pool / f"{build.__name__}-{kind}"
        path, owner, blamed = build(put_folder(top / "bad"), kind, True)
        url = f"/{path.relative_to(site.pool)}"
        st = blamed.lstat()
        with site.expecting(
                f"PS0104: {path}: refused: path not trusted for uid "
                f"{owner.uid}, gid {owner.gid}: component "
                f"{len(blamed.parts) - 1} '{blamed.name}' (uid {st.st_uid}, "
                f"gid {st.st_gid}, mode {st.st_mode & 0o7777:04o}) {said}"):
            refused(site.get(url, "pool"))
        path, owner, _ = build(put_folder(top / "good"), kind, False)
        with site.expecting():
            ran_as(site.get(url, "loose"), owner, kind)
            good = f"/{path.relative_to(site.pool)}"
            ran_as(site.get(good, "pool"), owner, kind)


HTACCESS_ROWS = [("AddHandler cgi-script .dat", "dat", WHOAMI_CGI, MPMS),
                 ("php_value auto_prepend_file {evil}", "php", WHOAMI_PHP,
                  ("prefork",))]


def test_neighbours_htaccess(site):
    """alice's .htaccess over a symlink to bob's script runs nothing as bob;
    over her own it works, and without the path rule the attack works."""
    evil = put(site.folder / "home/alice/evil.php", "<?php echo 'EVIL';")
    for line, extension, text, mpms in HTACCESS_ROWS:
        if site.mpm not in mpms:
            continue
        bobs = put(site.pool / f"bobs/x.{extension}", text, 0o755, BOB)
        folder = put_folder(site.pool / f"alices-{extension}", owner=ALICE)
        put(folder / ".htaccess", line.format(evil=evil), 0o644, ALICE)
        own = put(folder / f"own.{extension}", text, 0o755, ALICE)
        link = folder / f"link.{extension}"
        link.symlink_to(bobs)
        os.lchown(link, ALICE.uid, ALICE.gid)
        marker = b"EVIL" if extension == "php" else b""
        with site.expecting(f"PS0104: {link}: "):
            refused(site.get(f"/{folder.name}/{link.name}", "pool"))
        for name, host, tenant in ((own.name, "pool", ALICE),
                                   (link.name, "loose", BOB)):
            with site.expecting():
                answer = site.get(f"/{folder.name}/{name}", host)
            assert answer.body.startswith(marker)
            answer.body = answer.body[len(marker):]
            ran_as(answer, tenant, extension)


# ---- a race

FLIP = """
import os, sys
flips = [a.split(":") for a in sys.argv[1:]]
while True:
    for mine, theirs, name in flips:
        os.symlink(theirs, name + ".new")
        os.rename(name + ".new", name)
        (os.symlink if os.path.isdir(mine) else os.link)(mine, name + ".new")
        os.rename(name + ".new", name)
"""
# What the kernel's refusals look like where httpd opens what it saw before.
RACE_LINES = ("PS0104", "PS0106", "PS0107", "PS0111", "PS0601", "AH00132",
              "AH01482", "End of script output", "Permission denied",
              "Failed opening", "not found or unable to stat",
              "executing it failed")


def marked(kind, owner):
    """The script of that kind, printing "owner=UID" first."""
    text = SCRIPTS[kind][0]
    for old, new in (("echo\n", "echo\necho {}\n"), ("text", "{}"),
                     ("echo file", 'echo "{}\\n", file'),
                     ("r:puts(", 'r:puts("{}\\n"..')):
        text = text.replace(old, new.format(f"owner={owner.uid}"), 1)
    return text


@contextlib.contextmanager
def flipping(folder, kinds):
    """alice swaps names in `folder` between her own and bob's closed files,
    and a symlink between her own folder and bob's."""
    flips = [f"{folder}/alice:{folder}/bob:{folder}/alice/dir"]
    for kind in kinds:
        for owner in (ALICE, BOB):
            put_folder(folder / owner.name, owner=owner)
            put(folder / owner.name / f"x.{kind}", marked(kind, owner), 0o700,
                owner)
        flips.append(f"{folder}/alice/x.{kind}:{folder}/bob/x.{kind}:"
                     f"{folder}/alice/flip.{kind}")
    with subprocess.Popen([sys.executable, "-c", FLIP, *flips],
                          user=ALICE.uid, group=ALICE.gid,
                          extra_groups=[]) as flipper:
        try:
            yield
            assert flipper.poll() is None
        finally:
            flipper.kill()


@pytest.mark.parametrize("host", ("alice", "pinned"))
def test_swapped_under_load(site, host):
    """Whatever alice swaps, and when: nothing runs as bob or the server, and
    nothing of bob's closed files is shown."""
    folder = put_folder(site.folder / "home/alice/www" / f"race-{host}")
    urls = [f"/race-{host}/alice/{name}.{kind}" for kind in site.kinds
            for name in ("flip", "dir/x")]
    answers = {url: [] for url in urls}
    end = time.monotonic() + 1.5

    def ask(first):
        while time.monotonic() < end:
            for url in urls[first:] + urls[:first]:
                answers[url].append(site.get(url, host))

    with site.expecting("") as lines, flipping(folder, site.kinds):
        threads = [threading.Thread(target=ask, args=(n,)) for n in (0, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    strange = [n for n in lines if not any(t in n for t in RACE_LINES)]
    assert not strange, strange
    for url, got in answers.items():
        assert any(a.status == 200 for a in got), url
        assert any(a.status != 200 for a in got), url
        for answer in got:
            assert f"owner={BOB.uid}" not in answer.text, answer
            if answer.status == 200:
                assert f"owner={ALICE.uid}\n" in answer.text, answer
                assert answer.served_by.is_(ALICE), answer
                assert url.endswith("txt") or answer.who.is_(ALICE), answer


# ---- ids. Who owns the script; what the log says; who it is on other hosts.

RUN = ("cgi", "lua", "php")
ALL = ("txt", *RUN)
SEXEC = "not by those of SuexecUserGroup"
IDS_ROWS = {
    "root": (ROOT, "pool", RUN, "PS0101", "root is no tenant",
             {"rootok": ROOT, "default": CAROL}),
    "root_below": (ROOT, "rootonly", RUN, "PS0102", "below the minimum of "
                   "100, 100", {"rootok": ROOT}),
    "gid_0": (Tenant(30001, 0), "pool", ALL, "PS0101", "root is no tenant",
              {"rootok": Tenant(30001, 0), "default": CAROL}),
    "uid_below": (Tenant(99, 30001), "pool", ALL, "PS0102",
                  "below the minimum of 100, 100",
                  {"rootok": Tenant(99, 30001), "default": CAROL}),
    "gid_below": (Tenant(30001, 99), "pool", ALL, "PS0102",
                  "below the minimum of 100, 100",
                  {"rootok": Tenant(30001, 99), "default": CAROL}),
    "raised": (ALICE, "min", ALL, "PS0102", "below the minimum of 30002, "
               "30002", {"pool": ALICE, "default": ALICE, "rootok": ALICE}),
    "minimum": (Tenant(100, 100), "min", ALL, "PS0102", "below the minimum "
                "of 30002, 30002", {"pool": Tenant(100, 100)}),
    "suexec_uid": (Tenant(30002, 30001), "suexec", ALL,
                   "PS0103", SEXEC + " (30001, 30001)",
                   {"pool": Tenant(30002, 30001)}),
    "suexec_gid": (Tenant(30001, 30002), "suexec", ALL,
                   "PS0103", SEXEC + " (30001, 30001)",
                   {"pool": Tenant(30001, 30002)}),
    "no_suexec": (ALICE, "nosuexec", ALL, "PS0103",
                  SEXEC + " (none)", {"pool": ALICE}),
}


@pytest.mark.parametrize("name", IDS_ROWS)
def test_ids(site, name):
    """Root, what is below the minimum and what is not suexec's is refused,
    and runs where the host allows it."""
    owner, host, kinds, tag, said, allowed = IDS_ROWS[name]
    ids = ("owned by " if tag == "PS0103" else "") + \
        f"uid {owner.uid}, gid {owner.gid}"
    for kind in kinds:
        if kind not in site.kinds:
            continue
        path = place(site.pool / name, kind, owner)
        url = f"/{name}/{path.name}"
        with site.expecting(f"{tag}: {path}: refused: {ids}") as lines:
            refused(site.get(url, host))
        assert said in lines[0]
        with site.expecting():
            for other, tenant in allowed.items():
                ran_as(site.get(url, other), tenant, kind)


def test_roots_script_is_ended(site):
    """root's script whose client leaves gets TERM as root's; and the child of
    httpd that sent it can still become other tenants."""
    note = put(site.folder / "pid", "")
    put(site.pool / "ended/slow.cgi", f"#!/bin/sh\necho $$ >{note}\necho\n"
        "echo start\nexec sleep 60\n", 0o755, ROOT)
    children = set(site.children())
    with site.expecting():
        hang_up(site, "/ended/slow.cgi", "rootok", read=20)
        pid = int(wait_until(note.read_text))
        assert wait_until(lambda: is_zombie(pid), 4.5)
        for kind in site.kinds:
            place(site.pool / "ended", kind, ALICE)
            ran_as(site.get(f"/ended/x.{kind}", "pool"), ALICE, kind)
    assert children <= set(site.children())


def test_suexecs_own(site):
    """What is SuexecUserGroup's runs as that tenant, CGI included."""
    for kind in sorted(site.kinds, reverse=True):
        place(site.pool / "suexecs", kind, ALICE)
        with site.expecting():
            ran_as(site.get(f"/suexecs/x.{kind}", "suexec"), ALICE, kind)


def test_roots_files(site):
    """What root alone can change is read as the server, and only read."""
    group = Tenant(0, server_ids().gid)
    place(site.pool / "roots", "txt", ROOT)
    put(site.pool / "roots/group.txt", "text\n", 0o640, group)
    with site.expecting():
        for url in ("/roots/x.txt", "/roots/group.txt", "/roots/"):
            answer = site.get(url, "pool")
            assert answer.status == 200
            assert answer.served_by.is_server()
    assert "Index of /roots" in answer.text
    folder = put_folder(site.pool / "roots-link", owner=ALICE)
    link = folder / "x.txt"
    link.symlink_to("../roots/group.txt")
    with site.expecting(f"PS0104: {link}: refused: path not trusted for uid "
                        "0, gid 0: "):
        refused(site.get("/roots-link/x.txt", "pool"))
