"""Functional groups and their fundamental vibrations; overtones and combinations are computed.

Fundamentals and infrared strengths: Socrates, Infrared and Raman Characteristic Group Frequencies
(3rd ed.); Lin-Vien et al., Handbook of Infrared and Raman Characteristic Frequencies (1991). X-H
anharmonicities (55 to 90 cm-1): Herzberg (1945). Near-infrared combinations that matter: Workman
and Weyer, Practical Guide to Interpretive Near-Infrared Spectroscopy; Osborne, Fearn and Hindle,
Practical NIR Spectroscopy (1993).
"""

from __future__ import annotations

from spektron_train.data.simulate.hydrogen_bonded import AMINE, HYDROXYL, WATER
from spektron_train.data.simulate.vibrations import Combination, Group, Mode, Pair, Resonance

# Skeletal and bending modes: hardly any overtone of them reaches the near infrared.
_CH_BEND = Mode("bend", 1375, 8, 7, 8, 40)
_ALIPHATIC = (
    Group(
        "CH3",
        (Mode("bend", 1455, 8, 14, 20, 25), Mode("umbrella", 1376, 8, 10, 5, 16)),
        Pair(2916, 60, 44, (90, 45), (55, 90), 22, 4, 0.0036, 0.1, 1.0, 1.3),
        (
            Combination(("as", "bend"), -18, 0.42, 55),
            Combination(("s", "bend"), -30, 0.3, 55),
            Combination(("as", "umbrella"), -16, 0.22, 50),
            Combination(("s", "umbrella"), -20, 0.14, 50),
            Combination(("2a", "bend"), -60, 0.010, 110),
            Combination(("2a", "umbrella"), -50, 0.008, 110),
            Combination(("3b", "umbrella"), -80, 0.0007, 180),
        ),
    ),
    Group(
        "CH2",
        (
            Mode("scissor", 1462, 8, 14, 28, 18),
            Mode("wag", 1350, 8, 3, 4, 60),
            Mode("twist", 1301, 8, 2, 26, 24),
            Mode("rock", 723, 5, 5, 1, 16),
            Mode("CC", 1080, 5, 2, 15, 50),
        ),
        Pair(2889, 58, 36, (78, 48), (55, 75), 21, 4, 0.0043, 0.1, 0.85, 1.4),
        (
            Combination(("as", "scissor"), -54, 0.5, 44),
            Combination(("s", "scissor"), -54, 0.36, 44),
            Combination(("as", "wag"), -70, 0.13, 70),
            Combination(("s", "twist"), -25, 0.11, 60),
            Combination(("s", "CC"), 20, 0.1, 110),
            Combination(("2a", "scissor"), -54, 0.011, 100),
            Combination(("2b", "scissor"), -54, 0.009, 100),
            Combination(("3b", "scissor"), -90, 0.0008, 200),
        ),
    ),
    Group(
        "CH",
        (Mode("ch", 2900, 58, 14, 35, 34, 4, 0.006, 0.1, 1.2), _CH_BEND),
        combinations=(
            Combination(("ch", "bend"), -10, 0.2, 80),
            Combination(("2ch", "bend"), -40, 0.004, 140),
        ),
    ),
    Group(
        "CH carbohydrate",
        (
            Mode("ch", 2922, 62, 22, 28, 52, 4, 0.0038, 0.13, 1.5),
            Mode("deformation", 1462, 8, 6, 8, 30),
            Mode("bend", 1375, 8, 10, 10, 45),
            Mode("CO", 1085, 6, 1, 10, 60),
        ),
        combinations=(
            Combination(("ch", "deformation"), 0, 0.13, 75),
            Combination(("ch", "bend"), 2, 0.15, 75),
            Combination(("ch", "CO"), -5, 0.17, 130),
            Combination(("2ch", "bend"), -10, 0.008, 180),
        ),
    ),
    Group(
        "SH",
        (Mode("sh", 2568, 48, 6, 60, 24, 3, 0.01, 0.08), Mode("bend", 870, 6, 6, 4, 30)),
    ),
)
_UNSATURATED = (
    Group(
        "CH vinyl",
        (
            Mode("ch", 3009, 58, 22, 45, 18, 4, 0.0055, 0.1, 1.5),
            Mode("C=C", 1655, 8, 8, 120, 16),
            Mode("bend", 1265, 8, 3, 40, 20),
            Mode("out of plane", 710, 8, 16, 2, 40),
        ),
        combinations=(
            Combination(("ch", "C=C"), 0, 0.22, 45),
            Combination(("ch", "bend"), -10, 0.12, 60),
            Combination(("2ch", "bend"), -40, 0.006, 110),
        ),
    ),
    Group(
        "CH aromatic",
        (
            Mode("ch", 3056, 57, 14, 60, 28, 4, 0.0055, 0.1, 1.2),
            Mode("bend", 1175, 8, 8, 15, 16),
            Mode("in plane", 1025, 8, 8, 25, 16),
            Mode("out of plane", 790, 8, 30, 3, 25),
            Mode("ring", 1604, 8, 14, 20, 18),
            Mode("ring 2", 1500, 8, 20, 2, 16),
        ),
        combinations=(
            Combination(("ch", "ring"), 0, 0.14, 45),
            Combination(("ch", "ring 2"), -5, 0.13, 45),
            Combination(("ch", "bend"), -10, 0.17, 50),
            Combination(("ch", "in plane"), -20, 0.28, 45),
            Combination(("2ch", "bend"), -40, 0.006, 100),
        ),
    ),
    Group(
        "aldehyde",
        (
            Mode("ch", 2785, 60, 40, 20, 35, 3, 0.004, 0.1),
            Mode("bend", 1388, 6, 15, 8, 20, 2, 0.2),
            Mode("C=O", 1725, 10, 300, 40, 22, 3, 0.004, 0.02),
        ),
        combinations=(
            Combination(("ch", "C=O"), -5, 0.5, 60),
            Combination(("ch", "bend"), -20, 0.2, 60),
        ),
        resonances=(Resonance("ch", "2bend", 45.0),),
    ),
    Group("C=C", (Mode("C=C", 1650, 8, 12, 90, 18),)),
    Group("nitrile", (Mode("C#N", 2230, 11, 40, 110, 12, 2, 0.006),)),
    Group(
        "ring",
        (
            Mode("breathing", 1002, 5, 8, 120, 10),
            Mode("ring", 1600, 8, 45, 70, 18),
            Mode("ring 2", 1510, 8, 60, 10, 18),
            Mode("ring 3", 1450, 8, 30, 8, 20),
            Mode("deformation", 620, 5, 10, 25, 14),
        ),
    ),
    Group(
        "purine",
        (
            Mode("C=O", 1700, 10, 500, 40, 22, 3, 0.004, 0.02),
            Mode("C=O 2", 1658, 10, 650, 60, 26),
            Mode("C=N", 1548, 8, 200, 15, 18),
            Mode("ring", 1330, 8, 40, 150, 18),
            Mode("breathing", 555, 5, 15, 130, 12),
            Mode("skeletal", 745, 5, 60, 20, 12),
        ),
    ),
)
_CARBONYL = (
    Group(
        "ester",
        (
            Mode("C=O", 1745, 10, 560, 30, 22, 3, 0.004, 0.03),
            Mode("C-O", 1163, 6, 330, 8, 45),
            Mode("O-C", 1098, 6, 80, 6, 40),
        ),
        combinations=(Combination(("2C=O", "C-O"), 0, 0.05, 60),),
    ),
    Group(
        "acid",
        (Mode("C=O", 1712, 10, 520, 22, 32, 3, 0.004, 0.03), Mode("C-O", 1270, 6, 150, 8, 50)),
        combinations=(Combination(("2C=O", "C-O"), 0, 0.06, 80),),
    ),
    Group(
        "ketone",
        (Mode("C=O", 1715, 10, 280, 22, 20, 3, 0.004, 0.03), Mode("C-C", 1220, 6, 60, 8, 30)),
    ),
    Group(
        "lactam",
        (Mode("C=O", 1675, 10, 380, 25, 38, 3, 0.004, 0.03), Mode("C-N", 1285, 6, 110, 15, 28)),
    ),
    Group(
        "carboxylate",
        (Mode("antisymmetric", 1570, 10, 450, 10, 40), Mode("symmetric", 1430, 8, 160, 40, 40)),
    ),
)
_SKELETON = (
    Group(
        "C-O",
        (
            Mode("C-O", 1050, 6, 130, 25, 55),
            Mode("C-O 2", 1105, 6, 60, 22, 40),
            Mode("skeletal", 880, 5, 12, 28, 25),
        ),
    ),
    Group(
        "pyranose",
        (
            Mode("C-O", 1025, 6, 260, 35, 70),
            Mode("C-O-C", 1155, 6, 150, 25, 30),
            Mode("C-C", 1080, 6, 160, 45, 45),
            Mode("anomeric", 860, 5, 30, 60, 22),
            Mode("ring", 480, 5, 30, 110, 18),
            Mode("deformation", 580, 5, 40, 20, 40),
        ),
    ),
    Group("ether", (Mode("C-O-C", 1120, 6, 170, 18, 30),)),
    Group("C-C", (Mode("C-C", 880, 5, 3, 35, 22), Mode("bend", 430, 4, 2, 18, 22))),
    Group("C-N", (Mode("C-N", 1240, 6, 40, 18, 30),)),
    Group("nitro", (Mode("as", 1530, 8, 350, 15, 25), Mode("s", 1348, 8, 280, 190, 20))),
    Group("C-Cl", (Mode("C-Cl", 715, 5, 90, 60, 20),)),
    Group("C-F", (Mode("C-F", 1160, 6, 320, 12, 35),)),
    Group("sulfonyl", (Mode("as", 1330, 8, 280, 12, 28), Mode("s", 1150, 8, 260, 90, 24))),
    Group("phosphate", (Mode("P-O", 1040, 6, 420, 20, 90), Mode("s", 960, 6, 60, 140, 14))),
)

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        *WATER,
        *HYDROXYL,
        *AMINE,
        *_ALIPHATIC,
        *_UNSATURATED,
        *_CARBONYL,
        *_SKELETON,
    )
}
