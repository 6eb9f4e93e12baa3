"""Compare viewers of OpenAPI documents under the Content-Security-Policy of /docs.

Downloads the packages with npm, shows the service's document by each in Chromium, and prints the table of
docs/explanation/decisions/0012-swagger-ui.md. The screenshots are in build/viewers.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Error, Page, Response, Route, sync_playwright

from deploy.environment import ROOT
from localstack.stack import Stack
from localstack.stack_settings import Settings

FOLDER = ROOT / "build" / "viewers"
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TIMEOUT_SECONDS = 60
SETTLING_SECONDS = 5
"""How long a viewer may work after it has shown the title, before it is measured."""

POLICY = "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'self'; " + "; ".join(
    f"{kind}-src 'self'" for kind in ("script", "style", "img", "font")
)
VIOLATIONS_SCRIPT = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
"""
AXE_SCRIPT = """
async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id }) => id);
}
"""
BROTLI_SCRIPT = """
const files = process.argv.slice(1).map((file) => require("node:fs").readFileSync(file));
console.log(files.reduce((sum, file) => sum + require("node:zlib").brotliCompressSync(file).length, 0));
"""
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
"""


@dataclass(frozen=True)
class Viewer:
    """A viewer as its documentation embeds it, but without inline scripts and other hosts."""

    package: str
    body: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...] = ()
    start: str = ""
    module: bool = False

    def html(self) -> str:
        kind = ' type="module"' if self.module else ""
        styles = "".join(f'<link rel="stylesheet" href="{name}">' for name in self.styles)
        scripts = "".join(f'<script{kind} src="{name}"></script>' for name in (*self.scripts, "start.js"))
        return f"{HEAD}{styles}<body>{self.body}{scripts}"


VIEWERS = (
    Viewer(
        "swagger-ui-dist@5.35.0",
        '<div id="viewer"></div>',
        ("swagger-ui-bundle.js",),
        ("swagger-ui.css",),
        'SwaggerUIBundle({ dom_id: "#viewer", url: "/openapi.json" });',
    ),
    Viewer(
        "@scalar/api-reference@1.76.0",
        '<div id="viewer"></div>',
        ("dist/browser/standalone.js",),
        ("dist/style.css",),
        'Scalar.createApiReference("#viewer", { url: "/openapi.json", withDefaultFonts: false });',
    ),
    Viewer(
        "redoc@3.0.1",
        '<redoc spec-url="/openapi.json"></redoc>',
        ("bundles/redoc.standalone.js",),
        module=True,
    ),
    Viewer(
        "rapidoc@9.3.8",
        '<rapi-doc spec-url="/openapi.json" load-fonts="false"></rapi-doc>',
        ("dist/rapidoc-min.js",),
    ),
    Viewer(
        "@stoplight/elements@9.0.25",
        '<elements-api apiDescriptionUrl="/openapi.json" router="hash"></elements-api>',
        ("web-components.min.js",),
        ("styles.min.css",),
    ),
    Viewer(
        "openapi-explorer@2.4.820",
        '<openapi-explorer spec-url="/openapi.json"></openapi-explorer>',
        ("dist/browser/openapi-explorer.min.js",),
    ),
)


def main() -> None:
    print("| viewer | first load, brotli | main thread | refused by the policy | axe: serious kinds |")
    print("| --- | --- | --- | --- | --- |")
    with (
        TemporaryDirectory() as folder,
        Stack(Settings(port=0, edge_port=0, data_dir=Path(folder))) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for viewer in VIEWERS:
            with shown(browser, stack.url) as page:
                files = serve(page, viewer)
                print(row(viewer.package, page, "/viewer/", partial(brotli, files)), flush=True)
        with shown(browser, stack.url) as page:
            lengths = list[int]()
            page.on("response", lambda response: lengths.append(length(response)))
            print(row("this service's `/docs`", page, "/docs", lambda: sum(lengths)))


@contextmanager
def shown(browser: Browser, url: str) -> Iterator[Page]:
    """Yield a page that has the width of a phone, and notes what the policy refuses."""
    context = browser.new_context(base_url=url, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.add_init_script(VIOLATIONS_SCRIPT)
    yield page
    context.close()


def serve(page: Page, viewer: Viewer) -> list[Path]:
    """Serve a viewer below /viewer/ under the policy, and return the files that the page loads."""
    folder = download(viewer.package)
    loaded = list[Path]()

    def fulfill(route: Route) -> None:
        name = urlsplit(route.request.url).path.removeprefix("/viewer/")
        if name in ("", "start.js"):
            kind, body = ("text/javascript", viewer.start) if name else ("text/html", viewer.html())
            return route.fulfill(body=body, content_type=kind, headers={"Content-Security-Policy": POLICY})
        if not (folder / name).exists():
            return route.abort()
        loaded.append(folder / name)
        return route.fulfill(path=folder / name)

    page.route("**/viewer/**", fulfill)
    return loaded


def download(package: str) -> Path:
    """Return the folder of an npm package's files."""
    folder = FOLDER / package.replace("/", "-")
    if not folder.exists():
        folder.mkdir(parents=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, capture_output=True, text=True, check=True
        )
        subprocess.run(["tar", "-xzf", packed.stdout.strip()], cwd=folder, check=True)
    return folder / "package"


def row(name: str, page: Page, path: str, size: Callable[[], int]) -> str:
    """Open a viewer, and return its row of the table."""
    page.set_default_timeout(TIMEOUT_SECONDS * 1000)
    main_thread = page.context.new_cdp_session(page)
    main_thread.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path)
    with suppress(Error):  # one viewer never shows anything
        page.get_by_text("restcalculator").first.wait_for()
    page.wait_for_timeout(SETTLING_SECONDS * 1000)
    metrics = main_thread.send("Performance.getMetrics")["metrics"]
    seconds = next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")
    page.screenshot(path=FOLDER / f"{name.partition('@')[0] or name[1:]}.png".replace("/", "-"))
    refused = Counter(page.evaluate("violations"))
    refusals = ", ".join(f"{directive} ({count})" for directive, count in refused.items()) or "nothing"
    page.evaluate(AXE.read_text("utf-8"))
    kinds = ", ".join(page.evaluate(AXE_SCRIPT)) or "none"
    return f"| {name} | {size() / 1000:.0f} kB | {seconds:.1f} s | {refusals} | {kinds} |"


def brotli(files: list[Path]) -> int:
    command = ["node", "-e", BROTLI_SCRIPT, *map(str, files)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def length(response: Response) -> int:
    """Return the bytes of a compressed script or style."""
    return int(response.headers["content-length"]) if "/assets/" in response.url else 0


if __name__ == "__main__":
    main()
