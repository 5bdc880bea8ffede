"""Uses a mounted folder as a database would, and reports as JSON. Leaves the file owner for the server to look at."""

import fcntl
import json
import os
import sys
import time

BLOCK = 4096


def write(folder):
    """Throughput of one large file, in MiB/s."""
    data = os.urandom(1 << 20)
    start = time.perf_counter()
    with open(os.path.join(folder, "large"), "wb") as file:
        for _ in range(16):
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    with open(os.path.join(folder, "large"), "rb") as file:
        if any(file.read(1 << 20) != data for _ in range(16)):
            raise OSError("what was read is not what was written")
    return {"write_mib_s": round(16 / seconds, 1)}


def fsync(folder):
    """Latency of a small write that must be on disk, in ms."""
    fd = os.open(os.path.join(folder, "small"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        times = []
        for number in range(200):
            start = time.perf_counter()
            os.pwrite(fd, bytes(BLOCK), number * BLOCK)
            os.fsync(fd)
            times.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(fd)
    times.sort()
    return {"fsync_median_ms": round(times[100], 2), "fsync_p99_ms": round(times[197], 2)}


def rename(folder):
    """A file is replaced by another one in one step."""
    old, new = os.path.join(folder, "name"), os.path.join(folder, "name.new")
    for path, text in ((old, "old"), (new, "new")):
        with open(path, "w") as file:
            file.write(text)
    os.replace(new, old)
    with open(old) as file:
        if file.read() != "new" or os.path.exists(new):
            raise OSError("the file was not replaced")
    return {}


def lock(folder):
    """A lock keeps another process out, and lets it in when it is given up."""
    with open(os.path.join(folder, "lock"), "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        if locked_by_another(folder):
            raise OSError("two processes had the same lock")
        fcntl.lockf(file, fcntl.LOCK_UN)
        if not locked_by_another(folder):
            raise OSError("a lock that was given up was still held")
    return {}


def locked_by_another(folder):
    """Whether a process of its own gets the lock."""
    child = os.fork()
    if child == 0:
        try:
            with open(os.path.join(folder, "lock"), "r+") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def owner(folder):
    """A file for the server to look at, and the space that is left."""
    with open(os.path.join(folder, "owner"), "w") as file:
        file.write("Who owns this?\n")
    found = os.statvfs(folder)
    return {"free_bytes": found.f_bavail * found.f_frsize}


def main(folder, report):
    """Run every step, whatever became of the others."""
    result, failed = {}, {}
    try:
        os.makedirs(folder, exist_ok=True)
        for step in (write, fsync, rename, lock, owner):
            try:
                result.update(step(folder))
            except OSError as error:
                failed[step.__name__] = str(error)
    except OSError as error:
        failed["folder"] = str(error)
    with open(report, "w") as file:
        json.dump({**result, "failed": failed}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
