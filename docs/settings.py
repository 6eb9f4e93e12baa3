"""Write the table at the end of docs/reference/settings.md: `python -m docs.settings`.

It has the fields of `Settings` that the page does not describe before. Their docstrings are the meanings.
"""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise

from deploy.environment import ROOT
from shared.settings import Settings

PAGE = ROOT / "docs" / "reference" / "settings.md"
HEAD = "| variable | default | meaning |\n| --- | --- | --- |\n"


def page() -> str:
    """Return the page with the current table.

    Raises:
        KeyError: a field of the table has no docstring.
    """
    before = PAGE.read_text("utf-8").partition(HEAD)[0]
    meanings = dict(_docstrings())
    rows = [
        f"| `{name.upper()}` | {_default(field.default)} | {meanings[name]} |\n"
        for name, field in Settings.model_fields.items()
        if f"`{name.upper()}`" not in before
    ]
    return "".join([before, HEAD, *rows])


def _docstrings() -> Iterator[tuple[str, str]]:
    """Yield the name of each field that has a docstring, and the docstring in one line."""
    # From the source, because Python keeps no docstrings of fields at run time.
    tree = ast.parse(inspect.getsource(Settings))
    model = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    for statements in pairwise(model.body):
        match statements:
            case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                yield name, " ".join(text.split())


def _default(value: object) -> str:
    if value in (None, ""):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
