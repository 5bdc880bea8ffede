# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the MinIO modules do alike: read, plan, apply, and say what was done."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._kube.connection import argument_spec as kube_argument_spec
from .._kube.errors import KubeError
from .._login import secret_values
from .._plan import Change, States, plan, result
from .._tunnel import NoPodError, client_for, tunnel
from . import MinioError, NotThereError
from .connection import HAS_MINIO, UNKNOWN_ADMINISTRATOR, Address, Clients, Params, RefusedError, address, clients

Connect = t.Callable[[Params], "contextlib.AbstractContextManager[Clients]"]


class Kind(t.NamedTuple):
    """What a module manages. Only apply changes anything; refuse raises where a change is not possible.

    The last argument of refuse says that what a change needs may be planned elsewhere and not be there yet.
    """

    wanted: t.Callable[[Params], States]
    read: t.Callable[[Clients, Params, States], States]
    refuse: t.Callable[[Clients, t.Sequence[Change], bool], None]
    apply: t.Callable[[Clients, Params, Change], None]


class Part(t.NamedTuple):
    """One kind with its own options; a module that manages several kinds labels the names of each."""

    kind: Kind
    params: Params
    label: str = ""


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """How the modules reach the server, and as whom."""
    return {
        **kube_argument_spec(),
        "endpoint": {"type": "str"},
        "ca_file": {"type": "path"},
        "service": {"type": "str", "default": "minio"},
        "namespace": {"type": "str"},
        "port": {"type": "int", "default": 9000},
        "tls": {"type": "bool", "default": False},
        "region": {"type": "str", "default": "us-east-1"},
        "access_key": {"type": "str", "no_log": False},
        "secret_key": {"type": "str", "no_log": True},
        "login_secret": {"type": "str", "no_log": False},
    }


def check(params: Params) -> None:
    """Refuse options that do not say where the server is, or who signs in."""
    if not params["endpoint"] and not params["namespace"]:
        raise MinioError("namespace: it is missing; name the namespace of the Service, or give endpoint")
    if params["login_secret"] and not params["namespace"]:
        raise MinioError("namespace: it is missing; name the namespace of login_secret")
    given = [name for name in ("access_key", "secret_key") if params[name]]
    if len(given) == 1 or bool(given) == bool(params["login_secret"]):
        raise MinioError("login_secret: give either access_key and secret_key, or login_secret")


@contextlib.contextmanager
def connect(params: Params) -> t.Iterator[Clients]:
    """The clients, for the time of one task."""
    with contextlib.ExitStack() as opened:
        try:
            login = params
            if params["login_secret"] or not params["endpoint"]:
                client = opened.enter_context(client_for(params))
            if params["login_secret"]:
                found = secret_values(
                    client, params["namespace"], params["login_secret"], ("root_user", "root_password")
                )
                login = {**params, "access_key": found[0], "secret_key": found[1]}
            if params["endpoint"]:
                where = address(params["endpoint"])
            else:
                local = opened.enter_context(tunnel(client, params["namespace"], params["service"], params["port"]))
                # The API server vouches for the pod, and no certificate names the tunnel's end.
                where = Address(f"{local.host}:{local.port}", params["tls"], check=False)
        except NoPodError as error:
            raise NotThereError(str(error)) from error
        except KubeError as error:
            raise MinioError(str(error)) from error
        yield clients(where, login)


def manage(params: Params, check_mode: bool, parts: t.Sequence[Part], way: Connect = connect) -> dict[str, t.Any]:
    """Make the server equal to what is wanted, or say what that would change."""
    check(params)
    wanted = [part.kind.wanted(part.params) for part in parts]
    try:
        with way(params) as opened:
            planned = check_mode or len(parts) > 1
            changes = [_planned(opened, part, states, planned) for part, states in zip(parts, wanted)]
            if not check_mode:
                _apply(opened, parts, changes)
            return result(_labelled(parts, changes))
    except (NotThereError, RefusedError) as error:
        if not check_mode or not _may_yet_come(error):
            raise
        return result(_labelled(parts, [plan({}, states) for states in wanted]), str(error))


def _planned(opened: Clients, part: Part, wanted: States, elsewhere: bool) -> list[Change]:
    changes = plan(part.kind.read(opened, part.params, wanted), wanted)
    part.kind.refuse(opened, changes, elsewhere)
    return changes


def _apply(opened: Clients, parts: t.Sequence[Part], changes: t.Sequence[list[Change]]) -> None:
    """Make in the order of the parts, and remove in the reverse order: what is needed goes last."""
    pairs = [(part, change) for part, found in zip(parts, changes) for change in found]
    made = [pair for pair in pairs if pair[1].after is not None]
    removed = [pair for pair in reversed(pairs) if pair[1].after is None]
    for part, change in made + removed:
        part.kind.apply(opened, part.params, change)


def _labelled(parts: t.Sequence[Part], changes: t.Sequence[list[Change]]) -> list[Change]:
    return [
        change._replace(name=f"{part.label} {change.name}".strip())
        for part, found in zip(parts, changes)
        for change in found
    ]


def _may_yet_come(error: MinioError) -> bool:
    return isinstance(error, NotThereError) or getattr(error, "code", "") in UNKNOWN_ADMINISTRATOR


def run_module(module: AnsibleModule, parts: t.Callable[[Params], t.Sequence[Part]]) -> None:
    """Leave the module with the result, or with one readable sentence."""
    if not HAS_MINIO:
        module.fail_json(msg=missing_required_lib("minio"))
    try:
        done = manage(module.params, module.check_mode, parts(module.params))
    except MinioError as error:
        module.fail_json(msg=str(error))
    if done["not_verified"]:
        module.warn(f"the plan could not be verified, it assumes an empty server: {done.pop('reason')}")
    module.exit_json(**done)
