"""Where samples and their expected outcomes go."""

import json

FILES = {}          # path below reports-sample → bytes


def put(path, data):
    assert path not in FILES, path
    FILES[path] = data if isinstance(data, bytes) else data.encode("utf-8")


def expect(path, value):
    put(path + ".expected.json", json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def stored(path, data, *reports):
    put(path, data)
    expect(path, {"outcome": "stored", "reports": list(reports)})


def refused(path, data, code):
    put(path, data)
    expect(path, {"outcome": "refused", "code": code, "reports": []})


def not_a_report(path, data, code):
    put(path, data)
    expect(path, {"outcome": "not-a-report", "code": code, "reports": []})
