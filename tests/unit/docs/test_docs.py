# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What documents say of the repository is there: links, variables, targets of make, playbooks, roles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from rendering import ROLES, ROOT

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "roles/*/README.md", "examples/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#([^)]+))?\)")
PRODUCT = sorted(p.name for p in ROLES.iterdir() if not p.name.startswith("lab_"))
# Databases, whose names look like variables. The role that does nothing but name things.
DATABASES = {"mlflow_auth"}
WITHOUT_SCENARIO = {"defaults"}


def anchor(heading: str) -> str:
    """The anchor that forges make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target, section in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        place = (page.parent / target).resolve()
        assert place.exists(), f"{target} does not exist"
        if section:
            assert section in map(anchor, headings(place)), f"{target} has no section {section}"


def variables() -> set[str]:
    """Every variable in the argument_specs of all roles."""
    specs = [yaml.safe_load(path.read_text()) for path in ROLES.glob("*/meta/argument_specs.yml")]
    return {
        name for one in specs for entry in one["argument_specs"].values() for name in entry.get("options") or {}
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_variables_of_roles_exist(page: Path) -> None:
    known = variables()
    # As in `redis_password[_generation]`, `cluster_base_registry_*` and names of roles or modules.
    for name in re.findall(r"`([a-z][a-z0-9_]+)[:`=]", page.read_text()):
        owner = next((role for role in PRODUCT if name.startswith(f"{role}_")), None)
        if owner and not name.endswith("_") and name not in {*PRODUCT, *DATABASES}:
            assert name in known or (ROOT / "plugins" / "modules" / f"{name}.py").exists(), f"no variable {name}"


@pytest.mark.parametrize("environment", ["user", "desa", "test", "prod"])
def test_variables_in_the_comments_of_the_examples_exist(environment: str) -> None:
    text = (ROOT / "inventories" / environment / "group_vars/all/platform.yml").read_text()
    found = re.findall(r"^# ([a-z_]+): \S", text, flags=re.MULTILINE)
    assert set(found) == {"images_registry_ca_file", "images_mirrored", "kuberay_operator_crds"}
    assert set(found) <= variables()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_targets_of_make_and_playbooks_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for line in re.findall(r"(?:`|^    )make ((?:[a-z][a-z-]*[ `])+)", text + "\n", flags=re.MULTILINE):
        assert set(line.replace("`", " ").split()) <= targets, line
    for name in re.findall(r"\bplaybooks/(\w+)\.yml", text) + re.findall(
        r"ansible-playbook mlops\.platform\.(\w+)", text
    ):
        assert (ROOT / "playbooks" / f"{name}.yml").exists(), name


@pytest.mark.parametrize("role", PRODUCT)
def test_a_role_has_a_readme_and_a_scenario(role: str) -> None:
    assert (ROLES / role / "README.md").read_text().startswith(f"# {role}\n")
    if role not in WITHOUT_SCENARIO:
        assert (ROOT / "molecule" / role / "molecule.yml").exists()


def test_every_role_is_named_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [role for role in PRODUCT if f"(roles/{role})" not in text] == []


def test_every_page_is_reachable_from_the_readme() -> None:
    found, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in found or page.suffix != ".md" or not page.exists():
            continue
        found.add(page)
        queue += [
            (page.parent / target).resolve() for target, _ in LINK.findall(page.read_text()) if "://" not in target
        ]
    assert [str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").glob("*.md")) if page not in found] == []


def blocks(page: str) -> list[str]:
    """Fenced and indented code, without comments."""
    text = (ROOT / page).read_text()
    fenced = re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)
    indented = re.findall(r"(?:^ {4}\S.*\n)+", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return [re.sub(r" *#.*", "", block).strip() for block in fenced + indented]


def test_the_spanish_readme_has_the_same_parts() -> None:
    english, spanish = ROOT / "README.md", ROOT / "README.es.md"
    levels = [
        re.findall(r"^(#+) ", re.sub(r"```.*?```", "", p.read_text(), flags=re.DOTALL), flags=re.MULTILINE)
        for p in (english, spanish)
    ]
    assert levels[0] == levels[1]
    assert blocks("README.md") == blocks("README.es.md")
    links = [
        [target for target, _ in LINK.findall(p.read_text()) if "README" not in target] for p in (english, spanish)
    ]
    assert links[0] == links[1]
    numbers = [re.findall(r"\d+[.,]?\d*", p.read_text()) for p in (english, spanish)]
    assert [n.replace(",", ".") for n in numbers[0]] == [n.replace(",", ".") for n in numbers[1]]
