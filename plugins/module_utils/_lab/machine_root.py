# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The root folder of a machine: unpacked whole or not at all, then kept equal to what the machine is told."""

from __future__ import annotations

import hashlib
import json
import shutil
import typing as t
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, files, machine_files, rootfs

MOZILLA = "usr/share/ca-certificates/mozilla"
# Written after the machine's bundle was made anew, so that a run that was killed before does it again.
STAMP = f"{machine_files.CERTIFICATES}/made-of"


def key_pair(path: Path, comment: str) -> tuple[str, str]:
    """Return a private and a public SSH key, made once; the private one comes last, so the pair is whole or absent."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.new")
        for old in (draft, draft.with_name(f"{draft.name}.pub")):
            old.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(draft)]
        rootfs.run(command, "no SSH key can be made")
        draft.with_name(f"{draft.name}.pub").replace(path.with_name(f"{path.name}.pub"))
        draft.replace(path)
    public = path.with_name(f"{path.name}.pub")
    return path.read_text(encoding="ascii"), public.read_text(encoding="ascii")


def unpack(archive: Path, root: Path) -> None:
    """Unpack the system; the folder gets its name when it is whole."""
    part = root.with_name(f"{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tar = ["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", f"--file={archive}"]
    rootfs.run([*tar, f"--directory={part}"], f"{archive} cannot be unpacked; remove it if it is damaged")
    rootfs.run(["sync", "--file-system", str(part)], "the disk does not take the data")
    part.rename(root)


def stale(folder: Path, root: Path) -> list[str]:
    """Return older and half-made roots; the machine may still run from one of them."""
    return sorted(str(path) for path in folder.glob("root-*") if path != root)


def differing(root: Path, wanted: t.Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return those files whose content is not the wanted one, with both contents."""
    found = {}
    for name, after in wanted.items():
        before = (files.read(str(root / name)) or b"").decode(errors="replace")
        if before != after or not (root / name).exists():
            found[name] = (before, after)
    return found


def trusted(root: Path, ca_file: str | None) -> dict[str, str]:
    """Return the files of the certificates that the machine must trust beyond its own."""
    if ca_file is None:
        return {}
    bundle = files.read(ca_file)
    if bundle is None:
        raise LabError(f"ca_file: {ca_file} does not exist; name a file of CA certificates")
    own = (path.read_text(encoding="ascii") for path in (root / MOZILLA).glob("*.crt"))
    return machine_files.certificate_files(machine_files.extra_certificates(bundle.decode(errors="replace"), own))


def write(root: Path, names: t.Mapping[str, tuple[str, str]]) -> None:
    """Write files into the root."""
    for name, (_before, after) in names.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        files.write(str(path), after.encode(), private=name in machine_files.PRIVATE)
    ssh = root / "root/.ssh"
    if ssh.exists():
        ssh.chmod(0o700)


def provide_keyring(root: Path, keyring: str) -> None:
    """Copy the keyring that signs the mirror, where the installed system has none of that name."""
    target = root / keyring.lstrip("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(keyring, target)


def set_trust(root: Path, certificates: t.Mapping[str, str]) -> bool:
    """Let the machine trust these certificates and no others of ours; tell whether that was a change."""
    if not distrusts(root, certificates):
        return False
    shutil.rmtree(root / machine_files.CERTIFICATES, ignore_errors=True)
    write(root, {name: ("", text) for name, text in certificates.items()})
    rootfs.run(["chroot", str(root), "update-ca-certificates", "--fresh"], "the machine's CA bundle cannot be made")
    write(root, {STAMP: ("", _digest(certificates))})
    return True


def distrusts(root: Path, certificates: t.Mapping[str, str]) -> bool:
    """Tell whether the machine's bundle was made of other certificates."""
    made_of = (files.read(str(root / STAMP)) or b"").decode()
    return made_of != _digest(certificates)


def _digest(certificates: t.Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(certificates, sort_keys=True).encode()).hexdigest() if certificates else ""
