#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_images
short_description: Build container images where they are missing, and archive or push them
version_added: 0.1.0
description:
  - Builds images from folders with a Containerfile, with buildah. The tag of an image is a hash of everything that
    makes it (its files, build arguments, labels and the tags of its bases), so an image that exists under its tag is
    never built again, and a changed one never keeps its old tag.
  - An image that is missing in O(archive_dir) or in O(registry) is taken from this machine's storage, from its archive,
    from the registry, or is built, whichever comes first; its bases likewise.
  - Builds reach package registries through a folder mounted at C(/run/build), with the CA bundle, proxies and apt
    sources of this machine. It is not part of the images. Every C(RUN) that needs it begins with C(. /run/build/env).
author: [The mlops.platform maintainers (@mlops-platform)]
requirements:
  - buildah 1.28 or newer; mmdebstrap for images with O(images[].bootstrap)
attributes:
  check_mode: {support: full, description: Says what would be archived and pushed. The registry is asked.}
  diff_mode: {support: full, description: Which images are in the archive folder and the registry before and after.}
options:
  images:
    description: The images, in any order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the image, the last part of its repository.
        type: str
        required: true
      context:
        description: Folder with the Containerfile. Hidden files, C(__pycache__) and C(README.md) do not belong to it.
        type: path
      bootstrap:
        description: Instead of O(images[].context), a Debian suite, whose smallest package set makes the image.
        type: str
      bases:
        description:
          - Build argument to base, which is the name of another image of the list or a reference such as
            C(registry.example.com/library/debian:trixie-slim).
          - A Containerfile may build on nothing else (C(FROM ${BASE}), C(FROM scratch)).
        type: dict
        default: {}
      build_args:
        description: Build arguments. They are not secret.
        type: dict
        default: {}
      labels:
        description: Labels of the image.
        type: dict
        default: {}
      files:
        description: Files that are added to the context.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name in the context.
            type: str
            required: true
          path:
            description: The file on this machine.
            type: path
          content:
            description: Instead of O(images[].files[].path), the text of the file.
            type: str
      user:
        description: The user as which the image must run, as in the last C(USER) of its Containerfile.
        type: str
  deliver:
    description: Names of the images that have to be archived and pushed. The others are only bases. All when not given.
    type: list
    elements: str
  refresh:
    description: A text that is part of every tag. Another text builds everything anew, with today's packages.
    type: str
    default: ''
  archive_dir:
    description: Folder for archives named C(NAME-TAG.tar), in OCI format.
    type: path
  registry:
    description: Where to push, as C(HOST[:PORT][/PROJECT]).
    type: str
  registry_username:
    description: Who logs in.
    type: str
  registry_password:
    description: The password. It reaches buildah in a file that is removed at the end.
    type: str
  registry_authfile:
    description: Instead of user name and password, a file with logins, such as C(podman login) writes.
    type: path
  registry_ca_file:
    description: The CA that signed the registry's certificate. The operating system's when not given.
    type: path
  compression:
    description: How pushed layers are compressed. V(zstd) needs containerd 1.5, CRI-O 1.20 or newer on the nodes.
    type: str
    choices: [gzip, zstd]
    default: gzip
  storage:
    description: Folder of the images on this machine. Buildah's own when not given.
    type: path
  log_dir:
    description: Folder for one log per image, written while it is built.
    type: path
    default: /var/log/mlops-images
  suite:
    description: The Debian suite whose packages are installed into images.
    type: str
    default: trixie
  apt_mirror:
    description: URL of a Debian archive. That of this machine's apt configuration when not given.
    type: str
  apt_security_mirror:
    description: URL of its security archive.
    type: str
  apt_keyring:
    description: The keyring that signed them.
    type: path
    default: /usr/share/keyrings/debian-archive-keyring.gpg
  ca_file:
    description: CA bundle for the builds. That of this machine when not given.
    type: path
  environment:
    description:
      - Environment of the builds that use a registry, for example C(PIP_INDEX_URL). Proxy and registry variables of the
        module's own environment are passed on.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Build a base and what runs on it, and push both
  mlops.platform.container_images:
    images:
      - {name: debian, bootstrap: trixie}
      - {name: redis, context: /src/images/redis, bases: {BASE: debian}, user: "999:999"}
    deliver: [redis]
    registry: harbor.example.com/mlops
    registry_username: builder
    registry_password: "{{ vault_registry_password }}"
"""

RETURN = r"""
images:
  description: The delivered images.
  returned: always
  type: list
  elements: dict
  sample:
    - name: redis
      tag: 0123456789abcdef
      reference: harbor.example.com/mlops/redis:0123456789abcdef
      archive: null
      changed: true
      steps: [built, pushed]
      seconds: 12.3
"""

import contextlib
import fcntl
import glob
import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, apt, build_settings
from ansible_collections.mlops.platform.plugins.module_utils._images.engine import Engine, Runner
from ansible_collections.mlops.platform.plugins.module_utils._images.image import (
    Image,
    image_from,
    in_order,
    tags_of,
    with_bases,
)
from ansible_collections.mlops.platform.plugins.module_utils._images.login import Login
from ansible_collections.mlops.platform.plugins.module_utils._images.work import Builder, Places, Wanted, survey

FILE = {
    "name": {"type": "str", "required": True},
    "path": {"type": "path"},
    "content": {"type": "str"},
}
IMAGE = {
    "name": {"type": "str", "required": True},
    "context": {"type": "path"},
    "bootstrap": {"type": "str"},
    "bases": {"type": "dict", "default": {}},
    "build_args": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "mutually_exclusive": [["path", "content"]],
        "required_one_of": [["path", "content"]],
    },
    "user": {"type": "str"},
}
ARGUMENTS: dict[str, t.Any] = {
    "images": {"type": "list", "elements": "dict", "required": True, "options": IMAGE},
    "deliver": {"type": "list", "elements": "str"},
    "refresh": {"type": "str", "default": ""},
    "archive_dir": {"type": "path"},
    "registry": {"type": "str"},
    "registry_username": {"type": "str"},
    "registry_password": {"type": "str", "no_log": True},
    "registry_authfile": {"type": "path"},
    "registry_ca_file": {"type": "path"},
    "compression": {"type": "str", "choices": ["gzip", "zstd"], "default": "gzip"},
    "storage": {"type": "path"},
    "log_dir": {"type": "path", "default": "/var/log/mlops-images"},
    "suite": {"type": "str", "default": "trixie"},
    "apt_mirror": {"type": "str"},
    "apt_security_mirror": {"type": "str"},
    "apt_keyring": {"type": "path", "default": apt.KEYRING},
    "ca_file": {"type": "path"},
    "environment": {"type": "dict", "default": {}, "no_log": True},
}


def described(params: t.Mapping[str, t.Any]) -> list[Image]:
    """The images of the parameters in building order, as far as the delivered ones need them."""
    images = in_order([image_from(spec) for spec in params["images"]])
    names = {image.name for image in images}
    unknown = sorted(set(params["deliver"] or ()) - names)
    if unknown:
        raise ImagesError(f"deliver: there is no image {', '.join(unknown)}; known are {', '.join(sorted(names))}")
    return with_bases(images, params["deliver"] or names)


def settings_of(params: t.Mapping[str, t.Any], runner: Runner) -> build_settings.BuildSettings:
    """How builds of this machine reach package registries."""
    if params["apt_mirror"]:
        mirror = apt.Mirror(params["apt_mirror"], params["apt_security_mirror"], params["apt_keyring"])
    else:
        mirror = apt.mirror_of(runner.output(["apt-get", "indextargets", "--format", apt.TARGETS_FORMAT]) or "")
    lines = apt.passed_on(runner.output(["apt-config", "dump"], check=False) or "")
    environment = build_settings.inherited(os.environ, {k: str(v) for k, v in params["environment"].items()})
    ca_file = build_settings.ca_bundle(params["ca_file"])
    return build_settings.BuildSettings(mirror, params["suite"], ca_file, tuple(lines), environment)


def diff(wanted: t.Sequence[Wanted]) -> dict[str, str]:
    """The places of each image before and after, one line each."""

    def lines(missing: bool) -> str:
        rows = []
        for one in wanted:
            places = {"archive": one.archive, "registry": one.reference}
            rows += [f"{p}\n" for key, p in places.items() if p and not (missing and key in one.missing)]
        return "".join(rows)

    return {"before": lines(missing=True), "after": lines(missing=False)}


def cache_dir(storage: str | None) -> str | None:
    """Where builds keep their caches of packages: beside a storage of our own, else where buildah keeps them."""
    return f"{storage}.cache" if storage else None


def prepare(params: t.Mapping[str, t.Any]) -> None:
    """Make the folders; files in images get the same modes whatever this machine's umask is."""
    os.umask(0o022)
    folders = [params["archive_dir"], params["storage"], cache_dir(params["storage"]), params["log_dir"]]
    for folder in filter(None, folders):
        os.makedirs(folder, exist_ok=True)


def clean_up(params: t.Mapping[str, t.Any], engine: Engine) -> None:
    """Remove what a killed run left: containers of a storage of our own, and unfinished archives."""
    if params["storage"]:
        engine.remove_leftovers()
    for path in glob.glob(os.path.join(params["archive_dir"] or "/nowhere", "*.unfinished")):
        os.unlink(path)


@contextlib.contextmanager
def alone(params: t.Mapping[str, t.Any], engine: Engine) -> t.Iterator[None]:
    """One image at a time in a storage, also with other runs; what a killed one left is removed."""
    with open(f"{params['storage'] or '/run/lock/mlops-images'}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clean_up(params, engine)
        yield


def deliver(module: AnsibleModule, login: Login, places: Places, known: t.Sequence[Wanted], work_dir: str) -> None:
    """Build, archive and push what is missing and what another run does not bring meanwhile."""
    params = module.params
    prepare(params)
    runner = Runner(params["log_dir"], cache_dir(params["storage"]))
    engine = Engine(runner, params["storage"], login.authfile, login.cert_dir)
    by_name = {one.image.name: one for one in known}
    settings = settings_of(params, runner)
    builder = Builder(engine, by_name, settings, work_dir, params["compression"], params["refresh"])
    for one in known:
        if one.missing and one.image.name in (params["deliver"] or by_name):
            with alone(params, engine):
                one.missing = places.missing(one.image.name, one.tag)
                if one.missing:
                    builder.deliver(one)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Survey, and deliver what is missing unless in check mode."""
    params = module.params
    images = described(params)
    tags = tags_of(images, params["refresh"])
    with Login(params, module.tmpdir) as login:
        places = Places(params["archive_dir"], params["registry"], login.client())
        known = survey(images, tags, places)
        wanted = [one for one in known if one.image.name in (params["deliver"] or tags)]
        if not module.check_mode and any(one.missing for one in wanted):
            with tempfile.TemporaryDirectory(dir=module.tmpdir) as work_dir:
                deliver(module, login, places, known, work_dir)
    changed = any(one.missing for one in wanted)
    return {"changed": changed, "images": [one.result() for one in wanted], "diff": diff(wanted)}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        ARGUMENTS,
        supports_check_mode=True,
        mutually_exclusive=[["registry_password", "registry_authfile"]],
        required_together=[["registry_username", "registry_password"], ["apt_mirror", "apt_security_mirror"]],
        required_one_of=[["archive_dir", "registry"]],
    )
    try:
        result = run(module)
    except ImagesError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
