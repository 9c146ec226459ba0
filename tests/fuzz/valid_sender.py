"""Posts a job change every few milliseconds until stdin says stop, then prints the responses and their times."""

from __future__ import annotations

import http.client
import json
import select
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

EVERY_SECONDS = 0.03


def main(url: str, key: str, name: str) -> None:
    parts = urlsplit(url)
    statuses: Counter[str] = Counter()
    timings: list[tuple[float, float]] = []
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"X-Api-Key": key, "Content-Type": "application/json"}
    number = 0
    while not select.select([sys.stdin], [], [], EVERY_SECONDS)[0]:
        body = {
            "source": name,
            "source_event_id": str(number),
            "signal": "contact_tracking",
            "change_type": "new_company",
            "person": {"full_name": "Ada Smith", "emails": ["ada@globex.example"]},
            "current": {"company": {"name": "Globex"}},
        }
        began = time.perf_counter()
        connection.request("POST", parts.path, json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        timings.append((began, time.perf_counter() - began))
        statuses[str(response.status)] += 1
        if number == 0:
            sys.stdout.write("sending\n")
            sys.stdout.flush()
        number += 1
    sys.stdout.write(json.dumps({"statuses": statuses, "timings": timings}))


if __name__ == "__main__":
    main(*sys.argv[1:])
