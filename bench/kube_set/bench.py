"""kube_set against kubernetes.core and kubectl on one API server, all in one run. usage: bench/kube_set/run [--full]

The rounds of all tools are interleaved, so that a busy machine slows all of them; what counts are the ratios.
Each of the 20 hosts has objects of its own. The whole matrix (--full) adds one task per object through the delay and over
20 hosts, and the delay for 20 hosts, which takes more than an hour.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "collections")]

from measure import Measurement, run  # noqa: E402
from objects import COUNTS, namespaces, objects  # noqa: E402
from tools import TOOLS, Action, Cluster, Tool  # noqa: E402

from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records  # noqa: E402

DELAY = 50  # milliseconds of round trip time
FLEET = 20  # inventory hosts
ACTIONS: tuple[Action, ...] = ("first", "noop", "check", "change")
KINDS = ",".join(kind.lower() for kind in COUNTS)


class Case(t.NamedTuple):
    """What is measured: a tool doing something."""

    tool: str
    action: Action
    rtt: int = 0
    hosts: int = 1


class Target(t.NamedTuple):
    """A ratio that must not be exceeded; what ``without`` takes is not counted."""

    text: str
    one: Case
    other: Case
    most: float
    memory: bool = False
    without: Case | None = None


SET, KUBECTL, OTHER, LIST, EACH, NOTHING = (tool.name for tool in TOOLS)
START = Case(NOTHING, "noop")


def against_kubectl(name: str) -> list[Target]:
    """The targets against one kubectl, by the whole process and without what Ansible takes to start."""
    pairs: list[tuple[str, Action, int, float]] = [
        ("no-op", "noop", 0, 0.5),
        ("first apply", "first", 0, 1.0),
        (f"no-op at {DELAY} ms", "noop", DELAY, 1 / 5),
        (f"first apply at {DELAY} ms", "first", DELAY, 1 / 5),
    ]
    return [
        Target(f"{text} against {name}{note}", Case(SET, action, rtt), Case(name, action, rtt), most, without=start)
        for text, action, rtt, most in pairs
        for note, start in (("", None), (", without start", START))
    ]


TARGETS = (
    *against_kubectl(KUBECTL),
    *against_kubectl(OTHER),
    Target("no-op against one task per object", Case(SET, "noop"), Case(EACH, "noop"), 1 / 20),
    Target(
        "time of 20 hosts against kubernetes.core", Case(SET, "noop", 0, FLEET), Case(LIST, "noop", 0, FLEET), 1 / 5
    ),
    Target(
        "memory of 20 hosts against kubernetes.core",
        Case(SET, "noop", 0, FLEET),
        Case(LIST, "noop", 0, FLEET),
        1 / 3,
        memory=True,
    ),
)


def cases(full: bool, names: t.Collection[str]) -> list[Case]:
    """All that is measured."""
    found = [Case(*case) for case in itertools.product(names, ACTIONS, (0, DELAY), (1, FLEET))]
    return [case for case in found if is_sensible(case) and (full or not is_slow(case))]


def is_sensible(case: Case) -> bool:
    """Whether it is worth knowing: nothing takes the same time in every way."""
    return case == START if case.tool == NOTHING else case.tool != OTHER or case.hosts == 1


def is_slow(case: Case) -> bool:
    """Whether only the whole matrix has a case."""
    return (case.tool == EACH and (case.rtt > 0 or case.hosts > 1)) or (case.rtt > 0 and case.hosts > 1)


def rounds(case: Case) -> int:
    """How often a case is measured: slow ones less often."""
    if case.tool == EACH or is_slow(case) or (case.hosts > 1 and case.action == "first"):
        return 1
    return 3 if case.hosts > 1 or case.rtt or case.tool == LIST else 5


@contextlib.contextmanager
def lab(other: str) -> t.Iterator[Cluster]:
    """The lab's first cluster, directly and through the delay proxy, and the kubectl to compare with."""
    facts = next(iter(json.loads((ROOT / ".lab" / "lab.json").read_text())["clusters"].values()))
    record = Records(Path(facts["state_dir"]) / "processes").read("kube-apiserver")
    if record is None:
        raise SystemExit("the lab does not run: make lab")
    config = yaml.safe_load(Path(facts["kubeconfig"]).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    proxy = subprocess.Popen(
        [sys.executable, str(HERE / "delay_proxy.py"), str(server.hostname), str(server.port or 443), str(DELAY)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert proxy.stdout is not None
        near = f"https://127.0.0.1:{proxy.stdout.readline().strip()}"
        config["clusters"][0]["cluster"].update({"server": near, "tls-server-name": server.hostname})
        with tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as delayed:
            delayed.write(yaml.safe_dump(config))
            delayed.flush()
            yield Cluster(
                [record.argv[0], "kubectl"],
                [other] if other else [],
                {0: Path(facts["kubeconfig"]), DELAY: Path(delayed.name)},
                {0: server.geturl(), DELAY: near},
            )
    finally:
        proxy.terminate()
        proxy.wait()


def kubectl(cluster: Cluster, *arguments: str, text: str | None = None) -> None:
    """Run kubectl beside the measurements."""
    command = [*cluster.kubectl, "--kubeconfig", str(cluster.kubeconfigs[0]), *arguments]
    environment = {**os.environ, "KUBECACHEDIR": tempfile.gettempdir()}
    subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL, env=environment)


def make_namespaces(cluster: Cluster, tool: Tool) -> None:
    """The namespaces are there before the first apply, as the targets say."""
    found = [obj for prefix in tool.prefixes(FLEET) for obj in objects(prefix)["Namespace"]]
    kubectl(cluster, "apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(found))


def remove_objects(cluster: Cluster, tool: Tool, hosts: int) -> None:
    """Remove what the first apply has to make, and the inventories of kube_set's sets."""
    places = [name for prefix in tool.prefixes(hosts) for name in namespaces(prefix)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: kubectl(cluster, "delete", KINDS, "--all", f"--namespace={place}"), places))


def measured(cluster: Cluster, tool: Tool, case: Case, memory: bool = False) -> Measurement:
    """One measurement; what comes before it is not measured."""
    if case.action == "first":
        remove_objects(cluster, tool, case.hosts)
    tool.prepare(case.action, case.hosts)
    return run(tool.command(case.action, case.rtt, case.hosts), tool.environment(), tool.folder, memory)


def peak(cluster: Cluster, tool: Tool, case: Case) -> float:
    """The median peak of the memory of five runs, in MiB: when the processes are at their peaks is chance."""
    return statistics.median(measured(cluster, tool, case, memory=True).mebibytes for _number in range(5))


def measure_all(
    cluster: Cluster, tools: t.Mapping[str, Tool], wanted: t.Sequence[Case]
) -> dict[Case, list[Measurement]]:
    """All measurements, round by round."""
    results: dict[Case, list[Measurement]] = {case: [] for case in wanted}
    for number in range(max(map(rounds, wanted))):
        for case in sorted(wanted, key=lambda case: (case.hosts, case.rtt, ACTIONS.index(case.action))):
            if number < rounds(case):
                found = measured(cluster, tools[case.tool], case)
                results[case].append(found)
                print(f"  round {number + 1}: {title(case):<42} {found.seconds:8.2f} s", flush=True)
    return results


def title(case: Case) -> str:
    """A case in words."""
    return f"{case.tool} {case.action}, RTT {case.rtt} ms, {case.hosts} host{'s' if case.hosts > 1 else ''}"


def median(found: t.Sequence[Measurement]) -> float:
    """The median time."""
    return statistics.median(item.seconds for item in found)


def table(results: t.Mapping[Case, list[Measurement]]) -> None:
    """Print the times, each with its ratio to kube_set's."""
    print(f"\n{'median seconds (and times kube_set)':<36}" + "".join(f"{tool.name:>20}" for tool in TOOLS))
    groups = sorted({(case.hosts, case.rtt, ACTIONS.index(case.action)) for case in results})
    for hosts, rtt, index in groups:
        row = f"{ACTIONS[index]:<8} RTT {rtt:>2} ms {hosts:>3} hosts".ljust(36)
        base = median(results[Case(SET, ACTIONS[index], rtt, hosts)])
        for tool in TOOLS:
            found = results.get(Case(tool.name, ACTIONS[index], rtt, hosts))
            row += (f"{median(found):.2f} ({median(found) / base:.1f}x)" if found else "-").rjust(20)
        print(row)


def judge(results: t.Mapping[Case, list[Measurement]], memory: t.Mapping[Case, float]) -> bool:
    """Print the targets, and whether all are reached."""
    good = True
    print(f"\n{'target':<62}{'kube_set':>10}{'other':>10}{'ratio':>8}{'at most':>9}")
    for target in TARGETS:
        if target.other not in results:
            continue
        pair = [memory[case] if target.memory else median(results[case]) for case in (target.one, target.other)]
        pair[0] -= median(results[target.without]) if target.without else 0
        reached = pair[0] / pair[1] <= target.most
        good = good and reached
        unit = "MiB" if target.memory else "s"
        numbers = "".join(f"{f'{value:.2f} {unit}':>10}" for value in pair)
        verdict = "reached" if reached else "MISSED"
        print(f"{target.text:<62}{numbers}{pair[0] / pair[1]:>8.3f}{target.most:>9.3f}  {verdict}")
    return good


def main() -> int:
    """Measure, print, and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the whole matrix")
    parser.add_argument(
        "--kubectl", default="", metavar="PATH", help="one more kubectl beside that of the lab's version"
    )
    options = parser.parse_args()
    used = [tool for tool in TOOLS if tool.name != OTHER or options.kubectl]
    wanted = cases(options.full, [tool.name for tool in used])
    # So that what it made is removed when it is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with lab(options.kubectl) as cluster, tempfile.TemporaryDirectory(prefix="bench-kube-set-") as folder:
        tools = {tool.name: tool(cluster, Path(folder)) for tool in used}
        try:
            for tool in tools.values():
                make_namespaces(cluster, tool)
                if tool.name in (KUBECTL, OTHER):
                    measured(cluster, tool, Case(tool.name, "first"))  # fills the cache of kubectl's discovery
            results = measure_all(cluster, tools, wanted)
            fleet = {case for target in TARGETS if target.memory for case in (target.one, target.other)}
            memory = {case: peak(cluster, tools[case.tool], case) for case in fleet}
        finally:
            prefixes = [prefix for tool in tools.values() for prefix in tool.prefixes(FLEET)]
            names = [name for prefix in prefixes for name in namespaces(prefix)]
            kubectl(cluster, "delete", "namespace", "--ignore-not-found", "--wait=false", *names)
    table(results)
    return 0 if judge(results, memory) else 1


if __name__ == "__main__":
    sys.exit(main())
