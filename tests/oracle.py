"""The conversion once more, in plain Python and from the rules alone: what rows should come out.

Reads records that are Python values already. Slow and simple on purpose.
"""

import datetime
import decimal
import re

BREAK = re.compile("[ \t\n\v\f\r\x85\u2028\u2029]*[\t\n\v\f\r\x85\u2028\u2029][ \t\n\v\f\r\x85\u2028\u2029]*")


class Rejected(Exception):
    pass


def get(record, path):
    """The value at a dotted path; of names that differ in case the last counts."""
    for name in path.split("."):
        if not isinstance(record, dict):
            return None
        found = [value for key, value in record.items() if key.lower() == name.lower()]
        record = found[-1] if found else None
    return record


def plain(number):
    text = format(decimal.Decimal(str(number)), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def text(value):
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, (int, float, decimal.Decimal)):
        return plain(value)
    if isinstance(value, (dict, list)):
        raise Rejected(value)
    if value is None:
        return None
    line = BREAK.sub(" ", value)
    return line if line.strip() else None


def limited(value, most):
    value = text(value)
    if value is not None and len(value) > most:
        raise Rejected(value)
    return value


def categories(value):
    if isinstance(value, list):
        parts = [text(part) for part in value]
        parts = [part.replace("|", " ").strip() for part in parts if part is not None]
        value = "|".join(part for part in parts if part) or None
    return limited(value, 1000)


def number(value):
    value = text(value)
    if value in ("True", "False"):
        return str(int(value == "True"))
    if value is None:
        return None
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value.strip(), re.ASCII):
        raise Rejected(value)
    return plain(value.strip())


def seconds(value):
    if isinstance(value, bool):
        raise Rejected(value)
    value = text(value)
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", value, re.ASCII):
        exact = decimal.Decimal(value)
        for limit, unit in ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (10**20, 10**9)):
            if abs(exact) < limit:
                whole = exact / unit
                return str(int(whole.to_integral_value(rounding=decimal.ROUND_FLOOR)))
    shape = r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)? ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?)?"
    match = re.fullmatch(shape, value, re.ASCII)
    if not match:
        raise Rejected(value)
    day, minutes, secs, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z", "z", "UTC") else zone
    zone = zone if ":" in zone else f"{zone[:3]}:{zone[3:] or '00'}"
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T{minutes or '00:00'}{secs or ':00'}{zone}")
    except ValueError as fault:
        raise Rejected(value) from fault
    return str(int(moment.timestamp()))


IDENTIFIER = lambda value: limited(value, 256)
FLOAT, EPOCH, CATEGORIES = number, seconds, categories


def convert(records, columns, event_path=None, event_types=None):
    """The rows as lists, and the counts.

    `columns` are (path, conversion, required); a record of another event type is filtered.
    """
    rows, counts = [], {"records_read": 0, "filtered": 0, "rejected": 0}
    for record in records:
        counts["records_read"] += 1
        if event_types is not None and get(record, event_path) not in event_types:
            counts["filtered"] += 1
            continue
        try:
            row = [conversion(get(record, path)) for path, conversion, _ in columns]
            for cell, (_, _, required) in zip(row, columns):
                if required and cell is None:
                    raise Rejected(record)
            rows.append(row)
        except Rejected:
            counts["rejected"] += 1
    return rows, counts
