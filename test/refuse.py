"""Make the kernel refuse one call: for a drop that fails, and only that one.

    subprocess.run(command, preexec_fn=refuse.setresuid_to(30002))

A seccomp filter, as that also works in a container or a chroot, where a user
namespace does not. It stays with the command and its children.
"""
import ctypes
import errno
import platform
import struct

SETRESUID = {"x86_64": 117, "aarch64": 147}
SETFSUID = {"x86_64": 122, "aarch64": 151}
SETFSGID = {"x86_64": 123, "aarch64": 152}
SETGROUPS = {"x86_64": 116, "aarch64": 159}
UNSHARE = {"x86_64": 272, "aarch64": 97}
CLONE_FS = 0x200
PR_SET_SECCOMP = 22
MODE_FILTER = 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets into struct seccomp_data
ALLOW, ERRNO = 0x7fff0000, 0x00050000


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def setresuid_to(uid):
    return call(SETRESUID, uid)


def setfsuid_to(uid):
    return call(SETFSUID, uid)


def setfsgid_to(gid):
    return call(SETFSGID, gid)


def setgroups_of(number):
    """Lists of so many groups."""
    return call(SETGROUPS, number)


def unshare_fs():
    return call(UNSHARE, CLONE_FS)


def call(numbers, first_argument):
    code = b"".join(struct.pack("HBBI", *line) for line in (
        (LOAD_WORD, 0, 0, NUMBER),
        (JUMP_EQUAL, 0, 3, numbers[platform.machine()]),
        (LOAD_WORD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, first_argument),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
        (RETURN, 0, 0, ALLOW)))
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program),
                      0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")
    return install
