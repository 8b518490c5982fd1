"""Prometheus' text format 0.0.4, read strictly: whatever a scraper might trip over is an error."""

import math
import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL},?)*)\}})? ([^ ]+)")


def read(text):
    """Gives {(name, frozenset of labels): value}; fails where the text is not in order."""
    assert text.endswith("\n")
    samples, types, finished, current = {}, {}, set(), None
    for line in text.splitlines():
        comment = re.fullmatch(rf"# (HELP|TYPE) ({_NAME}) (.*)", line)
        if comment:
            kind, name, rest = comment.groups()
            if name != current:
                assert name not in finished, f"{name} stands in two places"
                finished.add(current)
                current = name
            if kind == "TYPE":
                assert name not in types and rest in ("counter", "gauge", "histogram", "summary", "untyped"), line
                types[name] = rest
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        name, labels, value = match[1], match[2] or "", float(match[match.lastindex])
        family = name
        if types.get(current) == "histogram":
            family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert family == current, f"{name} under {current}"
        pairs = re.findall(_LABEL, labels)
        assert len({key for key, _ in pairs}) == len(pairs), f"a label twice: {line!r}"
        key = (name, frozenset(pairs))
        assert key not in samples, f"twice: {line!r}"
        assert types[current] != "counter" or (value >= 0 and name.endswith("_total")), line
        samples[key] = value
    _check_histograms(samples, [name for name, kind in types.items() if kind == "histogram"])
    return samples


def _check_histograms(samples, names):
    for name in names:
        series = {}
        for (sample, labels), value in samples.items():
            if sample == f"{name}_bucket":
                bound = dict(labels)["le"]
                series.setdefault(frozenset(pair for pair in labels if pair[0] != "le"), []).append((float(bound), value))
        for labels, buckets in series.items():
            buckets.sort()
            counts = [count for _, count in buckets]
            assert buckets[-1][0] == math.inf and counts == sorted(counts), f"{name}{labels}: {buckets}"
            assert samples[(f"{name}_count", labels)] == counts[-1] and (f"{name}_sum", labels) in samples


def value(samples, name, **labels):
    return samples[(name, frozenset(labels.items()))]
