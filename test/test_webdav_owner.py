"""WebDAV in owner mode: as the owner of what is there, or else of its folder;
and under PSUserGroup docroot."""
import re

import pytest

from harness import ALICE, BOB, Tenant, put, put_folder, server_ids
from test_denials import OTHERS, OWNER, refused
from test_webdav import (LOCK, PATCH, ask, belongs, listing,  # noqa: F401
                         site)

def test_owner_mode(site):  # noqa: F811
    """What does not exist yet is the folder's owner's; what does, its own."""
    for number, tenant, host in ((0, ALICE, "pool"), (1, BOB, "pool-bob")):
        folder = put_folder(site.pool / f"own{number}", owner=tenant)
        with site.expecting():
            for method, url, status in (
                    ("PUT", "x.txt", 201), ("PUT", "x.txt", 204),
                    ("MKCOL", "d", 201), ("PUT", "d/y.txt", 201),
                    ("PROPFIND", "", 207), ("GET", "x.txt", 200)):
                answer = site.get(f"/own{number}/{url}", host, method,
                                  body="text\n" if method == "PUT" else None)
                assert answer.status == status, (method, url, answer)
                assert answer.served_by.is_(tenant), answer
        belongs(tenant, folder)
        with site.expecting("") as lines:
            answer = site.get(f"/own{number}/x.txt", host, "MOVE", headers={
                "Destination": f"http://{host}.test/own{1 - number}/z"})
            assert answer.status >= 400
        assert not [n for n in lines if "PS0" in n or "exit" in n], lines
        assert (folder / "x.txt").exists()
        assert site.get(f"/own{number}/x.txt", host,
                        "DELETE").status == 204


ROOT = Tenant(0, 0)
OWNER_ROWS = {
    # the folder's owner and mode, who owns what is there, tag, words
    "roots": (ROOT, 0o755, None, "PS0101", "root is no tenant"),
    "roots_open": (ROOT, 0o777, None, "PS0101", "root is no tenant"),
    "roots_sticky": (ROOT, 0o1777, None, "PS0101", "root is no tenant"),
    "servers_group": (Tenant(0, server_ids().gid), 0o775, None, "PS0101",
                      "root is no tenant"),
    "servers": (server_ids(), 0o755, None, "PS0102", "below the minimum"),
    "open": (ALICE, 0o777, None, "PS0104", OTHERS),
    "bobs_file": (ALICE, 0o755, BOB, "PS0104", OWNER),
    "roots_file": (ROOT, 0o755, ROOT, "PS0101", "root is no tenant"),
    "servers_file": (server_ids(), 0o755, server_ids(), "PS0102", "below"),
}


@pytest.mark.parametrize("name", OWNER_ROWS)
def test_owner_mode_refused(site, name):  # noqa: F811
    """403 whatever the server could write there, and nothing changes."""
    owner, mode, files, tag, said = OWNER_ROWS[name]
    folder = put_folder(site.pool / name, mode, owner)
    good = put_folder(site.pool / f"{name}-good", owner=ALICE)
    (good / "in").symlink_to(folder)
    if files:
        put(folder / "x.txt", "text\n", 0o666, files)
    before = listing(folder)
    for method in ("PUT", "DELETE", "LOCK", "PROPPATCH",
                   *(["MKCOL"] if not files else [])):
        for top in (name, f"{name}-good/in"):
            with site.expecting("") as lines:
                answer = site.get(f"/{top}/x.txt", "pool", method, body={
                    "PUT": "new\n", "LOCK": LOCK, "PROPPATCH": PATCH
                }.get(method))
                refused(answer)
            line, = lines
            assert re.search(f"{tag}: .*{said}", line) or (
                "good" in top and "PS0104" in line), line
            assert listing(folder) == before, method
    assert site.get(f"/{name}-good/x.txt", "pool", "PUT",
                    body="new\n").status == 201
    assert (good / "x.txt").stat().st_uid == ALICE.uid
    if tag == "PS0104" and files is not BOB:
        with site.expecting():
            ask(site, "PUT", f"/{name}/x.txt", 201, host="loose", body="new\n")


@pytest.mark.parametrize("tenant", (ALICE, BOB), ids=lambda t: t.name)
def test_docroot(site, tenant):  # noqa: F811
    """PSUserGroup docroot: the folder's owner makes the file, also in a folder
    of somebody else's, where he may."""
    name, other = tenant.name, BOB if tenant is ALICE else ALICE
    top = site.folder / f"docroot-{name}"
    others = put_folder(top / "others", 0o777, other)
    with site.expecting():
        for url in ("/made.txt", "/others/made.txt"):
            ask(site, "PUT", url, 201, tenant, f"docroot-{name}", body="x")
    for folder in (top, others):
        assert (folder / "made.txt").read_text() == "x"
        belongs(tenant, folder / "made.txt")
