"""A Sparkplug host application: believes nothing that the specification does not let it believe."""

from __future__ import annotations

from dataclasses import dataclass, field

from spektron_edge.sparkplug.wire import Payload


class Violation(AssertionError):
    """A rule of the specification was broken."""


@dataclass
class Host:
    """Feed it every message of one edge node, in the order of arrival."""

    bd_seq: int | None = None
    seq: int | None = None
    online: bool = False
    node: dict[int, str] = field(default_factory=dict)
    device: dict[int, str] | None = None
    births: list[str] = field(default_factory=list)
    data: list[dict[str, object]] = field(default_factory=list)

    def take(self, topic: str, payload: bytes) -> None:
        kind = topic.split("/")[2]
        getattr(self, f"_{kind.lower()}")(Payload.FromString(payload))

    def _number(self, payload: Payload) -> None:
        if not payload.HasField("seq") or not payload.HasField("timestamp"):
            raise Violation("no seq or no timestamp")
        if not self.online:
            raise Violation("something before NBIRTH")
        if payload.seq != (self.seq + 1) % 256:
            raise Violation(f"seq {payload.seq} after {self.seq}")
        self.seq = payload.seq

    def _nbirth(self, payload: Payload) -> None:
        named = {m.name: m for m in payload.metrics}
        if payload.seq != 0 or not payload.HasField("seq"):
            raise Violation("NBIRTH does not begin at 0")
        if named["Node Control/Rebirth"].boolean_value:
            raise Violation("Rebirth is true")
        self.bd_seq = named["bdSeq"].long_value
        self.online, self.seq, self.device = True, 0, None
        self.node = self._aliases(payload, skip="bdSeq")
        self.births.append("NBIRTH")

    def _dbirth(self, payload: Payload) -> None:
        self._number(payload)
        self.device = self._aliases(payload)
        if set(self.device) & set(self.node):
            raise Violation("an alias twice in one edge node")
        self.births.append("DBIRTH")

    def _aliases(self, payload: Payload, skip: str = "") -> dict[int, str]:
        found = {}
        for metric in payload.metrics:
            if not metric.name or not metric.datatype:
                raise Violation("a birth without name or datatype")
            if not (metric.is_null or metric.WhichOneof("value")):
                raise Violation(f"{metric.name} has no value and is not null")
            if metric.name != skip:
                found[metric.alias] = metric.name
        if len(set(found.values())) != len([m for m in payload.metrics if m.name != skip]):
            raise Violation("an alias or a name twice")
        return found

    def _ndata(self, payload: Payload) -> None:
        self._number(payload)
        self._data("node", payload, self.node)

    def _ddata(self, payload: Payload) -> None:
        self._number(payload)
        if self.device is None:
            raise Violation("DDATA before DBIRTH")
        self._data("device", payload, self.device)

    def _data(self, whose: str, payload: Payload, aliases: dict[int, str]) -> None:
        found: dict[str, object] = {"of": whose, "historical": False}
        for metric in payload.metrics:
            if metric.name or metric.alias not in aliases:
                raise Violation(f"{metric.name or metric.alias} was not in the birth")
            kind = metric.WhichOneof("value")
            found[aliases[metric.alias]] = getattr(metric, kind) if kind else None
            found["historical"] = metric.is_historical
        self.data.append(found)

    def _ddeath(self, payload: Payload) -> None:
        self._number(payload)
        if self.device is None:
            raise Violation("the death of what was not born")
        self.device = None

    def _ndeath(self, payload: Payload) -> None:
        (metric,) = payload.metrics
        if payload.HasField("seq") or metric.name != "bdSeq":
            raise Violation("an NDEATH holds bdSeq and nothing else")
        if self.online and metric.long_value == self.bd_seq:
            self.online = False
