"""Each kind of content runs as its tenant, pinned and in owner mode."""
import pytest

from harness import ALICE, BOB, TENANTS, vhost


def hosts(folder, pinned, extra="", root="www"):
    """A host for each tenant, and "plain" on alice's files, not covered.

    `extra` stands in each of them; {home} in it is the home it serves."""
    text = ""
    for tenant in (*TENANTS, None):
        home = folder / "home" / (tenant or ALICE).name
        pin = (f"PSUserGroup {tenant.ids}" if pinned else "PSExAll On") \
            if tenant else ""
        text += vhost(tenant.name if tenant else "plain", home / root,
                      f"{pin}\n{extra}".replace("{home}", str(home)))
    return text


@pytest.mark.parametrize("pinned", (True, False), ids=("pinned", "owner"))
def test_file_cgi_and_lua(start, folder, mpm, pinned):
    """Every tenant's file, CGI and Lua; the same scripts where not covered."""
    httpd = start(mpm, hosts(folder, pinned) + "AddHandler lua-script .lua\n",
                  modules=["cgi", "lua"], expect=["PS0503"])
    for tenant in TENANTS:
        answer = httpd.get("/file.txt", tenant.name)
        assert answer.status == 200
        assert answer.text == f"file of {tenant.name}\n"
        assert answer.served_by.is_(tenant)
        for script in ("/whoami.cgi", "/whoami.lua"):
            answer = httpd.get(script, tenant.name)
            assert answer.status == 200
            assert answer.who.is_(tenant), answer.text
            assert answer.served_by.is_(tenant)
    for script in ("/whoami.cgi", "/whoami.lua"):
        answer = httpd.get(script, "plain")
        assert answer.who.is_server(), answer.text
        assert answer.served_by.is_server()


def test_neighbours(start, folder, mpm):
    """Connections of several tenants in turn: each request is its own's."""
    httpd = start(mpm, hosts(folder, True) + "AddHandler lua-script .lua\n",
                  modules=["cgi", "lua"], expect=["PS0503"])
    connection = httpd.connection()
    for script in ("/whoami.lua", "/whoami.cgi", "/file.txt") * 2:
        for tenant in (ALICE, BOB, None):
            answer = httpd.get(script, tenant.name if tenant else "plain",
                               connection=connection)
            assert answer.status == 200
            who = answer.served_by
            assert who.is_(tenant) if tenant else who.is_server(), who
            if "whoami" in script:
                who = answer.who
                assert who.is_(tenant) if tenant else who.is_server(), who
