"""The plugin definition in the form of Meltano's hub, made of what `meltano.yml` says.

`python -m tests.project.documents` writes `meltano/tap-orgvue.yml` anew.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "meltano" / "tap-orgvue.yml"

HEAD = """\
# The plugin definition, in the form of Meltano's hub: `meltano add --from-ref` reads it.
# Made by `python -m tests.project.documents` from meltano.yml and pyproject.toml.
"""

PREREQ = """\
You need a user in Orgvue whom an administrator has given `TokenAccess`, API access enabled for
the tenant, and a token that this user made on the server's `/tokens` page.
"""

PREAMBLE = """\
Required are `api_token`, `tenant_id`, and one of `region` and `api_url`. All other settings have
defaults that lose nothing. Keep the token in the environment, as `TAP_ORGVUE_API_TOKEN`.
"""

NEXT_STEPS = """\
Set `use_cached_catalog: false` on the plugin in `meltano.yml`. Orgvue's users add properties at
any time, and a catalog that Meltano keeps from an earlier run lacks them.

Then run `meltano invoke tap-orgvue --test`: it checks the connection, and shows what a run would
read.
"""

USAGE = """\
Each dataset of the tenant becomes a stream. `meltano select --list --all tap-orgvue` lists
streams and columns; what is deselected is never requested.

Keep `PGTZ=UTC` in the environment of target-postgres, or set its `use_copy: true`: without
either it stores instants in the time zone of the database server.

Two tenants in one project need a state each: `meltano run --state-id-suffix`. Two runs at once
need a `MELTANO_SYS_DIR_ROOT` each.
"""


def definition(plugin: dict[str, Any], urls: dict[str, str], pythons: list[str]) -> str:
    """The definition as YAML.

    Args:
        plugin: The extractor as `meltano.yml` has it.
        urls: The project's URLs, by label, as pyproject.toml has them.
        pythons: The versions of Python, as pyproject.toml has them.
    """
    whole = {
        "name": plugin["name"],
        "namespace": plugin["namespace"],
        "variant": "tap-orgvue",
        "label": plugin["label"],
        "description": plugin["description"],
        "definition": "reads the datasets of an Orgvue tenant, each as a typed stream",
        "domain_url": "https://www.orgvue.com",
        "repo": urls["Repository"],
        "docs": urls["Documentation"],
        "logo_url": "/assets/logos/extractors/orgvue.png",
        "keywords": ["api", "hr", "meltano_sdk", "org_design", "workforce_planning"],
        "maintenance_status": "active",
        # The hub rates its plugins itself.
        "quality": "unknown",
        "supported_python_versions": pythons,
        "log_parser": "singer-sdk",
        # The checkout beside the project, as long as no package index has the tap.
        "pip_url": "${MELTANO_PROJECT_ROOT}/../tap-orgvue",
        "executable": plugin["executable"],
        "capabilities": plugin["capabilities"],
        "settings_group_validation": plugin["settings_group_validation"],
        "settings": [_in_order(each) for each in plugin["settings"]],
        "prereq": LiteralScalarString(PREREQ),
        "settings_preamble": LiteralScalarString(PREAMBLE),
        "next_steps": LiteralScalarString(NEXT_STEPS),
        "usage": LiteralScalarString(USAGE),
    }
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.dump(_in_order(whole), text)
    return HEAD + text.getvalue()


def _in_order(mapping: dict[str, Any]) -> dict[str, Any]:
    """A mapping by its keys, as the hub's linter asks."""
    return dict(sorted(mapping.items()))
