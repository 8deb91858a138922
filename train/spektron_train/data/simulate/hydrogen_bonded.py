"""Groups whose stretching modes hydrogen bonds shift: water, hydroxyl, amide and amine.

Water: the classes of hydrogen bonding of Luck, Ber. Bunsenges. Phys. Chem. 69, 626 (1965), with
strengths set against the absolute absorption of Hale and Querry, Appl. Opt. 12, 555 (1973), and
Kou, Labrie and Chylek, Appl. Opt. 32, 3531 (1993). Amide A, I, II, III and their combinations:
Krimm and Bandekar, Adv. Protein Chem. 38, 181 (1986); Workman and Weyer, Practical Guide to
Interpretive Near-Infrared Spectroscopy. The rest: sources in `groups`.
"""

from __future__ import annotations

from spektron_train.data.simulate.vibrations import Combination, Group, Mode, Pair, Resonance

WATER = (
    Group(
        "water free",
        (
            Mode("oh", 3616, 84, 40, 30, 130, 4, 0.019, 0.03, 0.8),
            Mode("bend", 1638, 17, 22, 3, 80),
            Mode("libration", 600, 10, 20, 3, 300),
        ),
        combinations=(
            Combination(("oh", "bend"), -45, 1.1, 140),
            Combination(("oh", "libration"), -50, 0.2, 300),
            Combination(("2oh", "bend"), -60, 0.018, 240),
        ),
        lorentz=0.1,
    ),
    Group(
        "water weak",
        (
            Mode("oh", 3510, 66, 90, 50, 230, 4, 0.0060, 0.015, 0.4),
            Mode("bend", 1645, 17, 22, 3, 85),
            Mode("libration", 660, 10, 28, 3, 300),
            Mode("association", 2130, 15, 3.2, 0, 350),
        ),
        combinations=(
            Combination(("oh", "bend"), -6, 1.45, 190),
            Combination(("oh", "libration"), -50, 0.3, 400),
            Combination(("oh", "association"), -40, 0.06, 420),
            Combination(("2oh", "bend"), -110, 0.014, 330),
        ),
        lorentz=0.1,
    ),
    Group(
        "water strong",
        (
            Mode("oh", 3395, 70, 155, 80, 290, 4, 0.0016, 0.015, 0.4),
            Mode("bend", 1655, 17, 22, 3, 95),
            Mode("libration", 720, 10, 36, 3, 280),
            Mode("association", 2150, 15, 3.6, 0, 380),
        ),
        combinations=(
            Combination(("oh", "bend"), 0, 0.75, 250),
            Combination(("oh", "libration"), -50, 0.5, 480),
            Combination(("oh", "association"), 20, 0.05, 480),
            Combination(("2oh", "bend"), -110, 0.009, 380),
        ),
        lorentz=0.1,
    ),
    Group(
        "water bound",
        (
            Mode("oh", 3565, 76, 70, 40, 220, 4, 0.0048, 0.055, 0.35),
            Mode("bend", 1642, 17, 22, 3, 85),
            Mode("libration", 640, 10, 26, 3, 300),
        ),
        combinations=(
            Combination(("oh", "bend"), -15, 1.1, 170),
            Combination(("oh", "libration"), -50, 0.5, 480),
            Combination(("2oh", "bend"), -95, 0.014, 300),
        ),
        lorentz=0.1,
    ),
)
HYDROXYL = (
    Group(
        "OH carbohydrate weak",
        (
            Mode("oh", 3540, 85, 50, 12, 160, 4, 0.0050, 0.06, 1.0),
            Mode("bend", 1270, 12, 15, 8, 80),
        ),
        combinations=(
            Combination(("oh", "bend"), -35, 0.34, 180),
            Combination(("2oh", "bend"), -60, 0.006, 260),
        ),
        lorentz=0.1,
    ),
    Group(
        "OH carbohydrate strong",
        (
            Mode("oh", 3336, 148, 75, 12, 270, 3, 0.0032, 0.05, 1.1),
            Mode("bend", 1435, 12, 15, 6, 80),
            Mode("CO", 1085, 6, 1, 0, 60),
        ),
        combinations=(
            Combination(("oh", "bend"), -11, 0.55, 240),
            Combination(("oh", "CO"), -15, 0.2, 230),
            Combination(("oh", "CO", "CO"), -10, 0.035, 420),
            Combination(("2oh", "bend"), -60, 0.006, 700),
        ),
        lorentz=0.1,
    ),
    Group(
        "OH alcohol free",
        (Mode("oh", 3632, 86, 40, 15, 60, 4, 0.02, 0.07, 0.6), Mode("bend", 1260, 12, 20, 4, 80)),
        combinations=(
            Combination(("oh", "bend"), -20, 0.4, 130),
            Combination(("2oh", "bend"), -60, 0.006, 160),
        ),
        lorentz=0.2,
    ),
    Group(
        "OH alcohol bonded",
        (
            Mode("oh", 3340, 155, 75, 12, 250, 3, 0.0019, 0.05, 0.5),
            Mode("bend", 1420, 12, 12, 4, 120),
        ),
        combinations=(Combination(("oh", "bend"), -5, 0.48, 240),),
        lorentz=0.1,
    ),
    Group(
        "OH phenol",
        (
            Mode("oh", 3360, 110, 80, 15, 180, 3, 0.002, 0.06, 0.5),
            Mode("bend", 1240, 12, 110, 15, 25),
        ),
        combinations=(Combination(("oh", "bend"), -10, 0.45, 150),),
    ),
    Group(
        "OH acid",
        (
            Mode("oh", 3020, 180, 70, 5, 480, 2, 0.0006, 0.05, 0.3),
            Mode("bend", 1420, 12, 70, 8, 35),
            Mode("out of plane", 930, 12, 50, 3, 60),
        ),
        combinations=(Combination(("oh", "bend"), 0, 0.3, 350),),
        lorentz=0.0,
    ),
)
AMINE = (
    Group(
        "amide NH",
        (
            Mode("nh", 3380, 69, 35, 15, 90, 4, 0.0045, 0.05, 0.8),
            Mode("nh bonded", 3270, 90, 90, 30, 130, 3, 0.0018, 0.05, 0.8),
            Mode("amide I", 1655, 10, 310, 60, 50, 2, 0.005),
            Mode("amide II", 1542, 10, 180, 8, 50, 2, 0.01),
            Mode("amide III", 1258, 8, 45, 35, 50),
        ),
        combinations=(
            Combination(("nh", "amide I"), 5, 0.16, 90),
            Combination(("nh", "amide II"), -40, 0.55, 120),
            Combination(("nh", "amide III"), -50, 0.5, 110),
            Combination(("nh bonded", "amide III"), 0, 0.12, 150),
            Combination(("2nh", "amide II"), -80, 0.004, 200),
        ),
        resonances=(Resonance("nh bonded", "2amide II", 70.0),),
    ),
    Group(
        "amide NH2",
        (
            Mode("amide I", 1665, 10, 320, 45, 45, 2, 0.005),
            Mode("bend", 1612, 10, 120, 10, 40),
            Mode("C-N", 1400, 8, 60, 30, 30),
        ),
        Pair(3275, 68, 82, (90, 80), (25, 45), 110, 3, 0.004, 0.07, 0.6, 0.5),
        (
            Combination(("as", "amide I"), -20, 0.3, 130),
            Combination(("as", "bend"), -30, 0.4, 120),
            Combination(("s", "bend"), -20, 0.3, 120),
            Combination(("s", "C-N"), -10, 0.2, 110),
        ),
    ),
    Group(
        "amine NH2",
        (Mode("bend", 1618, 10, 80, 8, 40), Mode("wag", 800, 10, 60, 4, 120)),
        Pair(3405, 68, 48, (40, 45), (30, 60), 55, 4, 0.012, 0.07, 0.7, 0.6),
        (Combination(("as", "bend"), -50, 0.9, 90), Combination(("s", "bend"), -50, 0.5, 90)),
    ),
    Group(
        "amine NH",
        (Mode("nh", 3330, 68, 18, 25, 60, 4, 0.02, 0.07, 0.6), Mode("bend", 1500, 10, 40, 6, 50)),
        combinations=(Combination(("nh", "bend"), -20, 0.3, 110),),
    ),
)
