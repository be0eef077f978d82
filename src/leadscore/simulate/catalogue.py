"""What the company has: kinds of interaction, content in layers, campaigns, third parties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Kind:
    """A kind of interaction and how much one of it warms a lead.

    Attributes:
        name: As in the tables.
        direction: None for a third party's mention, which neither side did.
        channel: The way it came, before the drift.
        channel_after: The same from the day of the drift on.
        layer: Depth of what was touched; "content" takes it from the content; None touches nothing.
        weight: Degrees one interaction adds to the temperature, before the drift; 0 unless inbound.
        weight_after: The same from the day of the drift on.
    """

    name: str
    direction: Literal["inbound", "outbound"] | None
    channel: str
    channel_after: str
    layer: int | Literal["content"] | None
    weight: float
    weight_after: float


KINDS = (
    Kind("mail_sent", "outbound", "mail", "mail", None, 0.0, 0.0),
    Kind("mail_open", "inbound", "mail", "mail", None, 0.3, 0.1),
    Kind("mail_click", "inbound", "mail", "mail", "content", 1.0, 0.5),
    Kind("page_view", "inbound", "web", "web", "content", 0.5, 0.5),
    Kind("download", "inbound", "form", "form", "content", 1.0, 1.0),
    Kind("demo_request", "inbound", "form", "form", 4, 4.0, 4.0),
    Kind("chat", "inbound", "chat", "chat", 3, 0.0, 2.0),
    Kind("call", "outbound", "phone", "phone", None, 0.0, 0.0),
    Kind("conversation", "inbound", "phone", "phone", None, 2.0, 2.0),
    Kind("webinar_registered", "inbound", "webinar", "online event", 2, 0.7, 0.7),
    Kind("webinar_attended", "inbound", "webinar", "online event", 3, 2.0, 2.5),
    Kind("event_visit", "inbound", "event", "event", 2, 1.5, 1.5),
    Kind("mention", None, "third party", "third party", None, 0.0, 0.0),
)
KIND = {kind.name: code for code, kind in enumerate(KINDS)}

TOPICS = ("automation", "analytics", "compliance", "integration", "cost")

# Layer, form, and how many items there are of it; layer 1 is the surface, layer 4 the core.
_CONTENT = (
    (1, "blog", 60),
    (2, "guide", 25),
    (2, "case-study", 15),
    (3, "product-page", 15),
    (3, "api-reference", 10),
    (4, "pricing", 5),
    (4, "security-review", 5),
)
_SPECIAL = (("webinar", 3), ("fair", 2), ("demo", 4), ("chat", 3))

DRIPS = tuple(f"drip-{topic}" for topic in TOPICS)
# Days after creation on which a drip sequence sends, and the layer of what it points to.
DRIP_DAYS = np.array([1, 4, 9, 16, 23, 37, 51, 72])
DRIP_LAYERS = np.array([1, 1, 2, 2, 2, 3, 3, 4])

THIRD_PARTIES = (
    "analyst-quadrant",
    "analyst-northlight",
    "press-the-ledger",
    "press-usine-et-bureau",
    "partner-integrators",
    "partner-cloud-shop",
)


@dataclass(frozen=True)
class Content:
    """One row per item of content: its name, layer and topic, as arrays of one length."""

    names: tuple[str, ...]
    layer: Ints
    topic: Ints

    def draw(self, layers: Ints, topics: Ints, rng: np.random.Generator) -> Ints:
        """Pick an item of each given layer, of the given topic where chance (one half) and stock allow."""
        picked = np.empty(len(layers), np.int64)
        for layer in range(1, 5):
            items = np.flatnonzero((self.layer == layer) & (self.topic >= 0))
            here = np.flatnonzero(layers == layer)
            first, again = (items[rng.integers(0, len(items), len(here))] for _ in range(2))
            # A second chance for those whose first item is off their topic makes interests visible in the content.
            picked[here] = np.where(self.topic[first] == topics[here], first, again)
        return picked


def content() -> Content:
    """List the content: pages by layer first, then one row per kind that is its own content (topic -1)."""
    rows = [
        (f"{form}-{number + 1:02d}", layer, number % len(TOPICS))
        for layer, form, count in _CONTENT
        for number in range(count)
    ]
    rows += [(name, layer, -1) for name, layer in _SPECIAL]
    names, layers, topics = zip(*rows, strict=True)
    return Content(tuple(names), np.array(layers), np.array(topics))
