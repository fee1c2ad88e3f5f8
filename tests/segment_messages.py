"""Messages made by Segment's own client library, with everything odd that a field may hold."""

import datetime
import json
import random

import segment.analytics

import oracle

EVENTS = ["Product Added", "Order Completed", "Product Clicked"]
MAPPING = {
    "EventTypes": ",".join(EVENTS),
    "SourceColumnUserId": "userId",
    "SourceColumnItemId": "properties.sku",
    "SourceColumnEventType": "event",
    "SourceColumnTimestamp": "timestamp",
}
COLUMNS = [
    ("properties.sku", oracle.IDENTIFIER, True),
    ("userId", oracle.IDENTIFIER, True),
    ("event", oracle.IDENTIFIER, True),
    ("timestamp", oracle.EPOCH, True),
]
ODD = [
    "plain-sku", "with, comma", 'say "hi"', "back\\slash", "ends\\", "a|b", "#1", "テスト", "Ünïcode",
    "1234567890123456789012345", "two\nlines", "tab\there", "}{", "  ", "é" * 256, "é" * 257, "'", "a,b\\,\"c\"",
]


def messages(count, seed):
    random_ = random.Random(seed)
    client = segment.analytics.Client("write-key", send=False)
    start = datetime.datetime(2024, 2, 28, 23, 59, 1, 500_000, tzinfo=datetime.timezone.utc)
    made = []
    for number in range(count):
        user = random_.choice(["u1", "1234567890123456789012345", *ODD, 77])
        who = {"user_id": user} if random_.random() < 0.9 else {"anonymous_id": "anon"}
        when = start + datetime.timedelta(seconds=number * 7.3)
        if random_.random() < 0.1:
            _, message = client.identify(traits={"name": "x"}, timestamp=when, **who)
        else:
            properties = {"price": round(random_.random() * 100, 2)}
            if random_.random() < 0.9:
                properties["sku"] = random_.choice([*ODD, number, 2**70, 3.0, None, ["x"], {"a": 1}])
            event = random_.choice([*EVENTS, "Page Viewed"])
            _, message = client.track(event=event, properties=properties, timestamp=when, **who)
        made.append(json.loads(json.dumps(message, default=str)))
    return made


def expected(made):
    """The rows that should come of messages, and the counts."""
    return oracle.convert(made, COLUMNS, "event", EVENTS)
