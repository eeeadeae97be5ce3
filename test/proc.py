"""Processes and threads as /proc shows them."""
import os
import pathlib
import time

from harness import Who, is_zombie


def numbers(folder):
    try:
        return sorted(int(name) for name in os.listdir(folder)
                      if name.isdigit())
    except OSError:  # gone meanwhile
        return []


def read(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def threads(pid):
    """{tid: Who} of a process."""
    found = {tid: Who(read(f"/proc/{pid}/task/{tid}/status"))
             for tid in numbers(f"/proc/{pid}/task")}
    return {tid: who for tid, who in found.items() if "Uid" in who.fields}


def has_uid(who, tenant):
    """Any of the four."""
    return str(tenant.uid) in who.fields.get("Uid", "").split()


def threads_of(httpd, tenant):
    """[(pid, tid)] inside httpd's children that are the tenant; those of
    httpd's own that reach files as the tenant are not."""
    return [(pid, tid) for pid in httpd.children()
            for tid, who in threads(pid).items()
            if has_uid(who, tenant) and not who.is_httpds()]


def threads_reaching_as(httpd, tenant):
    """[(pid, tid)] that are the tenant, or reach files as the tenant."""
    return [(pid, tid) for pid in httpd.children()
            for tid, who in threads(pid).items() if has_uid(who, tenant)]


def scripts(httpd):
    """Pids of all that the server's children have started, and what that
    has started."""
    found, look = [], httpd.children()
    while look:
        pid = look.pop()
        for tid in numbers(f"/proc/{pid}/task"):
            started = read(f"/proc/{pid}/task/{tid}/children").split()
            found += alive(map(int, started))
            look += map(int, started)
    return found


def not_servers(httpd):
    """Threads of the children that are not httpd's own: a tenant's real ids,
    or capabilities too many."""
    return [(pid, tid, who) for pid in httpd.children()
            for tid, who in threads(pid).items() if not who.is_httpds()]


def not_given_back(httpd):
    """Threads that are not the server's through and through: whoever they
    reach files as, and with which groups, included."""
    return [(pid, tid, who) for pid in httpd.children()
            for tid, who in threads(pid).items()
            if not (who.is_server() and not who.fields["Groups"].split())]


def status_number(pid, field):
    """One number of /proc/PID/status, such as VmRSS, in its own unit."""
    return int(Who(read(f"/proc/{pid}/status")).fields[field].split()[0])


def descriptors(pid):
    return len(numbers(f"/proc/{pid}/fd"))


def alive(pids):
    return [pid for pid in pids if not is_zombie(pid)]


def wait_until(condition, seconds=10):
    """What the condition says once it is true, or at the end."""
    end = time.monotonic() + seconds
    while not (said := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return said
