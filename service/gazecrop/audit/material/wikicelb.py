"""Downloads a data set like the paper's "WikiCelb" (4,073 individuals there): people of Wikidata with a picture, a
gender and an ethnic group, as Wikidata records them.

Three resumable steps. The response to the query is stored in `answer.json`. For each picture Wikimedia Commons gives
licence and author; then the picture itself is downloaded, scaled by Commons. `people.csv` gets a line only after the
picture is complete: file, who (the item number), name, gender, group, and licence, author and page, which must stay
with the picture. Pictures without a licence are skipped. Requests are sequential, by default at most one a second, with
a User-Agent that names the caller, as Wikimedia's policy requires; Retry-After is respected.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

from blake3 import blake3

from gazecrop.audit.material.wikimedia import Client, FetchError

INDIVIDUALS = 4073
COLUMNS = ("file", "who", "name", "gender", "group", "licence", "author", "page")
MOST_BYTES = 8_000_000  # of one scaled picture; a larger file is not a scaled picture

# Humans with a picture, gender, ethnic group and a Library of Congress entry (people who have been written about), born
# since 1950 (photographs in colour): the fields of the paper's data set.
QUERY = """\
SELECT ?human ?humanLabel ?image ?genderLabel (SAMPLE(?groupLabel) AS ?group) (COUNT(DISTINCT ?ethnic) AS ?groups)
WHERE {
  ?human wdt:P31 wd:Q5 ;
         wdt:P18 ?image ;
         wdt:P21 ?gender ;
         wdt:P172 ?ethnic ;
         wdt:P244 [] ;
         wdt:P569 ?born .
  FILTER(YEAR(?born) >= 1950)
  ?ethnic rdfs:label ?groupLabel . FILTER(LANG(?groupLabel) = "en")
  ?gender rdfs:label ?genderLabel . FILTER(LANG(?genderLabel) = "en")
  ?human rdfs:label ?humanLabel . FILTER(LANG(?humanLabel) = "en")
}
GROUP BY ?human ?humanLabel ?image ?genderLabel
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person in the response to the query."""

    who: str
    name: str
    gender: str
    group: str
    image: str  # name of the file on Commons


def people_of(answer: bytes) -> list[Candidate]:
    """Parses the response to the query, one entry a person. People with several ethnic groups are skipped, since a pair
    compares two groups. Raises FetchError."""
    found: dict[str, Candidate] = {}
    try:
        for row in json.loads(answer)["results"]["bindings"]:
            values = {name: cell["value"] for name, cell in row.items()}
            who = values["human"].rsplit("/", 1)[-1]
            if values.get("groups", "1") != "1" or not re.fullmatch(r"Q\d{1,12}", who):
                continue
            image = unquote(values["image"].rsplit("/", 1)[-1])
            gender, group = values["genderLabel"], values["group"]
            found.setdefault(who, Candidate(who, values["humanLabel"], gender, group, image))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(f"the response to the query cannot be parsed: {error!r}") from error
    # Ordered by a hash: the first thousands in the order of the query would be the oldest entries.
    return sorted(found.values(), key=lambda person: blake3(person.who.encode()).digest())


def licence_of(answer: bytes) -> dict[str, str] | None:
    """licence, author and page of a file, from Commons' `imageinfo`; None if it states no licence."""
    try:
        pages = json.loads(answer)["query"]["pages"].values()
        info = next(page["imageinfo"][0] for page in pages if "imageinfo" in page)
        about = info["extmetadata"]
        licence = _plain(about["LicenseShortName"]["value"])
        author = _plain(about.get("Artist", {}).get("value", ""))
        return {"licence": licence, "author": author, "page": info["descriptionurl"]} if licence else None
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None


def _plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())[:300]


def fetch(folder: Path, client: Client, count: int, width: int) -> Iterator[Candidate]:
    """Downloads what is missing; yields each person whose picture is complete. Raises FetchError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "query.rq").write_text(QUERY)
    kept = folder / "answer.json"
    if not kept.exists():
        url = f"{client.source.sparql}?{urlencode({'query': QUERY, 'format': 'json'})}"
        data = client.get(url, "application/sparql-results+json")
        people_of(data)  # before it is stored: an invalid response is requested again
        _write(kept, data)
    table, skipped = folder / "people.csv", folder / "left-out.txt"
    known = {row["who"] for row in rows(table)}
    out = set(skipped.read_text().split()) if skipped.exists() else set()
    for person in people_of(kept.read_bytes()):
        if len(known) >= count:
            return
        if person.who in known | out:
            continue
        line = _one(folder, client, person, width)
        if line is None:
            out.add(person.who)
            with skipped.open("a") as file:
                file.write(f"{person.who}\n")
            continue
        known.add(person.who)
        new = not table.exists()
        with table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow(line)
        yield person


def rows(table: Path) -> list[dict[str, str]]:
    """The lines of `people.csv`; empty if there is no such file."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _one(folder: Path, client: Client, person: Candidate, width: int) -> dict[str, str] | None:
    """A line of the table, after its picture is stored; None without a licence or a usable picture."""
    parameters = {
        "action": "query",
        "format": "json",
        "prop": "imageinfo",
        "iiprop": "url|extmetadata",
        "titles": f"File:{person.image}",
    }
    terms = licence_of(client.get(f"{client.source.commons}?{urlencode(parameters)}", "application/json"))
    if terms is None:
        return None
    suffix = Path(person.image).suffix.lower()
    file = f"{person.who}{suffix if suffix in ('.png', '.gif', '.webp') else '.jpg'}"
    try:
        data = client.get(f"{client.source.files}{quote(person.image)}?width={width}", most=MOST_BYTES)
    except FetchError as error:
        if error.status == 404:
            return None
        raise
    if len(data) > MOST_BYTES:
        return None
    _write(folder / file, data)
    return {
        "file": file,
        "who": person.who,
        "name": person.name,
        "gender": person.gender,
        "group": person.group,
    } | terms


def _write(path: Path, data: bytes) -> None:
    """Atomically."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
