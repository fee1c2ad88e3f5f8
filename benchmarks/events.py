"""Made-up events of an outfitter's shop: endless, and the same in every run.

Each kind stands for something that collectors do and that a reader can be slow or wrong at. The
generators yield batches, since a call for each of millions of events would take longer than what
it makes.
"""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator

import orjson

Event = dict[str, object]
Row = tuple[int, int, str, int, int]

BATCH = 1_000
START = 1_547_157_950
ASCII = json.JSONEncoder(separators=(",", ":"))

BRANDS = ["adidas", "nike", "vans", "puma", "dr-martens"]
LOOKS = ["classic", "retro", "vintage", "suede", "floral", "navy"]
GOODS = ["backpack", "sneaker", "jacket", "tee", "cap", "dress"]
SIZES = [str(size) for size in range(30, 55)]
ODD_SKUS = [
    'tee "limited" ed.',
    "café-crème-mug",
    "mug, large (2-pack)",
    "back\\slash-cap",
    "😀-tee",
]
EVENTS = (
    ["Product Clicked"] * 30 + ["Product Added"] * 14 + ["Order Completed"] * 6
    + ["Page Viewed"] * 30 + ["Email Opened"] * 8 + ["Email Sent"] * 9 + ["Signup Success"] * 3
)  # fmt: skip
PAGES = ["Home", "Search", "Category", "Product Detail", "Cart", "Checkout"]
TITLES = [
    "Home | Octank Outfitters",
    'Winter ❄ sale | Octank "Outfitters"',
    "Men’s shoes & more | Octank Outfitters",
    "Your cart (2) | Octank Outfitters",
]
AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) {browser} Safari/537.36"
    for system in ("Macintosh; Intel Mac OS X 10_14_2", "Windows NT 10.0; Win64; x64", "iPhone")
    for browser in ("Chrome/71.0.3578.98", "Version/12.0 Mobile/15E148")
]
# What JSON has to escape, and what some collectors escape besides
ODD_TEXTS = [
    '"quoted"',
    'a 27" screen',
    "C:\\deals\\today",
    "crème brûlée",
    "雪が降る",
    "👟👟",
    "🧥",
    "naïve",
    "^\\d+\\.\\d+$",
]


def useritems() -> Iterator[list[Row]]:
    """Small flat records of the shape that pipelines for Personalize have been shown with."""
    draw = random.Random(1).random
    types = ["click"] * 14 + ["view"] * 4 + ["add_to_cart", "purchase"]
    now = START
    while True:
        batch = []
        for _ in range(BATCH):
            now += int(draw() * 4)
            item = 1 + int(5_000 * draw() ** 2)
            batch.append((item, 1 + int(200_000 * draw()), types[int(draw() * 20)], item, now))
        yield batch


def nested() -> Iterator[str]:
    """Segment-like track messages of about 1 KB, of which some lack what a row needs."""
    return _lines(_messages(random.Random(2)), orjson.dumps, _escaped)


def shuffled() -> Iterator[str]:
    """Messages whose members come in another order each time, as maps without order write them."""
    generator = random.Random(3)
    draw = generator.random

    def reorder(value: object) -> object:
        if not isinstance(value, dict):
            return value
        members = sorted(value.items(), key=lambda _: draw())
        return {name: reorder(member) for name, member in members}

    return _lines(map(reorder, _messages(generator)), orjson.dumps)


def mixed() -> Iterator[str]:
    """Messages of collectors that disagree on types, and on what to do with missing values."""
    generator = random.Random(4)
    draw = generator.random

    def disagree(message: Event) -> Event:
        properties = message["properties"]
        if draw() < 0.4 and message.get("userId"):
            message["userId"] = int(message["userId"])
        if draw() < 0.3 and "sku" in properties:
            properties["sku"] = None if draw() < 0.1 else int(draw() * 100_000)
        if "price" in properties:
            price = properties["price"]
            properties["price"] = generator.choice((price, str(price), None, int(price)))
        if draw() < 0.5:
            properties["value"] = generator.choice((1, 1.5, "1", True, None, [1, "2"], {"sum": 3}))
        if draw() < 0.3:
            properties["tags"] = [generator.choice(LOOKS) for _ in range(int(draw() * 4))]
        if draw() < 0.5:
            message["traits"] = {"plan": None, "age": int(draw() * 80)} if draw() < 0.7 else None
        if draw() < 0.2:
            del message["context"]
        if draw() < 0.02:
            message["event"] = None
        return message

    return _lines(map(disagree, _messages(generator)), orjson.dumps)


def escapes() -> Iterator[str]:
    """Messages with text of which much is escaped, written by a collector that keeps to ASCII."""
    generator = random.Random(5)
    draw = generator.random

    def texts(words: int) -> str:
        return " ".join(generator.choices(ODD_TEXTS, k=words))

    # Many, so that nobody profits of having seen them, and made once, to be quick.
    skus = [f"{texts(2)}-{number}" for number in range(5_000)]
    descriptions = [f"{texts(8)}\n\t{texts(8)}" for _ in range(5_000)]

    def describe(message: Event) -> Event:
        del message["context"]
        properties = message["properties"]
        if "sku" in properties:
            properties["sku"] = skus[int(draw() * len(skus))]
        properties["description"] = descriptions[int(draw() * len(descriptions))]
        message["title"] = skus[int(draw() * len(skus))]
        return message

    return _lines(map(describe, _messages(generator)), _escaped)


def _escaped(event: Event) -> bytes:
    """JSON in ASCII, with `\\u` escapes and surrogate pairs."""
    return ASCII.encode(event).encode()


def _lines(events: Iterator[Event], *writers: Callable[[Event], bytes]) -> Iterator[str]:
    """Batches of JSON lines; of several writers the first writes most of them."""
    usual, *others = writers
    turns = itertools.cycle([usual] * 9 + others)
    while True:
        lines = [write(event) for event, write in zip(itertools.islice(events, BATCH), turns)]
        yield (b"\n".join(lines) + b"\n").decode()


def _messages(generator: random.Random) -> Iterator[Event]:
    draw = generator.random

    def pick(values: list[str]) -> str:
        return values[int(draw() * len(values))]

    def digits(count: int) -> str:
        return f"{generator.getrandbits(4 * count):0{count}x}"

    def moment(milliseconds: int) -> str:
        seconds, rest = divmod(milliseconds, 1000)
        return time.strftime(f"%Y-%m-%dT%H:%M:%S.{rest:03d}Z", time.gmtime(seconds))

    skus = ["-".join(words) for words in itertools.product(BRANDS, LOOKS, GOODS, SIZES)]
    generator.shuffle(skus)
    project, key = digits(10), digits(32)
    now = START * 1000
    while True:
        now += int(draw() * 700)
        on_web, event, page = draw() < 0.34, pick(EVENTS), pick(PAGES)
        sku = skus[int(len(skus) * draw() ** 2)] if draw() > 0.004 else pick(ODD_SKUS)
        path = f"/{page.lower().replace(' ', '-')}/{sku if sku.isascii() else 'misc'}"
        user = str(1_000_000_000 + int(150_000 * draw()) * 7919)

        properties: Event = {}
        if event.startswith(("Product", "Order")):
            if draw() > 0.02:
                properties["sku"] = sku
            properties |= {"price": int(draw() * 20_000) / 100, "quantity": 1 + int(draw() * 3)}
        if on_web:
            properties |= {"browser": pick(["Chrome", "Firefox", "Safari"]), "page_name": page}
        else:
            properties |= {"page_name": page, "app_version": f"{1 + int(3 * draw())}.0.1"}

        message: Event = {
            "anonymousId": digits(32),
            "channel": "client" if on_web else "server",
            "context": {
                "ip": f"203.0.113.{int(draw() * 256)}",
                "library": {"name": "analytics.js", "version": "3.7.4"},
                "page": {
                    "path": path,
                    "referrer": "https://www.google.com/",
                    "search": f"?utm_source=email&utm_campaign=c{int(draw() * 500)}",
                    "title": pick(TITLES),
                    "url": f"https://shop.example.com{path}",
                },
                "userAgent": pick(AGENTS),
            },
            "event": event,
            "integrations": {},
            "messageId": f"ajs-{digits(32)}",
            "originalTimestamp": moment(now - 35),
            "projectId": project,
            "properties": properties,
            "receivedAt": moment(now + 120),
            "sentAt": moment(now - 30),
            "timestamp": moment(now),
            "type": "track",
        }
        chance = draw()
        if chance > 0.03:
            message["userId"] = user if chance > 0.05 else None
        yield message | {"version": 2, "writeKey": key}
