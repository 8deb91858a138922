from __future__ import annotations

import json
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spektron_edge.config.publishing import SpectraSettings
from spektron_edge.publishing.spectrum_feed import SpectrumFeed
from spektron_edge.publishing.spectrum_payload import axis_id, spectrum_payload


class Client:
    connected = True

    def __init__(self):
        self.sent, self.retained = [], []

    def publish(self, kind, payload, *, retain):
        self.retained.append(json.loads(payload))

    def publish_binary(self, kind, payload, content_type, user):
        self.sent.append(payload)
        return len(self.sent)


@pytest.fixture
def make(make_scan):
    def build(**settings):
        config = SimpleNamespace(
            spectra=SpectraSettings(**{"every": 1, **settings}), site="s", instrument="i"
        )
        feed = SpectrumFeed(lambda: config, Client())
        scan = make_scan()
        feed.instrument(scan.serial, scan.axis_nm)
        return feed, feed._client, scan

    return build


def offer(feed, scan, *names):
    for name in names:
        feed.offer(name, scan, np.full(scan.axis_nm.size, 0.5))


def records(client):
    return [json.loads(payload.split(b"\n", 1)[0])["record"] for payload in client.sent]


def test_one_is_under_way_and_the_newest_waits(make):
    feed, client, scan = make()
    offer(feed, scan, "a")
    feed.send()
    offer(feed, scan, "b", "c")
    feed.send()
    assert records(client) == ["a"]
    assert not feed.acknowledged(99, None)
    assert feed.acknowledged(1, None)
    feed.send()
    feed.send()
    assert records(client) == ["a", "c"]
    feed.acknowledged(2, "Not authorized")
    assert feed.counters == {"published_spectra": 1, "refused_spectra": 1, "dropped_spectra": 1}


def test_a_new_connection_waits_for_nothing_old_and_tells_the_axis_again(make):
    feed, client, scan = make()
    offer(feed, scan, "a")
    feed.send()
    client.connected = False
    offer(feed, scan, "b")
    feed.send()
    client.connected = True
    feed.connected()
    feed.send()
    assert records(client) == ["a", "b"]
    assert [axis["id"] for axis in client.retained] == [axis_id(scan.axis_nm)] * 2


@pytest.mark.parametrize(
    ("settings", "wanted"), [({"every": 0}, 0), ({"every": 3}, 3), ({"apart_s": 1e6}, 1)]
)
def test_as_many_as_are_configured(make, settings, wanted):
    feed, client, scan = make(**settings)
    for number in range(9):
        offer(feed, scan, str(number))
        feed.send()
        feed.acknowledged(len(client.sent), None)
    assert len(client.sent) == wanted


def test_without_absorbance_or_axis_there_is_nothing_to_publish(make, make_scan):
    feed, client, scan = make()
    feed.offer("a", scan, None)
    feed.offer("b", make_scan(axis_nm=scan.axis_nm * np.nan), np.zeros(scan.axis_nm.size))
    feed.send()
    assert client.sent == []


@given(
    values=arrays(np.float64, st.integers(1, 200), elements=st.floats(-1, 6)),
    precision=st.sampled_from(["float32", "float16"]),
    compression=st.sampled_from(["none", "zlib"]),
)
def test_whatever_is_sent_is_read_again_within_its_precision(values, precision, compression):
    scan = SimpleNamespace(serial="A", number=1, boot_id=2, axis_nm=np.arange(values.size) + 1.0)
    settings = SpectraSettings(every=1, precision=precision, compression=compression)
    made = spectrum_payload("id", scan, values, settings, "s", "i")
    head, body = made.payload.split(b"\n", 1)
    header = json.loads(head)
    body = zlib.decompress(body) if compression == "zlib" else body
    read = np.frombuffer(body, "<f4" if header["dtype"] == "float32" else "<f2")
    assert header["points"] == read.size == values.size
    step = 2.0**-24 if precision == "float32" else 2.0**-11
    np.testing.assert_allclose(read, values, rtol=step, atol=1e-7)


@given(
    values=arrays(np.float64, st.integers(1, 200), elements=st.floats(-1, 6)),
    sd=st.floats(1e-6, 1e-2),
    precision=st.sampled_from(["float32", "float16"]),
)
def test_noise_follows_the_absorbance_where_it_is_known_and_asked_for(values, sd, precision):
    scan = SimpleNamespace(serial="A", number=1, boot_id=2, axis_nm=np.arange(values.size) + 1.0)
    settings = SpectraSettings(every=1, precision=precision, noise=True)
    variance = np.full(values.size, sd**2)
    plain = spectrum_payload("id", scan, values, settings, "s", "i").payload
    noisy = spectrum_payload("id", scan, values, settings, "s", "i", variance).payload
    unasked = settings.model_copy(update={"noise": False})
    assert spectrum_payload("id", scan, values, unasked, "s", "i", variance).payload == plain
    (head, body), (with_noise, more) = plain.split(b"\n", 1), noisy.split(b"\n", 1)
    assert (json.loads(head)["noise"], json.loads(with_noise)["noise"]) == (False, True)
    # Who reads `points` numbers reads the absorbance, as before.
    assert more.startswith(body)
    read = np.frombuffer(more[len(body) :], "<f4" if precision == "float32" else "<f2")
    assert read.size == values.size
    np.testing.assert_allclose(read, sd, rtol=2e-2)
