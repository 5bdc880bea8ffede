"""The platform's own code in its image, with the locked environment: tests/image, run in a pod."""

from __future__ import annotations

import typing as t

from e2e.cluster import ROOT, Cluster, in_namespace, pod
from e2e.conftest import PULL_SECRET


def test_the_serving_code_passes_its_tests_in_the_image(
    cluster: Cluster, namespace: str, image: t.Callable[[str], str]
) -> None:
    made = pod("ml", image("ray"), ["sleep", "infinity"], uid=1000, gid=100, pull_secret=PULL_SECRET)
    cluster.apply(*in_namespace(namespace, made))
    cluster.wait("condition=Ready", "pod/ml", namespace, timeout=300)
    tests = (ROOT / "tests" / "image" / "test_serving.py").read_text(encoding="utf-8")
    write = ["exec", "--stdin", f"--namespace={namespace}", "ml", "--", "sh", "-c", "cat > /tmp/test_serving.py"]
    cluster.kubectl(*write, stdin=tests)
    cluster.execute(namespace, "ml", "python", "/tmp/test_serving.py", timeout=600)
