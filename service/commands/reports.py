"""gazecrop reports: what people objected to, and its export."""

import argparse
import json
import sys
from collections.abc import Sequence

from service.reports import Inbox
from service.settings import Settings


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop reports", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, whole: the export")
    options = parser.parse_args(argv)
    settings = Settings()
    count = 0
    for report in Inbox(settings.data_dir, settings.reports_megabytes).read():
        count += 1
        if options.json:
            print(json.dumps(report, ensure_ascii=False))
        else:
            ratios = ", ".join(crop["ratio"] for crop in report.get("crops", [])) or "-"
            picture = f"  picture: {settings.data_dir / report['picture']}" if "picture" in report else ""
            print(f"{report['at']}  {report.get('kind', 'wrong'):<6}  {report['id']}  {ratios}{picture}")
            if text := report.get("text", ""):
                print(f"    {' '.join(text.split())}")
    if not count:
        print(f"No reports in {settings.data_dir}.", file=sys.stderr)
    return 0
