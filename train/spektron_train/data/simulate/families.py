"""The families of products drawn from, with typical compositions and ways of measuring.

Compositions: Souci, Fachmann and Kraut, Food Composition and Nutrition Tables; for pharmaceutical
blends, Rowe, Sheskey and Quinn, Handbook of Pharmaceutical Excipients. Rounded values: a product
drawn for training moves away from them anyway.
"""

from __future__ import annotations

from spektron_train.data.simulate.mixtures import Component, Presentation, ProductFamily

_POWDER = Presentation("reflectance", scatter=7.0, between=0.5)
_COARSE = Presentation("reflectance", scatter=2.5, within=0.2, exponent=(0.0, 0.5), grain=0.3)
_LIQUID = Presentation("transmission", within=0.01, temperature_c=(25.0, 5.0))
_TURBID = Presentation("transmission", within=0.03, temperature_c=(28.0, 5.0))
_TABLET = Presentation(
    "diffuse transmission", scatter=14.0, between=0.6, within=0.06, exponent=(0.3, 1.0), grain=0.05
)
_CEREAL = (
    Component(("starch",), 0.72, 0.05),
    Component(("cereal protein",), 0.11, 0.14),
    Component(("cellulose",), 0.025, 0.15),
    Component(("hemicellulose",), 0.07, 0.15),
    Component(("unsaturated oil",), 0.035, 0.22),
    Component(("sucrose", "glucose"), 0.02, 0.25),
    Component(("lignin",), 0.01, 0.25),
    Component(("mineral",), 0.015, 0.15),
    Component(("pigment",), 0.002, 0.4),
)
_CEREAL_RHO = ((0, 1, -0.75), (0, 2, -0.3), (0, 4, -0.3), (1, 4, 0.2), (2, 3, 0.6), (3, 6, 0.5))
_DRUGS = ("paracetamol", "ibuprofen", "caffeine", "acetylsalicylic acid", "unknown", "unknown")
_TABLET_PARTS = (
    Component(_DRUGS, 0.25, 0.25),
    Component(("microcrystalline cellulose",), 0.4, 0.12),
    Component(("lactose", "starch", "microcrystalline cellulose"), 0.25, 0.15),
    Component(("povidone",), 0.03, 0.2),
    Component(("magnesium stearate",), 0.008, 0.25),
    Component(("mineral",), 0.02, 0.3),
)

FAMILIES: dict[str, ProductFamily] = {
    f.name: f
    for f in (
        ProductFamily("whole grain", _CEREAL, (0.12, 0.12), (_COARSE,), _CEREAL_RHO),
        ProductFamily("flour", _CEREAL, (0.11, 0.1), (_POWDER,), _CEREAL_RHO),
        ProductFamily(
            "forage",
            (
                Component(("cellulose",), 0.3, 0.12),
                Component(("hemicellulose",), 0.22, 0.12),
                Component(("lignin",), 0.07, 0.25),
                Component(("animal protein",), 0.15, 0.25),
                Component(("fructose", "sucrose"), 0.1, 0.35),
                Component(("saturated fat",), 0.03, 0.2),
                Component(("mineral",), 0.09, 0.2),
                Component(("chlorophyll",), 0.004, 0.4),
                Component(("pigment",), 0.02, 0.4),
            ),
            (0.08, 0.2),
            (Presentation("reflectance", scatter=4.0, within=0.18), _COARSE),
            ((0, 2, 0.6), (0, 3, -0.6), (2, 3, -0.6), (3, 7, 0.7), (0, 4, -0.5)),
        ),
        ProductFamily(
            "dairy powder",
            (
                Component(("lactose",), 0.45, 0.12),
                Component(("animal protein",), 0.3, 0.15),
                Component(("saturated fat",), 0.12, 0.5),
                Component(("mineral",), 0.07, 0.1),
                Component(("lactic acid",), 0.005, 0.4),
            ),
            (0.04, 0.2),
            (Presentation("reflectance", scatter=10.0),),
            ((0, 2, -0.5), (1, 2, -0.3), (1, 3, 0.4)),
        ),
        ProductFamily(
            "meat",
            (
                Component(("animal protein",), 0.62, 0.08),
                Component(("saturated fat", "unsaturated oil"), 0.3, 0.5),
                Component(("mineral",), 0.035, 0.1),
                Component(("lactic acid",), 0.02, 0.2),
                Component(("pigment",), 0.006, 0.3),
            ),
            (0.68, 0.2),
            (
                Presentation(
                    "reflectance", scatter=2.5, within=0.15, grain=0.0, temperature_c=(8.0, 5.0)
                ),
            ),
            ((0, 1, -0.7), (0, 4, 0.5)),
        ),
        ProductFamily(
            "fruit and sugar solution",
            (
                Component(("sucrose",), 0.4, 0.4),
                Component(("glucose",), 0.25, 0.35),
                Component(("fructose",), 0.28, 0.35),
                Component(("citric acid",), 0.06, 0.35),
                Component(("pigment",), 0.001, 0.4),
            ),
            (0.86, 0.3),
            (_LIQUID, _TURBID),
            ((1, 2, 0.8), (0, 1, -0.4), (0, 2, -0.4)),
        ),
        ProductFamily(
            "fermentation broth",
            (
                Component(("glucose", "sucrose"), 0.35, 0.8),
                Component(("ethanol",), 0.4, 0.6),
                Component(("glycerol",), 0.05, 0.35),
                Component(("animal protein",), 0.1, 0.3),
                Component(("lactic acid", "acetic acid"), 0.05, 0.5),
                Component(("pigment",), 0.002, 0.4),
            ),
            (0.87, 0.2),
            (Presentation("transmission", within=0.03, temperature_c=(31.0, 4.0)),),
            ((0, 1, -0.85), (1, 2, 0.6), (1, 4, 0.3)),
        ),
        ProductFamily(
            "edible oil",
            (
                Component(("unsaturated oil",), 0.8, 0.1),
                Component(("saturated fat",), 0.18, 0.35),
                Component(("glycerol",), 0.003, 0.4),
                Component(("pigment",), 0.0005, 0.4),
            ),
            (0.001, 0.3),
            (Presentation("transmission", within=0.01, temperature_c=(40.0, 10.0)),),
            ((0, 1, -0.8),),
        ),
        ProductFamily("pharmaceutical blend", _TABLET_PARTS, (0.03, 0.15), (_POWDER,)),
        ProductFamily(
            "tablet",
            _TABLET_PARTS,
            (0.03, 0.12),
            (_TABLET, _TABLET, Presentation("reflectance", scatter=12.0, within=0.06, grain=0.1)),
        ),
        ProductFamily(
            "roasted",
            (
                Component(("hemicellulose",), 0.35, 0.1),
                Component(("cellulose",), 0.12, 0.12),
                Component(("cereal protein",), 0.13, 0.12),
                Component(("unsaturated oil",), 0.15, 0.15),
                Component(("lignin",), 0.08, 0.15),
                Component(("caffeine",), 0.015, 0.25),
                Component(("sucrose",), 0.01, 0.6),
                Component(("citric acid", "lactic acid"), 0.04, 0.2),
                Component(("mineral",), 0.045, 0.1),
                Component(("pigment",), 0.06, 0.35),
            ),
            (0.03, 0.3),
            (Presentation("reflectance", scatter=4.0, within=0.2),),
            ((6, 9, -0.8), (3, 9, 0.3)),
        ),
        ProductFamily(
            "solvent mixture",
            (
                Component(("ethanol",), 0.5, 0.6),
                Component(("methanol",), 0.3, 0.6),
                Component(("glycerol", "acetic acid", "lactic acid"), 0.2, 0.7),
            ),
            (0.15, 0.7),
            (_LIQUID,),
        ),
    )
}
