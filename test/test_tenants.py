"""Each kind of content runs as its tenant, pinned and in owner mode."""
import pytest

from harness import ALICE, BOB, CAROL, TENANTS, vhost


def hosts(folder, pinned):
    text = ""
    for tenant in TENANTS:
        pin = f"PSUserGroup {tenant.ids}" if pinned else "PSExAll On"
        text += vhost(tenant.name, folder / "home" / tenant.name / "www", pin)
    return text + vhost("plain", folder / "home" / "alice" / "www")


@pytest.mark.parametrize("pinned", (True, False), ids=("pinned", "owner"))
def test_file_cgi_and_lua(start, folder, mpm, pinned):
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
    answer = httpd.get("/whoami.cgi", "plain")
    assert answer.who.is_server(), answer.text
    assert answer.served_by.is_server()
