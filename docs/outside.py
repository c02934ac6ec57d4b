"""A hook of MkDocs: links that lead out of docs/ into the repository become the path as code, since a site of docs/
does not have these files. On a git host they are links."""

import re

_LINK = re.compile(r"\[([^\]]*)\]\((?:\.\./)+((?!runbooks/)[^)#:]+?)\)")


def on_page_markdown(markdown: str, page: object, **_: object) -> str:
    """MkDocs calls it with the source of each page."""
    return _LINK.sub(lambda link: _inside(link, page), markdown)


def _inside(link: re.Match[str], page: object) -> str:
    depth = page.file.src_uri.count("/")  # type: ignore[attr-defined]
    if link[0].count("../") <= depth:
        return link[0]
    return link[2] and f"{link[1]} (`{link[2]}`)" if f"`{link[2]}`" not in link[1] else link[1]
