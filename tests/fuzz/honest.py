"""Posts a job change every few milliseconds until told to stop; prints what was answered, when, and how slowly."""

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
    answers: Counter[str] = Counter()
    took: list[tuple[float, float]] = []
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
        begun = time.perf_counter()
        connection.request("POST", parts.path, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        took.append((begun, time.perf_counter() - begun))
        answers[str(answer.status)] += 1
        if number == 0:
            sys.stdout.write("sending\n")
            sys.stdout.flush()
        number += 1
    sys.stdout.write(json.dumps({"answers": answers, "took": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
