# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Make one application of a RayService as wanted, wait until it runs, and put back what was there when it does not.

done = deploy(Service(kube, "mlops", "ray"), {"name": "iris", "import_path": "...", "deployments": [...]})
done = undeploy(Service(kube, "mlops", "ray"), "iris")
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from . import AwayError, ConflictError, DeployError, NotThereError, RayError, application, serve_config, state
from .patience import PAUSE, patiently
from .serve_config import Entry
from .service import Service
from .wait import Wait

SAME = (
    "\nIt was configured like this before, and Ray does not try again what has failed: when the cause is gone, shut it"
    " down and deploy it again."
)
PATIENCE = 30.0  # seconds that a write has at least, while the API server is away or others write too


@dataclasses.dataclass(frozen=True)
class Options:
    """How to go about it; a timeout of 0 does not wait."""

    timeout: float = 300
    restore: bool = True
    dry_run: bool = False
    built_in: bool = False


@dataclasses.dataclass(frozen=True)
class Done:
    """What was done: the application in the configuration before and after, and how it does now."""

    changed: bool
    before: Entry | None
    after: Entry | None
    state: state.State = state.NONE
    seconds: float = 0.0


class Written(t.NamedTuple):
    """A write, or none where nothing differs: the objects before and after it, and the application in both."""

    seen: state.Object
    now: state.Object
    before: Entry | None
    after: Entry | None

    @property
    def changed(self) -> bool:
        """Whether there was something to write."""
        return self.before != self.after


def deploy(service: Service, entry: Entry, options: Options | None = None) -> Done:
    """Make the application as given; the others stay as they are."""
    chosen = options or Options()

    def wanted(seen: state.Object, config: serve_config.Config) -> Entry:
        others = [other for other in serve_config.entries(config) if other.get("name") != entry.get("name")]
        return application.checked(entry, others, state.workers(seen), chosen.built_in)

    return _make(service, str(entry.get("name")), wanted, chosen)


def undeploy(service: Service, name: str, options: Options | None = None) -> Done:
    """Remove the application; the others stay as they are."""
    chosen = options or Options()
    if not name:
        raise RayError("name: it is missing; give the name of the application that shall be shut down")
    if name == application.BUILT_IN and not chosen.built_in:
        raise RayError(f"name: {name!r} is the platform's own application; it is removed with the service only")
    return _make(service, name, lambda _seen, _config: None, chosen)


Wanted = t.Callable[[state.Object, serve_config.Config], t.Optional[Entry]]


def _make(service: Service, name: str, wanted: Wanted, options: Options) -> Done:
    started = time.monotonic()
    until = started + max(options.timeout, PATIENCE)
    refused_before = patiently(service.complaints, until) if not options.dry_run else {}
    written = _write(service, name, wanted, options.dry_run, until)
    done = Done(written.changed, written.before, written.after)
    if options.dry_run or options.timeout <= 0:
        return done
    waiting = Wait(service, name, refused_before, started + options.timeout)
    try:
        found = waiting.until(written.now, present=written.after is not None, updated=_was_known(written, name))
    except NotThereError:
        if written.after is not None:
            raise
        found = state.NONE  # with its service, the application is gone too
    except DeployError as error:
        ended = state.states(waiting.last).get(name, state.NONE).status
        more = SAME if ended == state.DEPLOY_FAILED and not written.changed else ""
        raise DeployError(f"{error}{more}{_put_back(service, name, written, options)}") from error
    return dataclasses.replace(done, state=found, seconds=round(time.monotonic() - started, 1))


def _was_known(written: Written, name: str) -> bool:
    """Whether the operator's report may still be about an application of that name from before the write."""
    return written.changed and (written.before is not None or name in state.states(written.seen))


def _write(service: Service, name: str, wanted: Wanted, dry_run: bool, until: float) -> Written:
    """Change the one entry, again from the start when somebody else was faster."""
    unanswered: Written | None = None
    while True:
        seen = patiently(service.read, until)
        config = serve_config.of(seen)
        before, after = serve_config.find(config, name), wanted(seen, config)
        if before == after and unanswered and unanswered.after == after:
            return unanswered._replace(now=seen)  # it was taken, only the answer was lost
        if before == after or dry_run:
            return Written(seen, seen, before, after)
        try:
            text = serve_config.dump(serve_config.with_entry(config, name, after))
            return Written(seen, service.write(seen, text), before, after)
        except ConflictError as error:
            if time.monotonic() > until:
                raise RayError(f"{name}: others change the RayService all the time; try again") from error
        except AwayError:
            if time.monotonic() + PAUSE > until:
                raise
            unanswered = Written(seen, seen, before, after)
            time.sleep(PAUSE)


def _put_back(service: Service, name: str, written: Written, options: Options) -> str:
    """Undo the write, so that one application's fault is not in the way of the others; what was done, in words."""
    if not options.restore or not written.changed:
        return ""

    def wanted(_seen: state.Object, config: serve_config.Config) -> Entry | None:
        current = serve_config.find(config, name)
        return written.before if current == written.after else current

    try:
        undone = _write(service, name, wanted, False, time.monotonic() + PATIENCE)
    except RayError as error:
        return f"\nThe configuration of before could not be put back: {error}"
    if not undone.changed:
        return "\nSomebody else has changed the application meanwhile; it was left like that."
    if written.before is None:
        return "\nThe application was taken out of the RayService again."
    return "\nThe application's configuration of before was put back."
