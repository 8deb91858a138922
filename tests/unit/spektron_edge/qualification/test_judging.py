"""From measurements to items: limits, what is missing, and what cannot be judged."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from spektron_edge.detector.wavelength_check import load_standard
from spektron_edge.faults import Fault, Faults
from spektron_edge.qualification import controls, operation, performance
from spektron_edge.qualification.control_chart import RULES
from spektron_edge.qualification.figures import drawn
from spektron_edge.qualification.items import (
    OURS,
    PLAN,
    Expected,
    Item,
    Limit,
    judged,
    noted,
    overall,
)
from spektron_edge.qualification.measuring import take
from spektron_edge.qualification.performance import Stated
from spektron_edge.qualification.plan import Plan, example, read_plan
from spektron_edge.qualification.references import References, read_references

from .made import AXIS, UNIT, measured, run

TODAY = date(2026, 11, 23)
HEAD = {"title": "t", "version": "1", "compare_least": 3}


def plan(**parts):
    return Plan.model_validate({**HEAD, **parts})


def verdicts(found):
    return {item.what: item.verdict for item in found.items}


def judge(given, taken):
    return operation.judge(given, taken, Path("/absent"), TODAY)


def test_the_example_is_a_plan(tmp_path):
    (tmp_path / "plan.toml").write_text(example())
    found = read_plan(tmp_path / "plan.toml")
    assert len(found.sha256) == 64
    assert found.plan.noise[0].mean.source.startswith(PLAN)
    assert len(operation.steps(found.plan)) == 10
    assert found.plan.compare["moisture"].laboratory_error == 0.1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", "not TOML"),
        ("title = 1", "version"),
        ('title = "a"\nversion = "1"\nnoises = 3', "noises"),
        (
            'title="a"\nversion="1"\n[[photometric]]\nname="x"\nnm=[1.0]\nreflectance=[80.0]',
            "not per cent",
        ),
        ('title="a"\nversion="1"\n[[photometric]]\nname="x"\nnm=[1.0]', "one of the two"),
        (
            'title="a"\nversion="1"\n[[photometric]]\nname="x"\nnm=[1.0]\nabsorbance=[1.0, 2.0]',
            "1 wavelengths and 2 values",
        ),
        ('title="a"\nversion="1"\n[[noise]]\nname="x"\n[[noise]]\nname="x"', "share a name"),
        ('title="a"\nversion="1"\n[[noise]]\nname="x"\nmean=-1.0', "greater than 0"),
        ('title="a"\nversion="1"\n[[noise]]\nname="x"\nmean=inf', "finite"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path, text, told):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(Fault, match=told) as caught:
        read_plan(tmp_path / "plan.toml")
    assert caught.value.kind is Faults.COMMAND_INPUT


def test_nothing_is_silent():
    found = judge(plan(), {})
    assert verdicts(found) == {
        "wavelength": "not done",
        "photometric linearity": "not done",
        "photometric noise": "not done",
        "baseline": "not done",
        "repeatability": "not done",
    }
    assert overall(found.items) == "incomplete"
    # A value without a limit proves nothing by itself.
    assert overall([noted("a", "b", "c")]) == "incomplete"
    assert overall([noted("a", "b", "c", Expected(value="c")), noted("a", "b", "c")]) == "pass"
    assert overall([noted("a", "b", "c", Expected(value="d")), found.items[0]]) == "fail"
    with pytest.raises(ValidationError):
        judged("a", "b", float("nan"), Limit(limit=1.0))


def bands(shift=0.0):
    away = [(AXIS - b.nm - shift) / 8 for b in load_standard("srm-2035").bands]
    return sum(0.3 * np.exp(-(d**2) / 2) for d in away)


@pytest.mark.parametrize(("shift", "verdict"), [(0.2, "pass"), (3.5, "fail"), (-3.5, "fail")])
def test_wavelengths(shift, verdict):
    given = plan(wavelength={"name": "srm-2035", "scans": 2, "repeats": 3})
    found = judge(given, {"wavelength": measured(bands(shift), 6)})
    accuracy = [i for i in found.items if i.part == "wavelength accuracy"]
    assert len(accuracy) == 5
    assert {i.verdict for i in accuracy} == {verdict}
    assert accuracy[0].value == pytest.approx(shift, abs=0.1)
    assert accuracy[0].source.startswith(OURS)
    precision = [i for i in found.items if i.part == "wavelength precision"]
    assert all(0 <= i.value < 0.1 for i in precision)
    assert len(found.figures) == 1


def test_another_thing_in_the_beam_is_not_judged():
    given = plan(wavelength={"name": "srm-2035", "scans": 2, "repeats": 3})
    found = judge(given, {"wavelength": measured(0.3, 6)})
    assert verdicts(found)["wavelength"] == "not done"
    assert "lie in the beam" in next(i.told for i in found.items if i.what == "wavelength")
    unknown = plan(wavelength={"name": "water"})
    assert (
        verdicts(judge(unknown, {"wavelength": measured(bands(), 80)}))["wavelength"] == "not done"
    )


def greys(values=(0.1, 0.4, 0.9)):
    standards = [{"name": str(a), "nm": [1200.0], "absorbance": [a]} for a in values]
    return plan(photometric=standards, linearity={"residual": 0.005})


@pytest.mark.parametrize(
    ("bent", "verdict"), [(lambda a: 1.01 * a, "pass"), (lambda a: 1.1 * a, "fail")]
)
def test_linearity(bent, verdict):
    taken = {f"photometric {a}": measured(bent(a)) for a in (0.1, 0.4, 0.9)}
    found = verdicts(judge(greys(), taken))
    assert found["slope at 1200 nm"] == verdict
    assert found["intercept at 1200 nm"] == "pass"
    assert found["largest residual at 1200 nm"] == "pass"


def test_a_bent_scale_shows_in_the_residual():
    taken = {f"photometric {a}": measured(a - 0.1 * a**2) for a in (0.1, 0.4, 0.9)}
    assert verdicts(judge(greys(), taken))["largest residual at 1200 nm"] == "fail"


def test_what_linearity_lacks():
    two = judge(greys((0.1, 0.4)), {f"photometric {a}": measured(a) for a in (0.1, 0.4)})
    assert verdicts(two)["at 1200 nm"] == "not done"
    given = plan(photometric=[{"name": f"{i}", "nm": [3000.0], "absorbance": [0.3]} for i in "abc"])
    beyond = judge(given, {f"photometric {i}": measured(0.3) for i in "abc"})
    assert verdicts(beyond)["a at 3000 nm"] == "not done"
    equal = plan(photometric=[{"name": f"{i}", "nm": [1200.0], "absorbance": [0.3]} for i in "abc"])
    same = judge(equal, {f"photometric {i}": measured(0.3) for i in "abc"})
    assert verdicts(same)["at 1200 nm"] == "not done"


def test_noise_and_baseline():
    given = plan(
        noise=[{"name": "white", "mean": 3e-4, "largest": 8e-4, "peak_to_peak": 2e-3}],
        baseline={"name": "white", "flatness": 0.01, "range": 0.002, "drift": 0.5},
    )
    quiet = {"noise white": measured(0.0, 20), "baseline": measured(0.0, 20)}
    assert set(verdicts(judge(given, quiet)).values()) == {"pass", "no limit", "not done"}
    loud = {
        "noise white": measured(0.0, 20, noise=1e-3),
        "baseline": measured(np.linspace(0, 0.1, AXIS.size), 20),
    }
    found = verdicts(judge(given, loud))
    assert found["rms, mean of windows"] == "fail"
    assert found["flatness"] == "fail"
    drifting = measured(np.linspace(0, 0.01, 20)[:, None] + np.zeros(AXIS.size), 20)
    found = verdicts(judge(given, {"noise white": "it fell down", "baseline": drifting}))
    assert found["drift"] == "fail"
    assert found["range of the mean"] == "fail"
    assert found["noise white"] == "not done"
    # A drift over a clock that was set meanwhile is none.
    stepped = measured(0.0, 20, at_s=1.8e9 + np.r_[0:10.0, -3600:-3590.0])
    assert verdicts(judge(given, {"baseline": stepped}))["drift"] == "not done"


def test_a_figure_of_one_place_can_be_drawn():
    """One window, one band, one value: the report is made all the same."""
    axis = np.arange(1100.0, 1200.0, 2.0)
    given = plan(noise=[{"name": "white", "mean": 3e-4}])
    found = judge(given, {"noise white": measured(0.0, 4, noise=0.0, axis_nm=axis)})
    assert drawn(found.figures[0]).startswith("<svg")


def test_certificates():
    given = plan(
        noise=[{"name": "a", "certificate": "7", "expires": "2026-11-23"}, {"name": "c"}],
        baseline={"name": "b", "expires": "2026-11-22"},
    )
    found = judge(given, {})
    told = {i.what: i.verdict for i in found.items if i.part == "certificates"}
    assert told == {"a": "pass", "b": "fail", "c": "no limit"}


def test_repeatability():
    given = plan(
        repeatability={
            "sample": "s",
            "fills": 2,
            "within": {"moisture": 0.05},
            "total": {"moisture": 0.05, "fat": 1.0},
        }
    )
    far = {"repeatability 1": measured(moisture=10.0), "repeatability 2": measured(moisture=10.5)}
    found = verdicts(judge(given, far))
    assert found["moisture, within a filling"] == "pass"
    assert found["moisture, with refilling"] == "fail"
    assert found["fat"] == "not done"
    once = plan(repeatability={"sample": "s", "fills": 1, "total": {"moisture": 0.05}})
    found = verdicts(judge(once, {"repeatability 1": measured()}))
    assert found["moisture, with refilling"] == "not done"
    gone = measured(values={"moisture": np.full(4, np.nan)}, invalid=("saturated",))
    found = judge(given, {"repeatability 1": gone, "repeatability 2": gone})
    assert "saturated" in next(i.told for i in found.items if i.what == "moisture")


# ---- performance


def references(*values, unit=UNIT):
    return References({f"s{i}": {"moisture": v} for i, v in enumerate(values)}, {"moisture": unit})


def samples(*values):
    return {f"sample s{i}": measured(moisture=v) for i, v in enumerate(values)}


TRUE = (8.0, 9.0, 10.0, 11.0, 12.0)
NEAR = (8.05, 8.96, 10.03, 10.98, 11.99)


def compared(taken, given=None, stated=None, laboratory=None):
    found = performance.judge(given or plan(), laboratory or references(*TRUE), taken, stated or {})
    return {item.what: item for item in found.items}


def test_a_method_that_agrees():
    stated = {"moisture": Stated(0.05, 20, "the bundle")}
    found = compared(samples(*NEAR), stated=stated)
    assert {i.verdict for i in found.values()} == {"pass", "no limit"}
    assert found["bias"].source == f"{OURS}: paired t test at 95 %"
    assert "20 samples" in found["SEP"].source


def test_a_bias_and_a_larger_error_fail():
    assert compared(samples(*(v + 0.3 for v in NEAR)))["bias"].verdict == "fail"
    stated = {"moisture": Stated(0.005, 20, "the bundle")}
    assert compared(samples(*NEAR), stated=stated)["SEP"].verdict == "fail"
    # Noise alone has no significant bias: without a bound of the scatter nothing is shown.
    assert compared(samples(*NEAR))["SEP"].verdict == "not done"
    stretched = samples(*(10 + 1.2 * (v - 10) for v in NEAR))
    assert compared(stretched)["slope of reference on prediction"].verdict == "fail"


def test_limits_of_ones_own_go_first():
    limits = {"unit": UNIT, "bias": 0.5, "sep": 0.1, "slope": 0.1, "agreement": 0.1}
    given = plan(compare={"moisture": {**limits, "laboratory_error": 0.02}})
    found = compared(samples(*(v + 0.3 for v in NEAR)), given)
    assert found["bias"].verdict == "pass"
    assert found["bias"].source == PLAN
    assert found["limits of agreement, the wider one"].verdict == "fail"
    assert "SEL 0.02" in found["SEP / laboratory's error"].told


def test_every_limit_says_whose_it_is(tmp_path):
    (tmp_path / "plan.toml").write_text(
        'title = "t"\nversion = "1"\n[expected]\nhost = "box"\n[[noise]]\nname = "w"\nmean = 0.1\n'
        'largest = { limit = 0.2, source = "SOP 17" }\npeak_to_peak = { limit = 0.3 }\n'
    )
    found = read_plan(tmp_path / "plan.toml")
    by_plan = f"{PLAN}, SHA-256 {found.sha256[:12]}..."
    noise = found.plan.noise[0]
    assert noise.mean.source == noise.peak_to_peak.source == by_plan
    assert noise.largest.source == f"SOP 17, by {by_plan}"
    assert found.expected == {"host": Expected(value="box", source=by_plan)}
    assert found.plan.linearity.slope.source.startswith(OURS)
    for wrong in ("mean = true", 'mean = { limit = 0.2, source = "" }', "mean = { source = 'x' }"):
        (tmp_path / "plan.toml").write_text(f'title="t"\nversion="1"\n[[noise]]\nname="w"\n{wrong}')
        with pytest.raises(Fault, match=r"noise\.0\.mean"):
            read_plan(tmp_path / "plan.toml")


def test_no_default_names_a_standard_that_nobody_here_has_read():
    """Editions differ, and none of them ships: whoever is bound by one names it in the plan."""
    folder = Path(controls.__file__).parent
    for path in (*folder.glob("*.py"), *folder.glob("*.toml")):
        assert re.findall(r"USP|Ph\. ?Eur|ISO \d|ASTM|<1119>", path.read_text()) == [], path


def test_noise_alone_does_not_pass():
    """Nothing of it is significant; a bias without a bound of the scatter shows nothing."""
    rng = np.random.default_rng(11)
    loud = samples(*(10 + 3 * rng.standard_normal(5)))
    assert overall(compared(loud).values()) != "pass"


def test_equal_references_have_no_slope():
    found = compared(samples(*NEAR), laboratory=references(*[10.0] * 5))
    assert found["slope of reference on prediction"].verdict == "not done"


def test_what_cannot_be_compared_says_why():
    two = compared(samples(*NEAR[:2]), laboratory=references(*TRUE[:2]))
    assert two["all"].told.startswith("2 samples are too few")
    more = compared(samples(*NEAR), plan(compare_least=6))
    assert more["all"].told == "5 samples are too few: 6 are needed, by the plan"
    assert "bias" not in more
    units = compared(samples(*NEAR), laboratory=references(*TRUE, unit="g/kg"))
    assert units["sample s0"].told == "units differ: % by mass, g/kg"
    unknown = compared({}, laboratory=References({"s": {"fat": 1.0}}, {"fat": UNIT}))
    assert unknown["sample s"].told == "it was not measured"
    gone = samples(*NEAR) | {"sample s1": "left out by the operator"}
    found = compared(gone)
    assert found["sample s1"].verdict == "not done"
    assert found["bias"].told.startswith("n 4")
    empty = compared(samples(*NEAR), laboratory=references(*TRUE[:4], float("nan")))
    assert empty["bias"].told.startswith("n 4")
    ties = compared(
        {f"sample s{i}": measured(values={"moisture": np.full(3, 10.0)}) for i in range(5)}
    )
    assert ties["slope of reference on prediction"].verdict == "not done"
    other = plan(compare={"fat": {"unit": UNIT}})
    assert compared(samples(*NEAR), other)["fat"].verdict == "not done"


CONTROL = {"name": "A", "property": "moisture", "unit": UNIT, "target": 10.0, "tolerance": 0.3}


def controlled(value, before=(), **changes):
    given = plan(controls=[{**CONTROL, **changes}])
    runs = [run(n, "control", value=v) for n, v in enumerate(before)]
    found, kept = controls.judge(given, {"control A": measured(moisture=value)}, runs)
    return {i.what.split(",")[-1].strip(): i for i in found.items}, found, kept


def test_a_control_sample_in_time():
    usual = tuple(10 + 0.05 * v for v in (0.3, -0.8, 1.1, -0.2, 0.5, -1.2, 0.1, 0.9, -0.6, 0.2))
    found, whole, kept = controlled(10.02, usual)
    assert found["mean of 4 scans"].verdict == found["trend"].verdict == "pass"
    assert kept[0].value == pytest.approx(10.02, abs=0.02)
    assert len(whole.figures) == 1
    # Within the tolerance, and yet not as usual.
    found, _, _ = controlled(10.28, usual)
    assert found["mean of 4 scans"].verdict == "pass"
    assert found["trend"].verdict == "fail"
    assert RULES[0] in found["trend"].told.split("broken:")[1]
    shifted, _, _ = controlled(10.06, (*usual, *[10.06] * 8))
    assert RULES[3] in shifted["trend"].told.split("broken:")[1]
    early, _, _ = controlled(10.0, usual[:4])
    assert early["trend"].verdict == "no limit"
    assert "4 of 10" in early["trend"].told
    given, _, _ = controlled(10.2, (), sigma=0.05)
    assert given["trend"].verdict == "fail"
    # After a repair the trend begins anew (all of these are of January 2027).
    repaired, _, _ = controlled(10.0, (10.5,) * 8, sigma=0.05, since="2027-02-01")
    assert repaired["trend"].verdict == "pass"
    before, _, _ = controlled(10.0, (10.5,) * 8, sigma=0.05, since="2027-01-01")
    assert before["trend"].verdict == "fail"
    # One that failed is no part of what is usual.
    astray, _, _ = controlled(10.28, (14.0, *usual))
    assert "sigma 0.0" in astray["trend"].told
    assert astray["trend"].verdict == "fail"
    same, _, _ = controlled(10.0, (10.0,) * 10)
    assert "do not scatter" in same["trend"].told


def test_a_control_of_another_unit_or_property():
    _, found, kept = controlled(10.0, unit="g/kg")
    assert found.items[0].told == "units differ: % by mass, g/kg"
    assert kept == ()
    assert controlled(10.0, property="fat")[1].items[0].verdict == "not done"
    none, _ = controls.judge(plan(), {}, [])
    assert none.items[0].told == "the plan has none"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "heading"),
        ("moisture [%]\n1", "heading"),
        ("sample,moisture\na,1", "no unit"),
        ("sample,a [%],a [%]\nx,1,2", "twice"),
        ("sample,a [%]\nx,one", "no number"),
        ("sample,a [%]\nx,nan", "no number"),
        ("sample,a [%]\nx,1\nx,2", "twice"),
        ("sample,a [%]\nx,1,2", "not one value"),
        ("sample,records,a [%],records\nx,1,2,3", "records is there twice"),
        ("sample,records\nx,1", "no property"),
        ("sample,a [%]\nx,1_0", "no number"),
        ("sample,a [%]\nx,\N{ARABIC-INDIC DIGIT TWO}", "no number"),
        ("sample,a [%],records\nx,1,r1 r1", "prediction is there twice"),
        ("sample,a [%],records\nx,1,r1\ny,2,r2 r1", "row 3: a prediction is there twice"),
        ("sample,a [%]\n", "no sample"),
        ('sample,a [%]\n"x,1', "no table"),
    ],
)
def test_references_that_cannot_be(tmp_path, text, told):
    (tmp_path / "lab.csv").write_text(text)
    with pytest.raises(Fault, match=told) as caught:
        read_references(tmp_path / "lab.csv")
    assert caught.value.kind is Faults.COMMAND_INPUT


def test_references_with_gaps(tmp_path):
    (tmp_path / "lab.csv").write_text("Sample,moisture [% by mass], fat [g/kg]\na,1.5,\nb,,2\n")
    found = read_references(tmp_path / "lab.csv")
    assert found.units == {"moisture": "% by mass", "fat": "g/kg"}
    assert found.values["a"]["moisture"] == 1.5
    assert np.isnan(found.values["a"]["fat"])


def test_references_of_samples_that_were_measured_before(tmp_path):
    (tmp_path / "lab.csv").write_text("sample,records,a [%]\nx,A B,1\ny,,2\n")
    found = read_references(tmp_path / "lab.csv")
    assert found.records == {"x": ("A", "B")}
    assert found.values == {"x": {"a": 1.0}, "y": {"a": 2.0}}
    assert [step.key for step in performance.steps(found, 3)] == ["sample y"]


class Somebody:
    def __init__(self, *answers):
        self.answers, self.told = list(answers), []

    def place(self, step, number, of):
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def progress(self, step, done):
        pass

    def failed(self, step, why):
        self.told.append(why)


class Seeing:
    """A bench that sees this, one after another."""

    def __init__(self, *seen):
        self.seen = list(seen)

    def measure(self, scans, progress):
        seen = self.seen.pop(0)
        if isinstance(seen, BaseException):
            raise seen
        progress(scans)
        return seen


def test_nothing_that_was_measured_is_lost():
    given = performance.steps(references(*TRUE), 2)
    somebody = Somebody("measure", "skip", "measure", KeyboardInterrupt())
    away = Fault(Faults.COMMAND_NOT_DONE, "no scan within 60 s")
    taken = take(given, Seeing(measured(), away), somebody)
    assert not isinstance(taken["sample s0"], str)
    assert [taken[f"sample s{i}"] for i in range(1, 5)] == [
        "left out by the operator",
        "no scan within 60 s",
        "broken off by the operator",
        "broken off by the operator before it",
    ]
    assert somebody.told == ["no scan within 60 s"]


def test_an_item_is_never_no_number():
    with pytest.raises(ValidationError):
        Item(part="a", what="b", value=float("inf"), verdict="pass")
