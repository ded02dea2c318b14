"""Hooks of the documentation site: the pages and files that are kept outside `docs/`.

In the repository a page links to `../examples/resume.py` or `CONTRIBUTING.md` by its relative path.
The site has a copy of each such file, and the links are rewritten to lead to the copy.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
COPIED = ("LICENSE", "examples/*.py", "notebooks/*.ipynb", "benchmarks/*.py")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Add the files that are kept outside `docs/`."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    for pattern in COPIED:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):  # noqa: ARG001 - MkDocs passes all of them
    """Rewrite the links of a page from paths in the repository to paths on the site."""
    sources = {page: source for source, page in PAGES.items()}
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def rewritten(link):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        if (ROOT / target).is_dir():
            return "]"  # a folder has no page
        on_site = PAGES.get(target, target.removeprefix("docs/"))
        relative = posixpath.relpath(on_site, posixpath.dirname(page.file.src_uri) or ".")
        return f"]({relative}{link[2] or ''})"

    return LINK.sub(rewritten, markdown)
